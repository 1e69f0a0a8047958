#!/usr/bin/env python3
"""A second reader of packed weights, written from docs/pweights.md alone, that is slow and plain so that it can be compared with that text line by line.

    tests/pweights.py file.pweights out.weights    writes the .weights file
    tests/pweights.py -list file.pweights          a line for each array

It knows no cfg, so it takes the sizes from the file and refuses more than MOST floats. What is not as the specification says ends it: one line on stderr, exit 1.
"""
import struct
import sys

MAGIC = b"PW\xff\xff\r\n\x1a\n"
MOST = 1 << 26
ROLES = ["weights", "biases", "scales", "means", "variances"]
WEIGHTS = 0
VALUES = ["f32", "f16", "codebook"]
F32, F16, CODEBOOK = range(3)
SYMBOLS = ["fixed", "coded"]
FIXED, CODED = range(2)
LIVE_ROWS, LIVE_COLUMNS, TRANSPOSED = 1, 2, 4
POSITIONS = ["all", "bitmap", "gaps"]
ALL, BITMAP, GAPS = range(3)


class Fault(Exception):
    pass


def expect(truth, text):
    if not truth:
        raise Fault(text)


# ---------------------------------------------------------------------------------------------------------- CRC-32C

def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


# ------------------------------------------------------------------------------------------------- bytes and bits

class Reader:
    """Takes numbers from a section's payload, or from the file. Bits are taken from the lowest of a byte upwards; the bytes that hold them are used up as they are needed."""

    def __init__(self, data, where):
        self.data, self.where, self.at = data, where, 0
        self.pool, self.pool_bits = 0, 0

    def take(self, count):
        expect(self.at + count <= len(self.data), f"{self.where}: ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def numbers(self, kinds):
        return struct.unpack("<" + kinds, self.take(struct.calcsize("<" + kinds)))

    def number(self, kind):
        return self.numbers(kind)[0]

    def bits(self, count):
        while self.pool_bits < count:
            expect(self.at < len(self.data), f"{self.where}: its bits end too early")
            self.pool |= self.data[self.at] << self.pool_bits
            self.pool_bits += 8
            self.at += 1
        value = self.pool & (1 << count) - 1
        self.pool >>= count
        self.pool_bits -= count
        return value

    def end_bits(self):
        expect(self.pool == 0, f"{self.where}: unused bits are not 0")
        self.pool, self.pool_bits = 0, 0

    def bitmap(self, count):
        flags = [self.bits(1) for _ in range(count)]
        self.end_bits()
        return flags

    def end(self):
        expect(self.at == len(self.data), f"{self.where}: {len(self.data) - self.at} bytes too many")


def section(file, where):
    """The payload of the next section, as a reader."""
    file.where = where
    length, crc = file.numbers("II")
    expect(1 <= length <= 1 << 28, f"{where}: a length of {length}")
    payload = file.take(length)
    expect(crc32c(struct.pack("<I", length) + payload) == crc, f"{where}: wrong checksum")
    return Reader(payload, where)


# ---------------------------------------------------------------------------------------------------------- symbols

class FixedWidth:
    """Symbols as numbers of so many bits, each in front of its plain bits."""

    def __init__(self, width, n_symbols):
        self.width, self.n_symbols = width, n_symbols

    def read_values(self, reader, count, n_plain):
        """So many pairs of a symbol and its plain bits."""
        values = []
        for _ in range(count):
            symbol = reader.bits(self.width)
            expect(symbol < self.n_symbols, f"{reader.where}: symbol {symbol} of {self.n_symbols}")
            values.append((symbol, reader.bits(n_plain)))
        reader.end_bits()
        return values


class Coded:
    """Symbols in rANS, behind all plain bits; if there is only one, it takes none."""

    def __init__(self, reader, n_symbols):
        where = reader.where
        self.scale, first, last = reader.numbers("BBB")
        expect(first <= last < n_symbols, f"{where}: symbols {first} to {last} of {n_symbols}")
        self.only = first if first == last else None
        if self.only is not None:
            expect(self.scale == 0, f"{where}: a scale of {self.scale} for a single symbol")
            return
        expect(8 <= self.scale <= 12, f"{where}: a scale of {self.scale}")
        frequencies = [reader.bits(self.scale) for _ in range(first, last + 1)]
        reader.end_bits()
        expect(frequencies[0] and frequencies[-1], f"{where}: the first or the last symbol does not occur")
        expect(sum(frequencies) == 1 << self.scale, f"{where}: the frequencies do not sum up to 2^{self.scale}")
        self.slots = []                     # for each slot: symbol, frequency, slot - start
        for number, frequency in enumerate(frequencies):
            self.slots += [(first + number, frequency, place) for place in range(frequency)]

    def read_values(self, reader, count, n_plain):
        plain = [reader.bits(n_plain) for _ in range(count)]
        reader.end_bits()
        if self.only is not None:
            return [(self.only, bits) for bits in plain]
        return list(zip(self.read_symbols(reader, count), plain)) if count else []

    def read_symbols(self, reader, count):
        x = reader.number("I")
        expect(x >= 1 << 16, f"{reader.where}: a first state of {x}")
        symbols = []
        for _ in range(count):
            symbol, frequency, place = self.slots[x % (1 << self.scale)]
            symbols.append(symbol)
            x = frequency * (x >> self.scale) + place
            if x < 1 << 16:
                x = x << 16 | reader.number("H")
        expect(x == 1 << 16, f"{reader.where}: a last state of {x}")
        return symbols


def widen(half):
    """The bits of the float that has the value of a binary16."""
    sign, exponent, mantissa = half >> 15, half >> 10 & 31, half & 1023
    if exponent == 31:
        exponent = 255                      # infinity, or NaN
    elif exponent:
        exponent += 127 - 15
    elif mantissa:                          # below the normal numbers of binary16, but not of binary32
        exponent = 127 - 14
        while not mantissa & 1024:
            mantissa *= 2
            exponent -= 1
        mantissa &= 1023
    return sign << 31 | exponent << 23 | mantissa << 13


# ----------------------------------------------------------------------------------------------------------- arrays

class Array:
    """What a LAYER section says about an array, and its floats as 32-bit numbers."""

    def __init__(self, reader, number):
        self.where = f"{reader.where}, array {number}"
        self.role, self.values, symbols, self.flags = reader.numbers("BBBB")
        self.rows, self.columns, self.h, self.w, self.live_tiles = reader.numbers("IIHHQ")
        expect(self.role < len(ROLES), f"{self.where}: role {self.role}")
        expect(self.values < len(VALUES), f"{self.where}: values {self.values}")
        expect(symbols < len(SYMBOLS), f"{self.where}: symbols {symbols}")
        expect(self.flags < 8, f"{self.where}: flags {self.flags}")
        for what, size, part in ("rows", self.rows, self.h), ("columns", self.columns, self.w):
            expect(1 <= size < 1 << 31, f"{self.where}: {size} {what}")
            expect(part >= 1 and size % part == 0, f"{self.where}: {size} {what} in parts of {part}")
        expect(self.h * self.w <= 1 << 12, f"{self.where}: tiles of {self.h} x {self.w}")
        expect(self.role == WEIGHTS or self.rows == 1, f"{self.where}: {self.rows} rows of {ROLES[self.role]}")
        expect(self.role == WEIGHTS or not self.flags & TRANSPOSED, f"{self.where}: transposed {ROLES[self.role]}")
        self.symbol_kind = SYMBOLS[symbols]
        self.codebook = []
        if self.values == CODEBOOK:
            entries = reader.number("H")
            expect(1 <= entries <= 256, f"{self.where}: a codebook of {entries}")
            self.codebook = reader.numbers(f"{entries}I")
            expect(all(a < b for a, b in zip(self.codebook, self.codebook[1:])), f"{self.where}: the codebook does not rise")
        width = {F32: 8, F16: 5, CODEBOOK: (len(self.codebook) - 1).bit_length()}[self.values]
        n_symbols = len(self.codebook) or 1 << width
        self.code = Coded(reader, n_symbols) if symbols == CODED else FixedWidth(width, n_symbols)
        self.live_rows = self.live(reader, LIVE_ROWS, self.rows // self.h)
        self.live_columns = self.live(reader, LIVE_COLUMNS, self.columns // self.w)
        self.n_places = len(self.live_rows) * len(self.live_columns)
        expect(self.live_tiles <= self.n_places, f"{self.where}: {self.live_tiles} live tiles in {self.n_places} places")
        self.positions = []
        self.floats = None

    def live(self, reader, flag, count):
        """The numbers of the tile rows, or columns, that are live."""
        if self.flags & flag:
            return [number for number, bit in enumerate(reader.bitmap(count)) if bit]
        return range(count)

    def bits_of(self, symbol, plain):
        """The bits of the float that a symbol and its plain bits stand for."""
        if self.values == F32:
            return (plain >> 23) << 31 | symbol << 23 | plain & 0x7FFFFF
        if self.values == F16:
            return widen((plain >> 10) << 15 | symbol << 10 | plain & 0x3FF)
        return self.codebook[symbol]

    def read_chunks(self, file):
        self.floats = [0] * (self.rows * self.columns)
        per_chunk = max(1, (1 << 18) // (self.h * self.w))
        live_tiles = 0
        for first in range(0, self.n_places, per_chunk):
            places = min(per_chunk, self.n_places - first)
            live_tiles += self.read_chunk(section(file, f"{self.where}, chunk {first // per_chunk}"), first, places)
        expect(live_tiles == self.live_tiles, f"{self.where}: {live_tiles} live tiles, not {self.live_tiles}")

    def read_chunk(self, reader, first, places):
        positions, k, reserved, n = reader.numbers("BBHI")
        expect(positions < len(POSITIONS), f"{reader.where}: positions {positions}")
        expect(k == 0 or positions == GAPS and k <= 31, f"{reader.where}: k = {k}")
        expect(reserved == 0, f"{reader.where}: a reserved field is not 0")
        expect(n <= places, f"{reader.where}: {n} live tiles in {places} places")
        live = []
        if positions == ALL:
            live = list(range(places))
        elif positions == BITMAP:
            live = [place for place, bit in enumerate(reader.bitmap(places)) if bit]
        else:
            place = -1
            for _ in range(n):
                gap = 0
                while reader.bits(1) == 0:
                    gap += 1 << k
                    expect(gap < places, f"{reader.where}: a gap leads out of it")
                place += gap + reader.bits(k) + 1
                expect(place < places, f"{reader.where}: a gap leads out of it")
                live.append(place)
            reader.end_bits()
        expect(len(live) == n, f"{reader.where}: {len(live)} live tiles, not {n}")
        values = self.code.read_values(reader, n * self.h * self.w, {F32: 24, F16: 11, CODEBOOK: 0}[self.values])
        reader.end()
        floats = (self.bits_of(symbol, plain) for symbol, plain in values)
        for place in live:
            row, column = divmod(first + place, len(self.live_columns))
            self.place_tile(floats, self.live_rows[row] * self.h, self.live_columns[column] * self.w)
        if POSITIONS[positions] not in self.positions:
            self.positions.append(POSITIONS[positions])
        return n

    def place_tile(self, floats, row, column):
        for r in range(row, row + self.h):
            for c in range(column, column + self.w):
                self.floats[r * self.columns + c] = next(floats)

    def shape_text(self):
        """Its part of the text that the fingerprint is made of."""
        rows, columns = (self.columns, self.rows) if self.flags & TRANSPOSED else (self.rows, self.columns)
        return f"{self.role} {rows}x{columns}"

    def describe(self):
        values = VALUES[self.values] + (f"({len(self.codebook)})" if self.codebook else "")
        flags = [name for flag, name in ((LIVE_ROWS, "live-rows"), (LIVE_COLUMNS, "live-columns"), (TRANSPOSED, "transposed")) if self.flags & flag]
        return (f"{ROLES[self.role]} {self.rows}x{self.columns} {values} {self.symbol_kind} tiles {self.h}x{self.w} "
                f"live {self.live_tiles}/{self.n_places} positions {'+'.join(self.positions) or '-'} {'+'.join(flags) or '-'}")


class Layer:
    def __init__(self, reader):
        self.index, n_arrays, name_length, reserved = reader.numbers("IBBH")
        expect(self.index <= 1 << 20, f"{reader.where}: index {self.index}")
        expect(1 <= n_arrays <= 64, f"{reader.where}: {n_arrays} arrays")
        expect(1 <= name_length <= 32, f"{reader.where}: a name of {name_length} bytes")
        expect(reserved == 0, f"{reader.where}: a reserved field is not 0")
        name = reader.take(name_length)
        expect(all(byte in b"abcdefghijklmnopqrstuvwxyz0123456789_" for byte in name), f"{reader.where}: its name")
        self.name = name.decode("ascii")
        self.arrays = [Array(reader, number) for number in range(n_arrays)]
        reader.end()


# ------------------------------------------------------------------------------------------------------------- file

class Packed:
    def __init__(self, data):
        expect(data[:len(MAGIC)] == MAGIC, "does not begin as packed weights do")
        file = Reader(data, "file")
        file.take(len(MAGIC))
        header = section(file, "header")
        version, reserved, self.major, self.minor, self.revision, self.seen, n_floats, n_bytes, n_layers, fingerprint = header.numbers("HHiiiQQQII")
        header.end()
        expect(version == 1, f"header: version {version}")
        expect(reserved == 0, "header: a reserved field is not 0")
        expect(self.major >= 0 and self.minor >= 0, f"header: weights of version {self.major}.{self.minor}")
        self.has_wide_seen = self.major * 10 + self.minor >= 2 and self.major < 1000 and self.minor < 1000
        expect(self.has_wide_seen or self.seen < 1 << 32, f"header: {self.seen} images seen, in 32 bits")
        expect(n_bytes == len(data), f"header: {n_bytes} bytes, the file has {len(data)}")
        expect(n_floats <= MOST, f"header: {n_floats} floats are too many for this reader")

        self.layers = []
        left = n_floats
        text = ""
        for number in range(n_layers):
            layer = Layer(section(file, f"layer section {number}"))
            expect(not self.layers or layer.index > self.layers[-1].index, f"layer section {number}: index {layer.index} does not rise")
            for array in layer.arrays:
                left -= array.rows * array.columns
                expect(left >= 0, f"{array.where}: more floats than the header says")
                array.read_chunks(file)
            text += f"{layer.index} {layer.name}: {', '.join(array.shape_text() for array in layer.arrays)}\n"
            self.layers.append(layer)
        file.where = "file"
        file.end()
        expect(left == 0, f"header: {n_floats} floats, {n_floats - left} came")
        expect(fingerprint == crc32c(text.encode("ascii")), "header: not the fingerprint of its layers")

    def describe(self):
        """A line for each array."""
        return [f"{layer.index} {layer.name} {array.describe()}" for layer in self.layers for array in layer.arrays]

    def weights(self):
        """The bytes of the .weights file."""
        parts = [struct.pack("<iiiQ" if self.has_wide_seen else "<iiiI", self.major, self.minor, self.revision, self.seen)]
        for layer in self.layers:
            for array in layer.arrays:
                parts.append(struct.pack(f"<{len(array.floats)}I", *array.floats))
        return b"".join(parts)


def main(arguments):
    if len(arguments) != 2:
        sys.exit("usage: pweights.py <file.pweights> <out.weights> | pweights.py -list <file.pweights>")
    lists = arguments[0] == "-list"
    path = arguments[1] if lists else arguments[0]
    try:
        with open(path, "rb") as file:
            packed = Packed(file.read())
        if lists:
            print(*packed.describe(), sep="\n")
        else:
            with open(arguments[1], "wb") as out:
                out.write(packed.weights())
    except (Fault, OSError) as fault:
        print(f"pweights.py: {path}: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
