#!/usr/bin/env python3
"""Writes packed weights with any choice that docs/pweights.md allows, and not only with those that `darknet prune pack` makes: what readers are tested with.

    tests/pweights_write.py <folder>    small files of random forms into it, to begin a fuzz search with

A file is a list of payloads until `seal` puts it together, so that a test can damage one and still give it the right checksum and length.
"""
import os
import random
import struct
import sys

from pweights import ALL, BITMAP, CODEBOOK, F16, F32, GAPS, LIVE_COLUMNS, LIVE_ROWS, MAGIC, TRANSPOSED, WEIGHTS, crc32c, widen

HALF_OF = {widen(half): half for half in range(1 << 16)}


class Bits:
    def __init__(self):
        self.value, self.count = 0, 0

    def put(self, value, count):
        self.value |= value << self.count
        self.count += count

    def bytes(self):
        return self.value.to_bytes((self.count + 7) // 8, "little")


def bitmap(flags):
    bits = Bits()
    for flag in flags:
        bits.put(int(flag), 1)
    return bits.bytes()


def section(payload):
    length = struct.pack("<I", len(payload))
    return length + struct.pack("<I", crc32c(length + payload)) + payload


def seal(payloads):
    """The file. The first payload is the header, in which the length of the file is set."""
    payloads = [bytes(payload) for payload in payloads]
    total = len(MAGIC) + sum(8 + len(payload) for payload in payloads)
    payloads[0] = payloads[0][:32] + struct.pack("<Q", total) + payloads[0][40:]
    return MAGIC + b"".join(section(payload) for payload in payloads)


class Array:
    """Floats as 32-bit numbers, row by row, and how to write them; what is not said is plain."""

    def __init__(self, role, rows, columns, floats, values=F32, coded=False, scale=12, h=1, w=1, flags=0, spare_rows=(), positions=(ALL,), k=0, waste=False):
        self.role, self.rows, self.columns, self.floats = role, rows, columns, floats
        self.values, self.coded, self.scale, self.h, self.w, self.flags = values, coded, scale, h, w, flags
        self.spare_rows = spare_rows        # tile rows that are called live though they hold zeros only
        self.positions, self.k = positions, k   # of its chunks in turn
        self.waste = waste                  # every second tile of zeros is stored all the same
        self.choose_tiles()

    def tile(self, r, c):
        return [self.floats[y * self.columns + x] for y in range(r * self.h, (r + 1) * self.h) for x in range(c * self.w, (c + 1) * self.w)]

    def choose_tiles(self):
        rows, columns = range(self.rows // self.h), range(self.columns // self.w)
        tiles = {(r, c): self.tile(r, c) for r in rows for c in columns}
        self.live_rows = [r for r in rows if not self.flags & LIVE_ROWS or r in self.spare_rows or any(any(tiles[r, c]) for c in columns)]
        self.live_columns = [c for c in columns if not self.flags & LIVE_COLUMNS or any(any(tiles[r, c]) for r in rows)]
        places = [tiles[r, c] for r in self.live_rows for c in self.live_columns]
        per_chunk = max(1, (1 << 18) // (self.h * self.w))
        self.chunks = []                    # (positions, tiles or None)
        for first in range(0, len(places), per_chunk):
            chunk = places[first:first + per_chunk]
            way = self.positions[first // per_chunk % len(self.positions)]
            keep = [way == ALL or any(tile) or self.waste and place % 2 == 0 for place, tile in enumerate(chunk)]
            self.chunks.append((way, [tile if kept else None for kept, tile in zip(keep, chunk)]))
        self.values_stored = [value for _, chunk in self.chunks for tile in chunk if tile for value in tile]
        self.codebook = sorted(set(self.values_stored)) or [0]
        self.width = {F32: 8, F16: 5, CODEBOOK: (len(self.codebook) - 1).bit_length()}[self.values]
        self.choose_code()

    def split(self, value):
        """Symbol, plain bits and how many they are."""
        if self.values == F32:
            return value >> 23 & 255, value >> 31 << 23 | value & 0x7FFFFF, 24
        if self.values == F16:
            half = HALF_OF[value]
            return half >> 10 & 31, half >> 15 << 10 | half & 0x3FF, 11
        return self.codebook.index(value), 0, 0

    def choose_code(self):
        used = sorted(set(self.split(value)[0] for value in self.values_stored)) or [0]
        self.first, self.last = used[0], used[-1]
        self.frequencies = {symbol: 1 for symbol in used}      # the rest goes to the one in the middle: any that sum up will do
        self.frequencies[used[len(used) // 2]] += (1 << self.scale) - len(used)
        self.starts, start = {}, 0
        for symbol in used:
            self.starts[symbol] = start
            start += self.frequencies[symbol]

    def head(self):
        out = struct.pack("<BBBBIIHHQ", self.role, self.values, int(self.coded), self.flags, self.rows, self.columns, self.h, self.w,
                          sum(tile is not None for _, chunk in self.chunks for tile in chunk))
        if self.values == CODEBOOK:
            out += struct.pack(f"<H{len(self.codebook)}I", len(self.codebook), *self.codebook)
        if self.coded:
            single = self.first == self.last
            out += struct.pack("<BBB", 0 if single else self.scale, self.first, self.last)
            if not single:
                bits = Bits()
                for symbol in range(self.first, self.last + 1):
                    bits.put(self.frequencies.get(symbol, 0), self.scale)
                out += bits.bytes()
        if self.flags & LIVE_ROWS:
            out += bitmap(r in self.live_rows for r in range(self.rows // self.h))
        if self.flags & LIVE_COLUMNS:
            out += bitmap(c in self.live_columns for c in range(self.columns // self.w))
        return out

    def words(self, symbols):
        x, words = 1 << 16, b""
        for symbol in reversed(symbols):
            frequency = self.frequencies[symbol]
            if x >= frequency << 32 - self.scale:
                words = struct.pack("<H", x & 0xFFFF) + words
                x >>= 16
            x = (x // frequency << self.scale) + x % frequency + self.starts[symbol]
        return struct.pack("<I", x) + words

    def chunk(self, way, tiles):
        live = [tile for tile in tiles if tile is not None]
        positions, gap = Bits(), 0
        for tile in tiles:
            if way == BITMAP:
                positions.put(int(tile is not None), 1)
            elif way == GAPS and tile is None:
                gap += 1
            elif way == GAPS:
                positions.put(1 << (gap >> self.k), (gap >> self.k) + 1)
                positions.put(gap & (1 << self.k) - 1, self.k)
                gap = 0
        symbols, plain = [], Bits()
        for tile in live:
            for value in tile:
                symbol, bits, count = self.split(value)
                symbols.append(symbol)
                if not self.coded:
                    plain.put(symbol, self.width)
                plain.put(bits, count)
        out = struct.pack("<BBHI", way, self.k if way == GAPS else 0, 0, len(live)) + positions.bytes() + plain.bytes()
        return out + (self.words(symbols) if self.coded and symbols and self.first != self.last else b"")

    def shape_text(self):
        rows, columns = (self.columns, self.rows) if self.flags & TRANSPOSED else (self.rows, self.columns)
        return f"{self.role} {rows}x{columns}"


def payloads_of(layers, version=(0, 2, 5), seen=0):
    """layers: (index, name, [Array]). Header first, then each LAYER with its chunks."""
    sections, text, n_floats = [], "", 0
    for index, name, arrays in layers:
        sections.append(struct.pack("<IBBH", index, len(arrays), len(name), 0) + name.encode() + b"".join(array.head() for array in arrays))
        sections += [array.chunk(way, tiles) for array in arrays for way, tiles in array.chunks]
        text += f"{index} {name}: {', '.join(array.shape_text() for array in arrays)}\n"
        n_floats += sum(len(array.floats) for array in arrays)
    return [struct.pack("<HHiiiQQQII", 1, 0, *version, seen, n_floats, 0, len(layers), crc32c(text.encode()))] + sections


def weights_of(layers, version=(0, 2, 5), seen=0):
    """The .weights file that the same layers stand for."""
    wide = version[0] * 10 + version[1] >= 2 and version[0] < 1000 and version[1] < 1000
    floats = [value for _, _, arrays in layers for array in arrays for value in array.floats]
    return struct.pack("<iiiQ" if wide else "<iiiI", *version, seen) + struct.pack(f"<{len(floats)}I", *floats)


def random_array(rng, role, rows, columns):
    """Random floats of a random kind, written in a random way."""
    divisors = lambda n: [d for d in range(1, n + 1) if n % d == 0]
    values = rng.choice([F32, F16, CODEBOOK])
    density = rng.choice([0, .05, .3, .6, .9, 1])
    some = {F32: lambda: rng.getrandbits(32), F16: lambda: widen(rng.getrandbits(16)), CODEBOOK: lambda: palette[rng.randrange(len(palette))]}[values]
    palette = [rng.getrandbits(32) for _ in range(rng.choice([1, 2, 5, 16, 100]))]
    h, w = rng.choice(divisors(rows)), rng.choice(divisors(columns))
    dead = rng.choice([0, 0, .5])
    dead_rows = {r for r in range(rows // h) if rng.random() < dead}
    dead_columns = {c for c in range(columns // w) if rng.random() < dead}
    live = {(r, c): r not in dead_rows and c not in dead_columns and rng.random() < density for r in range(rows // h) for c in range(columns // w)}
    floats = [some() if live[r // h, c // w] else 0 for r in range(rows) for c in range(columns)]
    flags = rng.randrange(4)
    way = lambda: rng.choice([ALL, BITMAP, GAPS])
    array = Array(role, rows, columns, floats, values, rng.random() < .6, rng.randrange(8, 13), h, w, flags, [r for r in range(rows // h) if rng.random() < .1], [way(), way()],
                  rng.choice([0, 1, 3, 10, 31]), rng.random() < .3)
    if values == CODEBOOK and len(array.codebook) > 256 or len(array.frequencies) > 1 << array.scale:
        return random_array(rng, role, rows, columns)
    return array


def random_layers(seed):
    """Of the cfg that tests/integration/pack_golden.sh writes: a convolution with batch-norm and groups, a connected layer, in random forms."""
    rng = random.Random(seed)
    shapes = [(0, "convolutional", [(1, 1, 12), (2, 1, 12), (3, 1, 12), (4, 1, 12), (WEIGHTS, 12, 18)]), (2, "connected", [(1, 1, 10), (WEIGHTS, 10, 108)])]
    return [(index, name, [random_array(rng, *shape) for shape in arrays]) for index, name, arrays in shapes]


def small_file(seed):
    """Two layers of a few dozen weights."""
    rng = random.Random(seed)
    rows, columns = rng.choice([(4, 9), (6, 4), (1, 16), (8, 8), (3, 18)])
    return seal(payloads_of([
        (seed % 3, "convolutional", [random_array(rng, 1, 1, rows), random_array(rng, WEIGHTS, rows, columns)]),
        (3, "connected", [random_array(rng, 1, 1, 4), random_array(rng, WEIGHTS, 4, rows)])], version=rng.choice([(0, 2, 5), (0, 1, 0)]), seen=seed))


if __name__ == "__main__":
    for number in range(16):
        with open(os.path.join(sys.argv[1], f"{number}.pweights"), "wb") as file:
            file.write(small_file(number))
