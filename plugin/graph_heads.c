/* graph_heads.c - the layers that end a network, or a branch of it, and fix how many channels they read
 *
 * In: the keys of one section and the shape before it. Out: struct prune_layer. After the parse_* and make_* functions of Darknet's src (pjreddie
 * 61c9d02e; AlexeyAB 59596d7 for Gaussian_yolo and contrastive), which check some of this with an assert and some not at all.
 */
#include "graph_layer.h"

#include <limits.h>
#include <stdlib.h>

/* The last convolution of a detector must have exactly the filters that its head reads. */
static int head_fits(struct prune_layer *layer, int64_t needed, const char *formula)
{
    int code = prune_layer_needs_image(layer);
    prune_layer_same_shape(layer);
    if (code || needed == layer->node->c) return code;
    return FAIL(layer, PRUNE_ERR_SHAPE, NULL, "needs %lld channels (%s) and gets %d", (long long)needed, formula, layer->node->c);
}

/* anchors=, when given, must be pairs for all of num: fewer leaves boxes of half a pixel behind, more writes past Darknet's array. AlexeyAB's takes
 * what it has room for, but not in a [Gaussian_yolo]. */
static int anchors_fit(struct prune_layer *layer, int num)
{
    static const char fault[] = "anchors= has %d numbers; num=%d needs %lld";
    double *anchors;
    int n, code = prune_cfg_list(layer->cfg, layer->section, "anchors", 0, &anchors, &n);
    int64_t given = anchors ? n : 2 * (int64_t)num;
    free(anchors);
    if (code || given == 2 * (int64_t)num) return code;
    if (given > 2 * (int64_t)num && layer->node->kind == PRUNE_GAUSSIAN_YOLO) return FAIL(layer, PRUNE_ERR_SHAPE, "anchors", fault, n, num, 2LL * num);
    return FOREIGN(layer, PRUNE_ERR_SHAPE, "anchors", fault, n, num, 2LL * num);
}

/* Room for so many boxes in an image. This Darknet has `room`, whatever max says. */
static int boxes(struct prune_layer *layer, int room)
{
    int max, code = prune_layer_whole(layer, "max", room, 1, INT_MAX, &max);
    if (code || max <= room) return code;
    return FOREIGN(layer, PRUNE_ERR_RANGE, "max", "max=%d: must be at most %d", max, room);
}

/* The layer whose numbers a tracker compares (AlexeyAB); -1 without. */
static int embedding(struct prune_layer *layer, const struct prune_section *section, int *at)
{
    int written, code;
    *at = -1;
    if (!prune_cfg_find(section, "embedding_layer")) return PRUNE_OK;
    if ((code = prune_cfg_int(layer->cfg, section, "embedding_layer", 0, &written))) return code;
    return prune_layer_earlier(layer, "embedding_layer", written, at);
}

/* yolo and Gaussian_yolo: mask= picks some of num anchors. AlexeyAB's counts them only when it makes boxes, and its own cspx-p7-mish.cfg has more. */
static int masked(struct prune_layer *layer, int room, int numbers, const char *formula)
{
    int classes, num, n, code;
    double *mask;
    if ((code = prune_layer_whole(layer, "classes", 20, 1, INT_MAX, &classes))) return code;
    if ((code = prune_layer_size(layer, "num", &num))) return code;
    if ((code = boxes(layer, room))) return code;
    if ((code = prune_cfg_list(layer->cfg, layer->section, "mask", 1, &mask, &n))) return code;
    for (int i = 0; i < n && !code; i++) {
        if (mask[i] >= 0 && (mask[i] < num || prune_graph_is_foreign(layer->graph, layer->section))) continue;
        code = FAIL(layer, PRUNE_ERR_RANGE, "mask", "mask= has %.0f; must be an anchor, 0 to %d (num=%d)", mask[i], num - 1, num);
    }
    int used = mask ? n : num;
    free(mask);
    if (code) return code;
    if ((code = anchors_fit(layer, num))) return code;
    layer->node->filters = used;                /* for a [contrastive] that shares the boxes */
    return head_fits(layer, times(used, (int64_t)classes + numbers), formula);
}

int prune_layer_yolo(struct prune_layer *layer)
{
    int at, code;
    if (layer->node->kind == PRUNE_GAUSSIAN_YOLO) return masked(layer, INT_MAX, 9, "anchors in mask * (classes + 9)");
    if (layer->graph->dialect != PRUNE_THIS_DARKNET && (code = embedding(layer, layer->section, &at))) return code;
    return masked(layer, 90, 5, "anchors in mask * (classes + 5)");
}

int prune_layer_region(struct prune_layer *layer)
{
    int classes, num, coords, code;
    if ((code = prune_layer_whole(layer, "classes", 20, 1, INT_MAX, &classes))) return code;
    if ((code = prune_layer_whole(layer, "coords", 4, 1, INT_MAX, &coords))) return code;
    if ((code = prune_layer_size(layer, "num", &num))) return code;
    if ((code = boxes(layer, 30))) return code;
    if ((code = anchors_fit(layer, num))) return code;
    return head_fits(layer, times(num, (int64_t)classes + coords + 1), "num * (classes + coords + 1)");
}

int prune_layer_iseg(struct prune_layer *layer)
{
    int classes, ids, code;
    if ((code = prune_layer_whole(layer, "classes", 20, 1, INT_MAX, &classes))) return code;
    if ((code = prune_layer_whole(layer, "ids", 32, 0, INT_MAX, &ids))) return code;
    return head_fits(layer, (int64_t)classes + ids, "classes + ids");
}

int prune_layer_detection(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int classes, coords, num, side, code;
    if ((code = prune_layer_size(layer, "classes", &classes))) return code;
    if ((code = prune_layer_size(layer, "coords", &coords))) return code;
    if ((code = prune_layer_size(layer, "num", &num))) return code;
    if ((code = prune_layer_whole(layer, "side", 7, 1, INT_MAX, &side))) return code;
    layer->outputs = (int64_t)node->inputs;
    int64_t needed = times3(side, side, plus(times((int64_t)coords + 1, num), classes));
    if (needed == layer->outputs) return PRUNE_OK;
    return FAIL(layer, PRUNE_ERR_SHAPE, NULL, "needs %lld inputs (side * side * (num * (coords + 1) + classes)) and gets %zu", (long long)needed, node->inputs);
}

/* Compares what an earlier [yolo] tracks: as many numbers for each of its boxes as its embedding_layer has filters. */
int prune_layer_contrastive(struct prune_layer *layer)
{
    const struct prune_node *node = layer->node, *yolo = NULL;
    int written, at, tracked, code;
    layer->outputs = (int64_t)node->inputs;
    if ((code = prune_layer_needs_image(layer))) return code;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "yolo_layer", 0, &written))) return code;
    if (written && (code = prune_layer_earlier(layer, "yolo_layer", written, &at))) return code;
    if (written) yolo = &layer->graph->nodes[at];
    if (!yolo || yolo->kind != PRUNE_YOLO) return FAIL(layer, PRUNE_ERR_SHAPE, "yolo_layer", "yolo_layer=%d: must be an earlier [yolo]", written);
    struct prune_layer head = { .cfg = layer->cfg, .section = yolo->section, .graph = layer->graph, .index = at };
    if ((code = embedding(&head, yolo->section, &tracked))) return code;
    int filters = tracked < 0 ? 0 : layer->graph->nodes[tracked].filters;
    if (node->c / yolo->filters == filters / yolo->filters) return PRUNE_OK;
    return FAIL(layer, PRUNE_ERR_SHAPE, "yolo_layer", "reads %d channels for the %d anchors of layer %d, whose embedding_layer has %d", node->c, yolo->filters, at,
                filters);
}
