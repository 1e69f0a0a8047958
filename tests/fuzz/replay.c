/* replay.c - runs a fuzz target without libFuzzer: every file that is given, and so many mutations of each, the same every time
 *
 * replay <mutations> <file> ...: prints how many inputs were run. A finding ends it, by abort or a sanitizer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { MOST = 1 << 16 };

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;             /* Marsaglia, 2003 */
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* Changes, doubles or drops a few bytes: to digits by preference, which are what a cfg is made of, and single bits, which are what other files are made of. */
static size_t mutate(uint8_t *to, const uint8_t *from, size_t n, uint64_t *random)
{
    static const char likely[] = "0123456789-,=#[]\n. ";
    memcpy(to, from, n);
    for (uint64_t changes = 1 + next_random(random) % 4; changes > 0 && n > 1; changes--) {
        size_t at = next_random(random) % n, length = 1 + next_random(random) % 24;
        if (at + length > n) length = n - at;
        switch (next_random(random) % 5) {
        case 0:
            to[at] = (uint8_t)likely[next_random(random) % (sizeof likely - 1)];
            break;
        case 1:
            to[at] = (uint8_t)next_random(random);
            break;
        case 2:
            memmove(to + at, to + at + length, n - at - length);
            n -= length;
            break;
        case 3:
            to[at] ^= (uint8_t)(1U << next_random(random) % 8);
            break;
        default:
            if (n + length > MOST) break;
            memmove(to + at + length, to + at, n - at);
            n += length;
        }
    }
    return n;
}

int main(int argc, char **argv)
{
    static uint8_t seed[MOST], input[MOST];
    uint64_t random = 88172645463325252U;
    long mutations = argc > 1 ? strtol(argv[1], NULL, 10) : 0, run = 0;
    if (!freopen("/dev/null", "w", stderr)) return 2;   /* fault lines, by the thousand; sanitizers write to log_path */
    for (int i = 2; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) return 2;
        size_t n = fread(seed, 1, MOST, file);
        fclose(file);
        LLVMFuzzerTestOneInput(seed, n);
        run++;
        for (long m = 0; m < mutations; m++, run++) LLVMFuzzerTestOneInput(input, mutate(input, seed, n, &random));
    }
    printf("%ld inputs\n", run);
    return run > 0 ? 0 : 2;
}
