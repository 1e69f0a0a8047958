/* codebook.c - few values that many weights share: k-means finds them, SGD goes on with them
 *
 * In one dimension a cluster is a run of the sorted weights, so a round of k-means is a search for the runs' borders and a sum over each run. The sums are over blocks of weights that are
 * added up once, always in the same order and in double: the same input gives the same entries on every machine. Subnormal floats are looked at as whole numbers, because a program
 * linked with -Ofast takes them for 0.
 */
#include "prune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS_MOST = 300, BLOCK = 256, DIGIT = 11, DIGITS = 3 };

/* ----------------------------------------------------------------------------------------------------------- keys -- */

/* Unsigned numbers that are in the order of the floats. */
static uint32_t key_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000;
}

static float float_of(uint32_t key)
{
    uint32_t bits = key >> 31 ? key & 0x7fffffff : ~key;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The float, in double. */
static double widen(uint32_t key)
{
    uint32_t bits = key >> 31 ? key & 0x7fffffff : ~key, size = bits & 0x7fffffff;
    if (size > 0x7fffff) return (double)float_of(key);
    return (bits >> 31 ? -1 : 1) * (double)size * 0x1p-149;
}

static int is_zero(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return !(bits & 0x7fffffff);
}

/* Least significant digit first; `spare` has room for as many. Returns the sorted ones, which are in one of the two. */
static uint32_t *sort(uint32_t *keys, uint32_t *spare, size_t n)
{
    static const uint32_t mask = (1U << DIGIT) - 1;
    for (int digit = 0; digit < DIGITS; digit++) {
        size_t starts[1 << DIGIT] = { 0 }, at = 0;
        int shift = digit * DIGIT;
        for (size_t i = 0; i < n; i++) starts[keys[i] >> shift & mask]++;
        for (size_t d = 0; d <= mask; d++) {
            size_t count = starts[d];
            starts[d] = at;
            at += count;
        }
        for (size_t i = 0; i < n; i++) spare[starts[keys[i] >> shift & mask]++] = keys[i];
        uint32_t *swap = keys;
        keys = spare;
        spare = swap;
    }
    return keys;
}

/* --------------------------------------------------------------------------------------------------------- k-means -- */

struct means {
    const uint32_t *keys;       /* sorted */
    size_t n;
    double *blocks;             /* sum of each whole block of BLOCK */
    int k;
    double centroids[PRUNE_CODEBOOK_MOST];      /* rising */
    size_t starts[PRUNE_CODEBOOK_MOST + 1];     /* cluster j has keys[starts[j]] to keys[starts[j + 1] - 1] */
};

static double sum_of(const struct means *means, size_t from, size_t to)
{
    double sum = 0;
    for (; from < to && from % BLOCK; from++) sum += widen(means->keys[from]);
    for (; from + BLOCK <= to; from += BLOCK) sum += means->blocks[from / BLOCK];
    for (; from < to; from++) sum += widen(means->keys[from]);
    return sum;
}

/* The first key whose float is above `border`, from `low` on. */
static size_t first_above(const struct means *means, size_t low, double border)
{
    size_t high = means->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (widen(means->keys[middle]) > border) high = middle;
        else low = middle + 1;
    }
    return low;
}

/* Every weight goes to the nearest centroid, of two equally near ones to the lower. Returns whether one has changed its cluster. */
static int assign(struct means *means)
{
    int changed = 0;
    for (int j = 1; j < means->k; j++) {
        size_t start = first_above(means, means->starts[j - 1], (means->centroids[j - 1] + means->centroids[j]) / 2);
        changed |= start != means->starts[j];
        means->starts[j] = start;
    }
    return changed;
}

/* A centroid without weights stays where it is: others may come. */
static void centre(struct means *means)
{
    for (int j = 0; j < means->k; j++) {
        size_t from = means->starts[j], to = means->starts[j + 1];
        if (from < to) means->centroids[j] = sum_of(means, from, to) / (double)(to - from);
    }
}

static void settle(struct means *means)
{
    for (int round = 0; round < ROUNDS_MOST && (assign(means) || !round); round++) centre(means);
}

/* What the weights of a cluster are off its centroid, squared and summed. */
static double error_of(const struct means *means, int j)
{
    double sum = 0;
    for (size_t i = means->starts[j]; i < means->starts[j + 1]; i++) {
        double off = widen(means->keys[i]) - means->centroids[j];
        sum += off * off;
    }
    return sum;
}

/* Takes a cluster without weights out. Returns whether there was one. */
static int drop_empty(struct means *means)
{
    for (int j = 0; j < means->k; j++) {
        if (means->starts[j] < means->starts[j + 1]) continue;
        means->k--;
        memmove(&means->centroids[j], &means->centroids[j + 1], (size_t)(means->k - j) * sizeof *means->centroids);
        memmove(&means->starts[j], &means->starts[j + 1], (size_t)(means->k - j + 1) * sizeof *means->starts);
        return 1;
    }
    return 0;
}

/* The cluster with the largest error becomes two: what is above its centroid is one of its own. */
static void split_worst(struct means *means)
{
    int worst = 0;
    double most = -1;
    for (int j = 0; j < means->k; j++) {
        double error = error_of(means, j);
        if (error <= most) continue;
        most = error;
        worst = j;
    }
    size_t border = first_above(means, means->starts[worst], means->centroids[worst]);
    memmove(&means->centroids[worst + 1], &means->centroids[worst], (size_t)(means->k - worst) * sizeof *means->centroids);
    memmove(&means->starts[worst + 1], &means->starts[worst], (size_t)(means->k - worst + 1) * sizeof *means->starts);
    means->starts[worst + 1] = border;
    means->k++;
    centre(means);
}

/* Weights far from all others leave evenly spaced centroids without any; what those would waste goes to where the error is largest. */
static void run(struct means *means, int most)
{
    double smallest = widen(means->keys[0]), largest = widen(means->keys[means->n - 1]);
    means->k = most;
    means->starts[most] = means->n;
    for (int j = 0; j < most; j++) {
        means->centroids[j] = smallest + (largest - smallest) * j / (most - 1);
        if (j) means->starts[j] = means->n;
    }
    settle(means);
    if (!drop_empty(means)) return;
    while (drop_empty(means)) continue;
    while (means->k < most) split_worst(means);
    settle(means);
}

/* Each distinct float is a cluster, if there are no more than `most`. */
static int take_distinct(struct means *means, int most)
{
    means->k = 0;
    for (size_t i = 0; i < means->n; i++) {
        if (i && means->keys[i] == means->keys[i - 1]) continue;
        if (means->k == most) return 0;
        means->starts[means->k++] = i;
    }
    means->starts[means->k] = means->n;
    centre(means);
    return 1;
}

/* The cluster's weight that is nearest to 0; it is not 0 itself. */
static uint32_t nearest_to_zero(const struct means *means, size_t from, size_t to)
{
    size_t positive = first_above(means, from, 0);
    if (positive >= to) return means->keys[to - 1];
    if (positive == from || widen(means->keys[positive]) <= -widen(means->keys[positive - 1])) return means->keys[positive];
    return means->keys[positive - 1];
}

/* A mean as a float: rounded it is still between its cluster's least and largest weight, so that entries rise. 0 would change the mask, and what lies around it is not the same
 * number on every machine. */
static float entry_of_cluster(const struct means *means, int j)
{
    double mean = means->centroids[j];
    return fabs(mean) < 0x1p-126 ? float_of(nearest_to_zero(means, means->starts[j], means->starts[j + 1])) : (float)mean;
}

/* Entries and counts from the clusters that have weights; firsts[e] is the first key of entry e. */
static void take_entries(struct prune_codebook *codebook, const struct means *means, uint32_t *firsts)
{
    for (int j = 0; j < means->k; j++) {
        if (means->starts[j] == means->starts[j + 1]) continue;
        int e = codebook->n_entries++;
        codebook->entries[e] = entry_of_cluster(means, j);
        codebook->counts[e] = (uint32_t)(means->starts[j + 1] - means->starts[j]);
        firsts[e] = means->keys[means->starts[j]];
    }
}

/* ------------------------------------------------------------------------------------------------------------ make -- */

/* The entry whose cluster `key` is in: the last one that begins at or below it. */
static uint8_t entry_of(const uint32_t *firsts, int n, uint32_t key)
{
    int low = 0;
    for (int high = n; high - low > 1;) {
        int middle = (low + high) / 2;
        if (firsts[middle] <= key) low = middle;
        else high = middle;
    }
    return (uint8_t)low;
}

/* Which weights are not 0, and how many. */
static int mark_nonzero(struct prune_codebook *codebook, const float *weights, size_t *n)
{
    for (size_t i = 0; i < codebook->n; i++) {
        if (!isfinite(weights[i])) return PRUNE_ERR_RANGE;
        codebook->nonzero[i] = !is_zero(weights[i]);
        *n += codebook->nonzero[i];
    }
    return PRUNE_OK;
}

/* Clusters of `means->n` weights that are not 0, and the entry of each. */
static int cluster(struct prune_codebook *codebook, struct means *means, const float *weights, int most)
{
    uint32_t firsts[PRUNE_CODEBOOK_MOST];
    uint32_t *keys = malloc((means->n + 1) * sizeof *keys), *spare = malloc((means->n + 1) * sizeof *spare);
    int code = PRUNE_OK;
    means->blocks = calloc(means->n / BLOCK + 1, sizeof *means->blocks);
    if (!keys || !spare || !means->blocks) {
        code = PRUNE_ERR_NOMEM;
        goto done;
    }
    for (size_t i = 0, at = 0; i < codebook->n; i++)
        if (codebook->nonzero[i]) keys[at++] = key_of(weights[i]);
    means->keys = sort(keys, spare, means->n);
    for (size_t i = 0; i < means->n; i++) means->blocks[i / BLOCK] += widen(means->keys[i]);
    if (!take_distinct(means, most)) run(means, most);
    take_entries(codebook, means, firsts);
    for (size_t i = 0; i < codebook->n; i++)
        if (codebook->nonzero[i]) codebook->index[i] = entry_of(firsts, codebook->n_entries, key_of(weights[i]));
done:
    free(keys);
    free(spare);
    free(means->blocks);
    return code;
}

int prune_codebook_make(struct prune_codebook *codebook, const float *weights, size_t n, int most)
{
    *codebook = (struct prune_codebook){ .n = n };
    struct means means = { .k = 0 };
    codebook->index = calloc(n + 1, 1);
    codebook->nonzero = malloc(n + 1);
    codebook->velocity = calloc(PRUNE_CODEBOOK_MOST, sizeof *codebook->velocity);
    int code = codebook->index && codebook->nonzero && codebook->velocity ? PRUNE_OK : PRUNE_ERR_NOMEM;
    if (!code) code = mark_nonzero(codebook, weights, &means.n);
    if (!code && means.n) code = cluster(codebook, &means, weights, most);
    if (code == PRUNE_ERR_NOMEM) prune_fail(code, "out of memory for a codebook of %zu weights", n);
    if (code) prune_codebook_free(codebook);
    return code;
}

void prune_codebook_free(struct prune_codebook *codebook)
{
    free(codebook->velocity);
    free(codebook->index);
    free(codebook->nonzero);
    *codebook = (struct prune_codebook){ 0 };
}

/* ------------------------------------------------------------------------------------------------------------- use -- */

void prune_codebook_apply(const struct prune_codebook *codebook, float *weights)
{
    for (size_t i = 0; i < codebook->n; i++) weights[i] = codebook->nonzero[i] ? codebook->entries[codebook->index[i]] : 0;
}

/* Where entry j may go: no further than half-way to its neighbours, and not onto the lower half-way point, where the lower one may be. */
static float between(const float *entries, int n, int j, double wanted)
{
    double low = j ? ((double)entries[j - 1] + (double)entries[j]) / 2 : -INFINITY, high = j + 1 < n ? ((double)entries[j] + (double)entries[j + 1]) / 2 : INFINITY;
    float next = (float)wanted;
    if ((double)next > high) {
        next = (float)high;
        if ((double)next > high) next = nextafterf(next, -INFINITY);
    }
    if ((double)next <= low) {
        next = (float)low;
        if ((double)next <= low) next = nextafterf(next, INFINITY);
    }
    return isfinite(next) && next != 0 ? next : entries[j];
}

void prune_codebook_step(struct prune_codebook *codebook, float *weights, float *updates, float rate, float momentum, int batch)
{
    double sums[PRUNE_CODEBOOK_MOST] = { 0 };
    float next[PRUNE_CODEBOOK_MOST];
    for (size_t i = 0; i < codebook->n; i++)
        if (codebook->nonzero[i]) sums[codebook->index[i]] += (double)updates[i];
    for (int j = 0; j < codebook->n_entries; j++) {
        float *velocity = &codebook->velocity[j];
        double wanted;
        *velocity = (float)((double)momentum * (double)*velocity + sums[j] / codebook->counts[j] / batch);
        wanted = (double)codebook->entries[j] + (double)rate * (double)*velocity;
        next[j] = between(codebook->entries, codebook->n_entries, j, wanted);
        if (!(fabs((double)next[j] - wanted) <= fabs(wanted) * 0x1p-20)) *velocity = 0;     /* it met its border, or is no number: what drove it there is spent */
    }
    memcpy(codebook->entries, next, (size_t)codebook->n_entries * sizeof *next);
    memset(updates, 0, codebook->n * sizeof *updates);
    prune_codebook_apply(codebook, weights);
}
