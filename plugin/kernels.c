/* kernels.c - which instruction set's kernels run: what is compiled in, what the CPU and the system have, and what DARKNET_CPU leaves on
 *
 * In: the CPU, the environment variable DARKNET_CPU when it is first asked for. Out: a table of kernels, or none.
 */
#include "kernels.h"
#include "prune.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct prune_kernels *const compiled[] = {     /* the best first */
#if defined(__x86_64__)
    &prune_kernels_avx512, &prune_kernels_avx2,
#elif defined(__aarch64__)
    &prune_kernels_neon,
#endif
    NULL
};

static pthread_once_t looked = PTHREAD_ONCE_INIT;
static unsigned usable;         /* bit i: compiled[i] */

/* The builtin asks the system too: whether it saves the registers. */
static int cpu_has(const char *name)
{
#if defined(__x86_64__)
    if (!strcmp(name, "avx512") && !(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))) return 0;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return name != NULL;        /* every 64-bit ARM has NEON */
#endif
}

static int is_word(const char *word, size_t length, const char *name)
{
    return length == strlen(name) + 1 && word[0] == '-' && !strncmp(word + 1, name, length - 1);
}

static void look(void)
{
    const char *word = getenv("DARKNET_CPU");
    for (int i = 0; compiled[i]; i++) usable |= (unsigned)cpu_has(compiled[i]->name) << i;
    while (word && *(word += strspn(word, ", "))) {
        size_t length = strcspn(word, ", ");
        int known = is_word(word, length, "avx512") || is_word(word, length, "avx2") || is_word(word, length, "neon");     /* another machine's is no mistake */
        if (!known) prune_note("DARKNET_CPU: '%.*s' is not one of -avx512, -avx2, -neon; it is passed over", (int)(length < 64 ? length : 64), word);
        for (int i = 0; compiled[i]; i++)
            if (is_word(word, length, compiled[i]->name)) usable &= ~(1U << i);
        word += length;
    }
}

const struct prune_kernels *prune_kernels_best(void)
{
    pthread_once(&looked, look);
    for (int i = 0; compiled[i]; i++)
        if (usable >> i & 1) return compiled[i];
    return NULL;
}

const struct prune_kernels *prune_kernels_named(const char *name)
{
    pthread_once(&looked, look);
    for (int i = 0; compiled[i]; i++)
        if (!strcmp(compiled[i]->name, name)) return usable >> i & 1 ? compiled[i] : NULL;
    return NULL;
}
