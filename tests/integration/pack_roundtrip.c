/* pack_roundtrip.c - a network of a cfg with random weights, packed and streamed back: the same bytes
 *
 * pack_roundtrip <cfg> <scratch file> <seed>: every array gets a sparsity of its own, from 0 to 100 %, some with empty rows or columns, and now and then a NaN with a payload, an infinity, a
 * negative zero or a denormal. Prints the network's floats and the bytes of the packed file.
 */
#include "prune.h"

#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;               /* Marsaglia, 2003 */
    state ^= state >> 7;
    return state ^= state << 17;
}

/* An array's weights: a quarter of the arrays has no zeros or only zeros, half of the others dead rows or columns. */
static void draw(float *floats, const struct prune_part *part)
{
    static const uint32_t odd[] = { 0x80000000, 0x7fc00001, 0xff812345, 0x7f800000, 0xff800000, 1 };
    uint64_t kind = next_random() % 8, threshold = kind == 0 ? 0 : kind == 1 ? 1 << 16 : next_random() % (1 << 16);
    uint64_t dead_row = kind > 4 ? 2 + next_random() % 6 : 0, dead_column = kind > 5 ? 2 + next_random() % 6 : 0;
    for (uint32_t r = 0; r < part->rows; r++) {
        for (uint32_t c = 0; c < part->columns; c++) {
            uint64_t random = next_random();
            uint32_t bits = (uint32_t)(random >> 32) & 0x81ffffff;
            bits |= UINT32_C(0x3c000000);
            if ((random & 0xfffff) == 0) bits = odd[random >> 20 & 3 ? random >> 22 & 3 : 4 + (random >> 22 & 1)];
            int zero = (random >> 4 & 0xffff) < threshold || (dead_row && r % dead_row == 0) || (dead_column && c % dead_column == 0);
            if (zero) bits = 0;
            memcpy(&floats[(size_t)r * part->columns + c], &bits, sizeof bits);
        }
    }
}

static int read_back(const char *path, const struct prune_weights *weights)
{
    static uint8_t buffer[1 << 20];
    struct prune_unpacking unpacking;
    size_t used = 0, bytes = 4 * weights->n_floats;
    uint8_t header[20];
    const int32_t version[] = { weights->major, weights->minor, weights->revision };
    memcpy(header, version, 12);
    memcpy(header + 12, &weights->seen, 8);
    if (prune_unpack_open(&unpacking, path)) return 1;
    long got = prune_unpack_read(&unpacking, buffer, 20);
    int wrong = got != 20 || memcmp(buffer, header, 20) != 0;
    while (!wrong && (got = prune_unpack_read(&unpacking, buffer, sizeof buffer)) > 0) {
        wrong = used + (size_t)got > bytes || memcmp((const char *)weights->floats + used, buffer, (size_t)got) != 0;
        used += (size_t)got;
    }
    prune_unpack_close(&unpacking);
    if (wrong || got < 0 || used != bytes) return fprintf(stderr, "differs before byte %zu of %zu\n", used, bytes), 1;
    return 0;
}

int main(int argc, char **argv)
{
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights = { .minor = 2, .revision = 5, .header_bytes = 20, .raw = 1 };
    if (argc != 4 || prune_cfg_read(&cfg, argv[1]) || prune_graph_build(&graph, &cfg, PRUNE_THIS_DARKNET)) return 2;
    state = strtoull(argv[3], NULL, 10) * 0x9E3779B97F4A7C15U + 88172645463325252U;
    weights.seen = next_random();
    for (int i = 0; i < graph.n_nodes; i++) weights.n_floats += graph.nodes[i].n_floats;
    weights.floats = malloc(weights.n_floats * sizeof(float));
    if (!weights.floats) return 2;
    float *at = weights.floats;
    for (int i = 0; i < graph.n_nodes; i++) {
        struct prune_part parts[PRUNE_PARTS_MOST];
        int n = prune_weights_parts(&graph, &weights, i, parts);
        for (int p = 0; p < n; p++) {
            draw(at, &parts[p]);
            at += (size_t)parts[p].rows * parts[p].columns;
        }
    }
    if (at != weights.floats + weights.n_floats) return fprintf(stderr, "the parts have other floats than the layers\n"), 1;
    FILE *out = fopen(argv[2], "wb");
    if (!out || prune_pack_write(out, "packed", &graph, &weights, NULL) || fseek(out, 0, SEEK_END)) return 1;
    long bytes = ftell(out);
    if (fclose(out)) return 1;
    printf("%zu floats, packed in %ld bytes\n", weights.n_floats, bytes);
    return read_back(argv[2], &weights);
}
