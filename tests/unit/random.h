/* random.h - repeatable random numbers, and a stderr that can be listened to, for the unit tests */
#ifndef TEST_RANDOM_H
#define TEST_RANDOM_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t random_state;

static inline void random_seed(uint64_t seed) { random_state = seed * 0x9E3779B97F4A7C15U + 1; }

static inline uint64_t random_bits(void)        /* splitmix64 */
{
    uint64_t z = random_state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static inline size_t random_below(size_t n) { return (size_t)(random_bits() % n); }
static inline double random_unit(void) { return (double)(random_bits() >> 11) * 0x1p-53; }   /* [0,1) */

static inline float random_bell(void)           /* mean 0, deviation 1, nearly normal */
{
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += random_unit();
    return (float)sum;
}

/* Between hush() and heard() what goes to stderr is caught. No assertion may stand between them: it would not be seen. */
static int hush_saved = -1;
static FILE *hush_file;

static inline void hush(void)
{
    fflush(stderr);
    hush_saved = dup(2);
    hush_file = tmpfile();
    if (hush_saved >= 0 && hush_file) dup2(fileno(hush_file), 2);
}

/* The number of lines since hush(); the text (its beginning) in `text` if that is not NULL. */
static inline int heard(char *text, size_t bytes)
{
    fflush(stderr);
    dup2(hush_saved, 2);
    close(hush_saved);
    int lines = 0, c;
    size_t used = 0;
    rewind(hush_file);
    while ((c = getc(hush_file)) != EOF) {
        lines += c == '\n';
        if (text && used + 1 < bytes) text[used++] = (char)c;
    }
    if (text) text[used] = '\0';
    fclose(hush_file);
    return lines;
}

#endif
