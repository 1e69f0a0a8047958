"""pack_hostile.py <folder>: a good file of packed weights (good.pweights, for tests/golden/foreign.cfg), and others that each break one rule of docs/pweights.md, with all checksums right.

Those in <folder>/rules must be refused by tests/pweights.py, here, and by the plugin, in pack_hostile.sh; those in <folder>/bombs, most of which hold to the format, are for other networks, which
only a reader that knows the cfg can tell. Prints why tests/pweights.py refused the former.
"""
import os
import struct
import sys

sys.path.insert(0, "tests")
import pweights_write as writer         # noqa: E402 (its folder is known only now)
from pweights import BITMAP, CODEBOOK, F16, F32, GAPS, LIVE_COLUMNS, LIVE_ROWS, WEIGHTS, Fault, Packed, crc32c     # noqa: E402

# Payloads of the good file.
HEADER, CONVOLUTION, BIASES, SCALES, MEANS, VARIANCES, FILTERS, CONNECTED, BIASES_2, MATRIX = range(10)
PALETTE = [0x3DCCCCCD, 0x3E000000, 0x3F19999A, 0xBE800000, 0xBF000000]


def spread(n, every, values):
    """n floats, of which one in so many is not 0."""
    return [values[i // every % len(values)] if i % every == 0 else 0 for i in range(n)]


def layers():
    f32 = [0x3C000000 + 0x00654321 * i & 0xBFFFFFFF for i in range(1, 40)]
    half = [value & 0xFFFFE000 | 0x38000000 for value in f32]
    blocks = [PALETTE[(r + c) % 5] if r // 2 % 2 == 0 and c // 3 % 5 == 0 else 0 for r in range(10) for c in range(108)]
    return [
        (0, "convolutional", [
            writer.Array(1, 1, 12, f32[:12]),
            writer.Array(2, 1, 12, [0x3F800000] * 12, CODEBOOK, coded=True),
            writer.Array(3, 1, 12, spread(12, 2, half), F16, positions=[BITMAP]),
            writer.Array(4, 1, 12, f32[12:24], F32, coded=True, scale=8),
            writer.Array(WEIGHTS, 12, 18, spread(216, 7, f32), F32, coded=True, scale=11, positions=[GAPS], k=2, flags=LIVE_ROWS)]),
        (2, "connected", [
            writer.Array(1, 1, 10, [PALETTE[i % 5] for i in range(10)], CODEBOOK),
            writer.Array(WEIGHTS, 10, 108, blocks, CODEBOOK, coded=True, scale=9, h=2, w=3, positions=[BITMAP], flags=LIVE_ROWS | LIVE_COLUMNS)])]


LAYERS = layers()
GOOD = writer.payloads_of(LAYERS, seen=77)
TEXT = "0 convolutional: 1 1x12, 2 1x12, 3 1x12, 4 1x12, 0 12x18\n2 connected: 1 1x10, 0 10x108\n"   # of the fingerprint


def array_at(layer, number):
    """Where the head of an array stands in its LAYER payload."""
    return 8 + len(LAYERS[layer][1]) + sum(len(array.head()) for array in LAYERS[layer][2][:number])


def put(payload, at, kind, value):
    def change(payloads):
        struct.pack_into("<" + kind, payloads[payload], at, value)
    return change


def add(payload, at, kind, value):
    def change(payloads):
        number, = struct.unpack_from("<" + kind, payloads[payload], at)
        struct.pack_into("<" + kind, payloads[payload], at, number + value)
    return change


def longer(payload, more=b"\0"):
    def change(payloads):
        payloads[payload] += more
    return change


def shorter(payload, by=1):
    def change(payloads):
        del payloads[payload][-by:]
    return change


def both(*changes):
    def change(payloads):
        for one in changes:
            one(payloads)
    return change


def without(payload):
    def change(payloads):
        del payloads[payload]
    return change


def rewritten(payload, data):
    def change(payloads):
        payloads[payload][:] = data
    return change


def refingerprint(text):
    return put(HEADER, 44, "I", crc32c(text.encode()))


def alone(array):
    """A file of that array, for no cfg here, which holds to the rules but for what is wrong in the array itself."""
    def change(payloads):
        payloads[:] = [bytearray(payload) for payload in writer.payloads_of([(0, "connected", [array])])]
    return change


def reaching(below, above):
    """An array whose code has symbols beyond those that occur."""
    array = writer.Array(WEIGHTS, 4, 6, FEW, coded=True, positions=[BITMAP])
    array.first += below
    array.last += above
    return array


def begun_low():
    """One value, whose state is below 2^16 and yet ends as it should."""
    array = writer.Array(WEIGHTS, 4, 6, [0x3F000000] + [0] * 23, coded=True, positions=[BITMAP])
    array.last += 1
    array.frequencies = {array.first: 2048, array.last: 2048}
    array.words = lambda symbols: struct.pack("<IH", 1, 0)
    return array


A = array_at
PLENTY = put(HEADER, 24, "Q", 1 << 24)                      # floats, so that it is not their sum that is refused
FEW = spread(24, 2, [0x3E800000, 0x3F000000, 0x3D123456])
ONES = sum(bin(byte).count("1") for byte in GOOD[MATRIX][8:10])  # live tiles of its first 16 places
BIAS, SCALE, MEAN, VARIANCE, FILTER = (A(0, i) for i in range(5))
BIAS_2, WEIGHT_2 = A(1, 0), A(1, 1)
VARIANCE_FIRST = struct.unpack_from("B", GOOD[CONVOLUTION], VARIANCE + 25)[0]
MATRIX_CODES = WEIGHT_2 + 24 + 2 + 4 * 5
STATE = 8 + 12 * 24 // 8                                    # behind the chunk's head and the plain bits of 12 values

RULES = {
    "header-version-0": put(HEADER, 0, "H", 0),
    "header-version-2": put(HEADER, 0, "H", 2),
    "header-reserved": put(HEADER, 2, "H", 1),
    "header-major": put(HEADER, 4, "i", -1),
    "header-minor": put(HEADER, 8, "i", -1),
    "header-seen": both(put(HEADER, 8, "i", 1), put(HEADER, 16, "Q", 1 << 32)),
    "header-floats-one-more": add(HEADER, 24, "Q", 1),
    "header-floats-one-less": add(HEADER, 24, "Q", -1),
    "header-floats-0": put(HEADER, 24, "Q", 0),
    "header-floats-huge": put(HEADER, 24, "Q", (1 << 64) - 1),
    "header-layers-one-more": add(HEADER, 40, "I", 1),
    "header-layers-one-less": add(HEADER, 40, "I", -1),
    "header-layers-0": put(HEADER, 40, "I", 0),
    "header-layers-huge": put(HEADER, 40, "I", (1 << 32) - 1),
    "header-fingerprint": add(HEADER, 44, "I", -1),
    "header-longer": longer(HEADER),
    "header-shorter": shorter(HEADER),
    "layer-index-large": both(put(CONNECTED, 0, "I", (1 << 20) + 1), refingerprint(TEXT.replace("2 connected", f"{(1 << 20) + 1} connected"))),
    "layer-index-huge": put(CONNECTED, 0, "I", (1 << 32) - 1),
    "layer-index-again": put(CONNECTED, 0, "I", 0),
    "layer-index-falls": both(put(CONVOLUTION, 0, "I", 3), refingerprint(TEXT.replace("0 conv", "3 conv"))),
    "layer-arrays-0": put(CONNECTED, 4, "B", 0),
    "layer-arrays-65": put(CONNECTED, 4, "B", 65),
    "layer-arrays-one-more": add(CONNECTED, 4, "B", 1),
    "layer-arrays-one-less": add(CONNECTED, 4, "B", -1),
    "layer-name-0": put(CONNECTED, 5, "B", 0),
    "layer-name-33": put(CONNECTED, 5, "B", 33),
    "layer-name-longer-than-payload": rewritten(CONNECTED, struct.pack("<IBBH", 2, 1, 32, 0) + b"connected"),
    "layer-reserved": put(CONNECTED, 6, "H", 1 << 15),
    "layer-name-capital": both(put(CONNECTED, 8, "B", ord("C")), refingerprint(TEXT.replace("connected", "Connected"))),
    "layer-name-nul": put(CONNECTED, 10, "B", 0),
    "layer-name-line-feed": put(CONNECTED, 10, "B", 10),
    "layer-longer": longer(CONVOLUTION),
    "layer-shorter": shorter(CONVOLUTION),
    "layer-empty": rewritten(CONNECTED, b"\0"),
    "array-role": both(put(CONVOLUTION, BIAS, "B", 5), refingerprint(TEXT.replace("1 1x12", "5 1x12"))),
    "array-values": put(CONVOLUTION, BIAS + 1, "B", 3),
    "array-symbols": put(CONVOLUTION, BIAS + 2, "B", 2),
    "array-flag-8": put(CONVOLUTION, BIAS + 3, "B", 8),
    "array-flag-128": put(CONVOLUTION, BIAS + 3, "B", 128),
    "array-rows-0": put(CONVOLUTION, BIAS + 4, "I", 0),
    "array-rows-2-to-31": both(put(CONVOLUTION, FILTER + 4, "I", 1 << 31), PLENTY),
    "array-rows-2-to-32": both(put(CONVOLUTION, FILTER + 4, "I", (1 << 32) - 1), PLENTY),
    "array-columns-0": put(CONVOLUTION, BIAS + 8, "I", 0),
    "array-columns-2-to-31": both(put(CONVOLUTION, BIAS + 8, "I", 1 << 31), PLENTY),
    "array-biases-with-rows": both(put(CONVOLUTION, BIAS + 4, "I", 2), put(CONVOLUTION, BIAS + 8, "I", 6), refingerprint(TEXT.replace("1 1x12", "1 2x6"))),
    "array-biases-transposed": both(put(CONVOLUTION, BIAS + 3, "B", 4), refingerprint(TEXT.replace("1 1x12", "1 12x1"))),
    "tiles-no-rows": put(CONVOLUTION, BIAS + 12, "H", 0),
    "tiles-no-columns": put(CONVOLUTION, BIAS + 14, "H", 0),
    "tiles-rows-that-do-not-divide": alone(writer.Array(WEIGHTS, 4, 6, FEW[:12] + [0] * 12, h=3)),
    "tiles-columns-that-do-not-divide": alone(writer.Array(WEIGHTS, 4, 6, [FEW[i] if i % 6 < 5 else 0 for i in range(24)], w=5)),
    "tiles-larger-than-the-matrix": put(CONVOLUTION, BIAS + 14, "H", 24),
    "tiles-too-large": alone(writer.Array(WEIGHTS, 128, 64, [1] * 8192, h=128, w=64)),
    "tiles-that-overflow": both(PLENTY, put(CONVOLUTION, FILTER + 4, "I", 1 << 15), put(CONVOLUTION, FILTER + 8, "I", 1 << 9), put(CONVOLUTION, FILTER + 12, "H", 1 << 15), put(CONVOLUTION, FILTER + 14, "H", 1 << 9)),
    "live-tiles-one-more": add(CONVOLUTION, FILTER + 16, "Q", 1),
    "live-tiles-one-less": add(CONVOLUTION, FILTER + 16, "Q", -1),
    "live-tiles-three-of-many": put(CONVOLUTION, FILTER + 16, "Q", 3),
    "live-tiles-2-to-28": put(CONVOLUTION, FILTER + 16, "Q", 1 << 28),
    "live-tiles-more-than-places": put(CONVOLUTION, FILTER + 16, "Q", 12 * 18 + 1),
    "live-tiles-2-to-62": put(CONVOLUTION, FILTER + 16, "Q", 1 << 62),
    "live-tiles-2-to-64": put(CONVOLUTION, FILTER + 16, "Q", (1 << 64) - 1),
    "codebook-0": put(CONNECTED, BIAS_2 + 24, "H", 0),
    "codebook-257": put(CONNECTED, BIAS_2 + 24, "H", 257),
    "codebook-longer-than-payload": put(CONNECTED, WEIGHT_2 + 24, "H", 256),
    "codebook-same-twice": put(CONNECTED, BIAS_2 + 30, "I", PALETTE[0]),
    "codebook-falls": put(CONNECTED, BIAS_2 + 26, "I", PALETTE[4]),
    "code-single-with-scale": put(CONVOLUTION, SCALE + 24 + 6, "B", 8),
    "code-single-not-in-codebook": both(put(CONVOLUTION, SCALE + 24 + 7, "B", 1), put(CONVOLUTION, SCALE + 24 + 8, "B", 1)),
    "code-scale-7": put(CONVOLUTION, VARIANCE + 24, "B", 7),
    "code-scale-13": put(CONVOLUTION, VARIANCE + 24, "B", 13),
    "code-scale-0": put(CONVOLUTION, VARIANCE + 24, "B", 0),
    "code-last-before-first": put(CONVOLUTION, VARIANCE + 26, "B", VARIANCE_FIRST - 1),
    "code-last-beyond-codebook": put(CONNECTED, MATRIX_CODES + 2, "B", 5),
    "code-first-does-not-occur": alone(reaching(-1, 0)),
    "code-last-does-not-occur": alone(reaching(0, 1)),
    "code-sum-one-more": add(CONVOLUTION, VARIANCE + 27, "B", 1),
    "code-sum-one-less": add(CONVOLUTION, VARIANCE + 27, "B", -1),
    "code-padding": put(CONNECTED, MATRIX_CODES + 3 + 5, "B", GOOD[CONNECTED][MATRIX_CODES + 3 + 5] | 0x80),
    "live-rows-padding": put(CONVOLUTION, len(GOOD[CONVOLUTION]) - 1, "B", GOOD[CONVOLUTION][-1] | 0x80),
    "live-rows-one-less": put(CONVOLUTION, len(GOOD[CONVOLUTION]) - 2, "B", GOOD[CONVOLUTION][-2] & 0xFE),
    "live-columns-padding": put(CONNECTED, len(GOOD[CONNECTED]) - 1, "B", GOOD[CONNECTED][-1] | 0x80),
    "live-columns-one-more": put(CONNECTED, len(GOOD[CONNECTED]) - 1, "B", GOOD[CONNECTED][-1] | 0x04),
    "chunk-positions": put(FILTERS, 0, "B", 3),
    "chunk-k-32": alone(writer.Array(WEIGHTS, 4, 6, FEW, positions=[GAPS], k=32)),
    "chunk-k-of-bitmap": put(MEANS, 1, "B", 1),
    "chunk-k-of-all": put(BIASES, 1, "B", 1),
    "chunk-reserved": put(FILTERS, 2, "H", 256),
    "chunk-n-one-more": both(add(FILTERS, 4, "I", 1), add(CONVOLUTION, FILTER + 16, "Q", 1)),
    "chunk-n-one-less": both(add(FILTERS, 4, "I", -1), add(CONVOLUTION, FILTER + 16, "Q", -1)),
    "chunk-n-huge": put(FILTERS, 4, "I", (1 << 32) - 1),
    "chunk-all-with-fewer": both(put(BIASES, 4, "I", 11), put(CONVOLUTION, BIAS + 16, "Q", 11), shorter(BIASES, 4)),
    "chunk-bitmap-one-more": put(MEANS, 8, "B", GOOD[MEANS][8] | 2),
    "chunk-bitmap-one-less": put(MEANS, 8, "B", GOOD[MEANS][8] & ~1),
    "chunk-bitmap-cut": both(shorter(MATRIX, len(GOOD[MATRIX]) - 10), put(MATRIX, 4, "I", ONES), put(CONNECTED, WEIGHT_2 + 16, "Q", ONES)),
    "chunk-bitmap-padding": put(MEANS, 9, "B", GOOD[MEANS][9] | 0x80),
    "chunk-gap-out-of-it": rewritten(FILTERS, struct.pack("<BBHI", GAPS, 31, 0, 1) + struct.pack("<Q", 0xFFFFFFFF)),
    "chunk-gap-without-end": rewritten(FILTERS, GOOD[FILTERS][:8] + bytes(100_000)),
    "chunk-gap-of-2-to-50": rewritten(FILTERS, struct.pack("<BBHI", GAPS, 31, 0, 1) + bytes(1 << 16) + b"\xff" * 8),
    "chunk-longer": longer(BIASES),
    "chunk-shorter": shorter(BIASES),
    "chunk-of-a-byte": rewritten(BIASES, b"\0"),
    "chunk-of-its-head": shorter(BIASES, len(GOOD[BIASES]) - 8),
    "values-padding": put(BIASES_2, len(GOOD[BIASES_2]) - 1, "B", GOOD[BIASES_2][-1] | 0x80),
    "values-entry-beyond-codebook": put(BIASES_2, 8, "B", GOOD[BIASES_2][8] | 7),
    "words-cut": shorter(VARIANCES, 2),
    "words-cut-in-two": shorter(VARIANCES, 1),
    "words-one-more": longer(VARIANCES, b"\0\0"),
    "words-half-a-one-more": longer(VARIANCES, b"\0"),
    "words-state-low": put(VARIANCES, STATE, "I", 0xFFFF),
    "words-state-low-that-ends-well": alone(begun_low()),
    "words-state-0": put(VARIANCES, STATE, "I", 0),
    "words-other-state": add(VARIANCES, STATE, "I", 1 << 24),
    "words-missing": shorter(VARIANCES, len(GOOD[VARIANCES]) - STATE),
    "words-of-single-symbol": longer(SCALES, struct.pack("<I", 1 << 16)),
    "file-without-last-chunk": without(MATRIX),
    "file-without-a-chunk": without(SCALES),
    "file-without-a-layer": both(without(MATRIX), without(BIASES_2), without(CONNECTED)),
    "file-with-a-section-more": lambda payloads: payloads.append(GOOD[MATRIX]),
    "file-of-nothing-but-its-header": lambda payloads: payloads.__delitem__(slice(1, None)),
}


def huge(rows, columns, h, w, live_tiles=0, role=WEIGHTS):
    """The head of an array all of whose tile rows are zeros."""
    return struct.pack("<BBBBIIHHQ", role, 0, 0, LIVE_ROWS, rows, columns, h, w, live_tiles) + bytes((rows // h + 7) // 8)


def bomb(arrays, floats, text, header=None):
    """A file of one connected layer with these heads of arrays, and no chunk."""
    payload = struct.pack("<IBBH", 0, len(arrays), 9, 0) + b"connected" + b"".join(arrays)
    return writer.seal([header or struct.pack("<HHiiiQQQII", 1, 0, 0, 2, 5, 0, floats, 0, 1, crc32c(text.encode())), payload])


MOST = (1 << 31) - 1
OTHER = {                       # not the network of the cfg; the first would take up to 2^64 bytes
    "no-layers": writer.seal(writer.payloads_of([])),
    "row": bomb([huge(1, MOST, 1, 1)], MOST, f"0 connected: 0 1x{MOST}\n"),
    "matrix": bomb([huge(1 << 18, MOST, 1 << 12, 1)], MOST << 18, f"0 connected: 0 {1 << 18}x{MOST}\n"),
    "square": bomb([huge(MOST - 4095, MOST, 1 << 12, 1)], (MOST - 4095) * MOST, f"0 connected: 0 {MOST - 4095}x{MOST}\n"),
    "rows": bomb([huge(1, MOST, 1, 1)] * 64, 64 * MOST, f"0 connected: {', '.join([f'0 1x{MOST}'] * 64)}\n"),
    "row-with-the-cfgs-fingerprint": bomb([huge(1, MOST, 1, 1)], 0, "", GOOD[HEADER][:24] + struct.pack("<Q", MOST) + GOOD[HEADER][32:]),
    "row-with-the-cfgs-header": bomb([huge(1, MOST, 1, 1)], 0, "", GOOD[HEADER]),
    "live-tiles": bomb([huge(MOST - 4095, MOST, 1 << 12, 1, 1 << 62)], (MOST - 4095) * MOST, f"0 connected: 0 {MOST - 4095}x{MOST}\n"),
    "matrix-turned": writer.seal(writer.payloads_of([LAYERS[0], (2, "connected", [LAYERS[1][2][0], writer.Array(WEIGHTS, 108, 10, LAYERS[1][2][1].floats, CODEBOOK, coded=True)])])),
    "other-kind": writer.seal(writer.payloads_of([LAYERS[0], (2, "deconvolutional", LAYERS[1][2])])),
    "other-index": writer.seal(writer.payloads_of([LAYERS[0], (1, "connected", LAYERS[1][2])])),
    "beyond-the-last-layer": writer.seal(writer.payloads_of([LAYERS[0], (3, "connected", LAYERS[1][2])])),
    "first-layer-alone": writer.seal(writer.payloads_of([LAYERS[0]])),
}


def lying(name):
    """The same with the cfg's fingerprint, so that it is told by the layers alone."""
    data = bytearray(OTHER[name])
    struct.pack_into("<I", data, 16 + 44, crc32c(TEXT.encode()))
    struct.pack_into("<I", data, 12, crc32c(data[8:12] + data[16:16 + 48]))
    return bytes(data)


def damaged():
    """Name and bytes of every file that breaks a rule."""
    good = writer.seal(GOOD)
    for name, change in RULES.items():
        payloads = [bytearray(payload) for payload in GOOD]
        change(payloads)
        yield name, writer.seal(payloads)
    for length in 0, (1 << 28) + 1, (1 << 32) - 1:
        yield f"section-length-{length}", good[:64] + struct.pack("<I", length) + good[68:]
    yield "file-with-a-byte-more", writer.seal(GOOD) + b"\0"
    payloads = [bytearray(payload) for payload in GOOD]
    struct.pack_into("<Q", payloads[HEADER], 32, len(good) + 1)
    yield "file-with-a-byte-more-told", good[:8] + writer.section(bytes(payloads[HEADER])) + good[64:] + b"\0"
    yield "file-as-text", good.replace(b"\r\n", b"\n")


def save(path, data):
    with open(path, "wb") as file:
        file.write(data)


def refused(name, data):
    try:
        Packed(data)
    except Fault as fault:
        print(f"{name}: {fault}")
        return True
    print(f"{name}: was read", file=sys.stderr)
    return False


def main(folder):
    for part in "rules", "bombs":
        os.makedirs(os.path.join(folder, part))
    good, right = writer.seal(GOOD), True
    save(os.path.join(folder, "good.pweights"), good)
    save(os.path.join(folder, "good.weights"), writer.weights_of(LAYERS, seen=77))
    right &= Packed(good).weights() == writer.weights_of(LAYERS, seen=77)
    for name, data in damaged():
        save(os.path.join(folder, "rules", name + ".pweights"), data)
        right &= refused(name, data)
    for name, data in OTHER.items():
        save(os.path.join(folder, "bombs", name + ".pweights"), data)
        save(os.path.join(folder, "bombs", name + "-lying.pweights"), lying(name))
    for bit in range(0, 8 * len(good), 29):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        right &= refused(f"bit {bit}", bytes(flipped))
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
