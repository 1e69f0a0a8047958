/* bench/pack.c - packed weights: synthetic networks, sizes against their limits, and how fast they are packed and loaded
 *
 *   pack make <cfg> <weights> <sparsity> <first>
 *                                          normally distributed weights, the smallest by size 0 in layers from `first` on; deviation sqrt(2 / inputs), as Darknet starts them
 *   pack size <cfg> <weights>              prints bytes and limit of the packed file; bytes and limit of the positions alone
 *   pack bitmap <cfg> <weights>            writes a bit for each weight, layer by layer: 1 where it is not 0
 *   pack load <cfg> <weights> <pweights> <times>
 *                                          prints medians in ms: Darknet's load_weights of the dense file into a network that is there; its load_network (cfg and dense file); the sparse
 *                                          form of the packed file
 *   pack sparse <pweights>                 prints the sparse form's bytes and the most memory that loading it took
 */
#include <darknet.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "prune.h"
#include "timing.h"

static int open_graph(struct prune_cfg *cfg, struct prune_graph *graph, const char *path)
{
    return prune_cfg_read(cfg, path) || prune_graph_build(graph, cfg, PRUNE_THIS_DARKNET);
}

static uint64_t state = 88172645463325252U;

static double uniform(void)
{
    state ^= state << 13;               /* Marsaglia, 2003 */
    state ^= state >> 7;
    state ^= state << 17;
    return ((double)(state >> 11) + .5) * 0x1p-53;
}

/* Box and Muller, 1958. */
static float normal(void)
{
    return (float)(sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform()));
}

/* The size below which a share of a normal distribution of deviation 1 lies: bisection of erf. */
static double threshold(double share)
{
    double low = 0, high = 10;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (erf(middle / sqrt(2)) < share) low = middle;
        else high = middle;
    }
    return low;
}

static int make(const char *cfg_path, const char *path, double sparsity, int first)
{
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights version = { .minor = 2, .raw = 1 };
    const int32_t header[5] = { 0, 2, 0 };
    double bar = threshold(sparsity);
    FILE *out = fopen(path, "wb");
    if (!out || open_graph(&cfg, &graph, cfg_path) || fwrite(header, 1, 20, out) != 20) return 1;
    for (int i = 0; i < graph.n_nodes; i++) {
        struct prune_part parts[PRUNE_PARTS_MOST];
        int n = prune_weights_parts(&graph, &version, i, parts);
        for (int p = 0; p < n; p++) {
            int prunable = parts[p].role == PRUNE_PART_WEIGHTS && i >= first;
            float deviation = sqrtf(2.F / (float)parts[p].columns);
            for (size_t k = 0; k < (size_t)parts[p].rows * parts[p].columns; k++) {
                float x = normal();
                x = prunable && fabsf(x) < (float)bar ? 0 : x * deviation;
                if (fwrite(&x, sizeof x, 1, out) != 1) return 1;
            }
        }
    }
    return fclose(out) != 0;
}

static int size(const char *cfg_path, const char *path)
{
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    if (open_graph(&cfg, &graph, cfg_path) || prune_weights_read_raw(&weights, &graph, path)) return 1;
    struct prune_packed_size *sizes = calloc((size_t)graph.n_nodes, sizeof *sizes), all = { 0 };
    FILE *out = tmpfile();
    if (!sizes || !out || prune_pack_write(out, "packed", &graph, &weights, sizes)) return 1;
    fseek(out, 0, SEEK_END);
    for (int i = 0; i < graph.n_nodes; i++) {
        all.positions += sizes[i].positions;
        all.positions_limit += sizes[i].positions_limit;
        all.values_limit += sizes[i].values_limit;
    }
    printf("%ld %.0f %.0f %.0f\n", ftell(out), (all.positions_limit + all.values_limit) / 8, (double)all.positions / 8, all.positions_limit / 8);
    return 0;
}

static int bitmap(const char *cfg_path, const char *path)
{
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    if (open_graph(&cfg, &graph, cfg_path) || prune_weights_read(&weights, &graph, path)) return 1;
    unsigned byte = 0, used = 0;
    for (int i = 0; i < graph.n_nodes; i++) {
        for (size_t k = 0; weights.weights[i] && k < graph.nodes[i].n_weights; k++) {
            byte |= (unsigned)(weights.weights[i][k] != 0) << used;
            if (++used < 8) continue;
            putchar((int)byte);
            byte = used = 0;
        }
    }
    if (used) putchar((int)byte);
    return ferror(stdout) != 0;
}

/* Every array in its sparse form, kept until all are there, as an inference engine would. Returns bytes, 0: fault. */
static size_t load_sparse(const char *path)
{
    static struct prune_sparse kept[4096];
    struct prune_packed packed;
    size_t bytes = 0;
    int n = 0, more, bad = prune_packed_open(&packed, path);
    while (!bad && (more = prune_packed_next(&packed)) != 0) {
        bad = more < 0;
        for (int i = 0; !bad && i < packed.n_arrays; i++, n++) {
            bad = prune_packed_sparse(&packed, &kept[n]);
            bytes += kept[n].n_tiles * (4 + 4 * (size_t)kept[n].tile_rows * kept[n].tile_columns) + (kept[n].rows / kept[n].tile_rows + 1) * sizeof(size_t);
        }
    }
    prune_packed_close(&packed);
    while (n-- > 0) prune_sparse_free(&kept[n]);
    return bad ? 0 : bytes;
}

static int load(char *cfg_path, char *path, const char *packed, int times)
{
    double *dense = calloc((size_t)times, sizeof *dense), *whole = calloc((size_t)times, sizeof *whole), *sparse = calloc((size_t)times, sizeof *sparse);
    if (!dense || !whole || !sparse || !load_sparse(packed)) return 1;     /* and once to warm up */
    for (int i = 0; i < times; i++) {
        double start = milliseconds();
        network *net = load_network(cfg_path, path, 0);
        whole[i] = milliseconds() - start;
        start = milliseconds();
        load_weights(net, path);
        dense[i] = milliseconds() - start;
        free_network(net);
        start = milliseconds();
        if (!load_sparse(packed)) return 1;
        sparse[i] = milliseconds() - start;
    }
    printf("%.1f %.1f %.1f\n", median(dense, times), median(whole, times), median(sparse, times));
    return 0;
}

int main(int argc, char **argv)
{
    struct rusage before, after;
    if (argc == 6 && !strcmp(argv[1], "make")) return make(argv[2], argv[3], atof(argv[4]), atoi(argv[5]));
    if (argc == 4 && !strcmp(argv[1], "size")) return size(argv[2], argv[3]);
    if (argc == 4 && !strcmp(argv[1], "bitmap")) return bitmap(argv[2], argv[3]);
    if (argc == 6 && !strcmp(argv[1], "load")) return load(argv[2], argv[3], argv[4], atoi(argv[5]));
    if (argc != 3 || strcmp(argv[1], "sparse")) return 2;
    getrusage(RUSAGE_SELF, &before);
    size_t bytes = load_sparse(argv[2]);
    getrusage(RUSAGE_SELF, &after);
    printf("%zu %ld\n", bytes, (after.ru_maxrss - before.ru_maxrss) * 1024);
    return bytes == 0;
}
