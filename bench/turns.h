/* turns.h - the side of a timed program: what is compared takes turns, so that all meet the same good and bad moments of the machine
 *
 * A program makes itself ready and calls take_turns; sparse-turns starts several such programs and asks each in its turn. The words go over stdin and stdout,
 * in lines that begin with "turns:"; what else a library prints there does not matter.
 */
#ifndef TURNS_H
#define TURNS_H

#include "timing.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURNS_READY "turns: ready"
#define TURNS_TIMES "turns: ms"

/* Predictions longer than this find little of use in the caches, whoever ran before. */
#define TURNS_SHORT_MS 100

/* Answers each line "<least> <ms>" with the times of at least `least` predictions that take at least `ms` milliseconds together. `before`, if not NULL, comes before
 * every prediction and is not timed. */
static inline int take_turns(void (*predict)(void *), void (*before)(void *), void *context)
{
    char line[64];
    double last = 0;
    for (int i = 0; i < 2; i++) {               /* the first sets things up: memory, plans, threads */
        double start = milliseconds();
        predict(context);
        last = milliseconds() - start;
    }
    printf("\n" TURNS_READY "\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        int least = 1;
        double ms = 0, sum = 0;
        if (sscanf(line, "%d %lf", &least, &ms) != 2) return 1;
        if (last < TURNS_SHORT_MS && !before) predict(context);        /* the caches hold what others left */
        printf("\n" TURNS_TIMES);
        for (int i = 0; i < least || sum < ms; i++) {
            if (before) before(context);
            double start = milliseconds();
            predict(context);
            last = milliseconds() - start;
            sum += last;
            printf(" %.5f", last);
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}

enum { TURNS_FLUSH_BYTES = 256 << 20, TURNS_LINE = 64 };

static inline void *turns_read(void *memory)
{
    const volatile char *bytes = (const volatile char *)memory;
    char sum = 0;
    for (size_t i = 0; i < TURNS_FLUSH_BYTES; i += TURNS_LINE) sum = (char)(sum + bytes[i]);
    return sum ? memory : NULL;
}

/* Reads 256 MB on each of `threads` processors, so that weights come from memory afterwards. */
static inline void flush_caches(int threads)
{
    enum { MOST = 64 };
    static char *memory;
    pthread_t helpers[MOST];
    int n = 0;
    if (!memory && (memory = (char *)malloc(TURNS_FLUSH_BYTES))) memset(memory, 1, TURNS_FLUSH_BYTES);
    if (!memory) exit(1);
    while (n < threads - 1 && n < MOST && !pthread_create(&helpers[n], NULL, turns_read, memory)) n++;
    turns_read(memory);
    while (n) pthread_join(helpers[--n], NULL);
}

#endif
