// sparse-ncnn.cpp - one network in ncnn, timed in turns with others (turns.h)
//
// sparse-ncnn <cfg> <threads> [packed]: batch 1, random weights: its speed does not depend on them. Batch-norm is folded and activations fused, as its converters do. With
// "packed", inputs and outputs are in ncnn's own layout, as inside of a network: for layers that are timed alone. Status 3: ncnn has no such layer.
#include "prune.h"
#include "turns.h"

#include <algorithm>
#include <ncnn/cpu.h>
#include <ncnn/datareader.h>
#include <ncnn/net.h>
#include <string>
#include <vector>

// As small as weights are, and never denormal.
class random_numbers : public ncnn::DataReader
{
public:
    size_t read(void *buffer, size_t bytes) const override
    {
        if (bytes == sizeof(uint32_t)) {        // the tag in front of weights: plain floats
            memset(buffer, 0, bytes);
            return bytes;
        }
        for (size_t i = 0; i < bytes / sizeof(float); i++) {
            state = state * 1664525U + 1013904223U;
            ((float *)buffer)[i] = ((float)(state >> 8) / (float)(1 << 24) - .5F) / 16;
        }
        return bytes;
    }

private:
    mutable uint32_t state = 1;
};

struct builder {
    const prune_graph *graph;
    std::vector<int> uses, used;                // by node + 1: how many layers read it, and how many have been given it
    std::string layers;
    int n_layers, n_blobs;
};

// The node whose output a node's output is: some layers only pass it on. -1 is the network's input.
static int source(const prune_graph *graph, int i)
{
    while (i >= 0) {
        const prune_node *node = &graph->nodes[i];
        if (node->kind == PRUNE_ROUTE && node->n_from == 1 && node->groups <= 1) i = node->from[0];
        else if (node->kind == PRUNE_DROPOUT || node->kind == PRUNE_COST || node->kind == PRUNE_YOLO) i--;
        else break;
    }
    return i;
}

static std::vector<int> inputs_of(const prune_graph *graph, int i)
{
    const prune_node *node = &graph->nodes[i];
    std::vector<int> from;
    if (node->kind != PRUNE_ROUTE) from.push_back(source(graph, i - 1));
    for (int k = 0; k < node->n_from; k++) from.push_back(source(graph, node->from[k]));
    return from;
}

static std::string blob(int i) { return "b" + std::to_string(i + 1); }

// A blob that several layers read has a name for each.
static std::string next_blob(builder &net, int i)
{
    return net.uses[i + 1] > 1 ? blob(i) + "_" + std::to_string(net.used[i + 1]++) : blob(i);
}

static void add(builder &net, const char *type, const std::vector<int> &from, int i, const std::string &params)
{
    int uses = net.uses[i + 1];
    net.layers += std::string(type) + " " + type + std::to_string(i + 1) + " " + std::to_string(from.size()) + " 1";
    for (int input : from) net.layers += " " + next_blob(net, input);
    net.layers += " " + blob(i) + params + "\n";
    net.n_layers++, net.n_blobs++;
    if (uses < 2) return;
    net.layers += "Split split" + std::to_string(i + 1) + " 1 " + std::to_string(uses) + " " + blob(i);
    for (int k = 0; k < uses; k++) net.layers += " " + blob(i) + "_" + std::to_string(k);
    net.layers += "\n";
    net.n_layers++, net.n_blobs += uses;
}

static std::string param(int key, long value) { return " " + std::to_string(key) + "=" + std::to_string(value); }

static bool activation(const prune_node *node, std::string &params)
{
    switch (node->activation) {
    case PRUNE_LINEAR_ACTIVATION: return true;
    case PRUNE_RELU: params += " 9=1"; return true;
    case PRUNE_LEAKY: params += " 9=2 -23310=1,0.1"; return true;
    case PRUNE_LOGISTIC_ACTIVATION: params += " 9=4"; return true;
    case PRUNE_MISH: params += " 9=5"; return true;
    default: return false;
    }
}

// Darknet's windows begin pad/2 before the input and may end behind it.
static std::string pooling(const prune_node *node)
{
    int before = node->pad / 2;
    int right = std::max(0, (node->out_w - 1) * node->stride + node->size - node->w - before);
    int bottom = std::max(0, (node->out_h - 1) * node->stride + node->size - node->h - before);
    return " 0=0" + param(1, node->size) + param(2, node->stride) + param(3, before) + param(13, before) + param(14, right) + param(15, bottom) + " 5=1";
}

// False: ncnn has no layer that does the same.
static bool add_node(builder &net, int i)
{
    const prune_node *node = &net.graph->nodes[i];
    std::vector<int> from = inputs_of(net.graph, i);
    std::string params;
    switch (node->kind) {
    case PRUNE_CONVOLUTIONAL:
        params = param(0, node->filters) + param(1, node->size) + param(3, node->stride) + param(4, node->pad) + " 5=1" + param(6, (long)node->n_weights);
        if (node->groups != 1 || !activation(node, params)) return false;
        add(net, "Convolution", from, i, params);
        return true;
    case PRUNE_CONNECTED:
        params = param(0, (long)node->outputs) + " 1=1" + param(2, (long)node->n_weights);
        if (!activation(node, params)) return false;
        add(net, "InnerProduct", from, i, params);
        return true;
    case PRUNE_MAXPOOL: add(net, "Pooling", from, i, pooling(node)); return true;
    case PRUNE_AVGPOOL: add(net, "Pooling", from, i, " 0=1 4=1"); return true;
    case PRUNE_SOFTMAX: add(net, "Softmax", from, i, " 0=0 1=1"); return true;
    case PRUNE_UPSAMPLE: add(net, "Interp", from, i, " 0=1" + param(1, node->stride) + ".0" + param(2, node->stride) + ".0"); return !node->reverse;
    case PRUNE_ROUTE: add(net, "Concat", from, i, " 0=0"); return node->groups <= 1;
    case PRUNE_SHORTCUT:
        for (int k = 0; k < node->n_from; k++) {
            const prune_node *other = &net.graph->nodes[node->from[k]];
            if (other->out_w != node->w || other->out_h != node->h || other->out_c != node->c) return false;
        }
        add(net, "Eltwise", from, i, " 0=1");
        return node->activation == PRUNE_LINEAR_ACTIVATION;
    default: return false;
    }
}

struct subject {
    ncnn::Net net;
    ncnn::Mat image;
    std::vector<std::string> outputs;
    std::vector<size_t> sizes;                  // floats of each output
    int packed;
    bool failed;
};

static void predict(void *context)
{
    subject *s = (subject *)context;
    ncnn::Extractor extractor = s->net.create_extractor();
    extractor.input("b0", s->image);
    for (size_t i = 0; i < s->outputs.size(); i++) {
        ncnn::Mat out;
        bool done = !extractor.extract(s->outputs[i].c_str(), out, s->packed);
        if (!done || (size_t)out.w * (size_t)out.h * (size_t)out.c * (size_t)out.elempack != s->sizes[i]) s->failed = true;
    }
}

static int build(subject &s, const prune_graph *graph)
{
    builder net = {graph, std::vector<int>(graph->n_nodes + 1), std::vector<int>(graph->n_nodes + 1), "", 0, 0};
    for (int i = 0; i < graph->n_nodes; i++)
        if (source(graph, i) == i)
            for (int input : inputs_of(graph, i)) net.uses[input + 1]++;
    add(net, "Input", {}, -1, param(0, graph->w) + param(1, graph->h) + param(2, graph->c));
    for (int i = 0; i < graph->n_nodes; i++) {
        if (source(graph, i) != i) continue;
        if (!add_node(net, i)) {
            std::fprintf(stderr, "%s: ncnn has no layer like layer %d [%s]\n", graph->cfg->path, i, prune_kind_name(graph->nodes[i].kind));
            return 3;
        }
        if (net.uses[i + 1]) continue;
        s.outputs.push_back(blob(i));
        s.sizes.push_back(graph->nodes[i].outputs);
    }
    std::string text = "7767517\n" + std::to_string(net.n_layers) + " " + std::to_string(net.n_blobs) + "\n" + net.layers;
    return s.net.load_param_mem(text.c_str()) || s.net.load_model(random_numbers());
}

// Channels side by side as ncnn's own layers hand them on.
static ncnn::Mat pack(const ncnn::Mat &plain, const ncnn::Option &options)
{
    int lanes = ncnn::cpu_support_x86_avx512() ? 16 : ncnn::cpu_support_x86_avx() ? 8 : 4;
    while (plain.c % lanes) lanes /= 2;
    ncnn::Mat packed;
    ncnn::convert_packing(plain, packed, lanes, options);
    return packed;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    prune_cfg cfg;
    prune_graph graph;
    if (prune_cfg_read(&cfg, argv[1]) || prune_graph_build(&graph, &cfg, PRUNE_THIS_DARKNET)) return 1;
    subject s;
    s.packed = argc > 3 && !strcmp(argv[3], "packed");
    s.failed = false;
    s.net.opt.num_threads = std::atoi(argv[2]);
    s.net.opt.use_fp16_packed = s.net.opt.use_fp16_storage = s.net.opt.use_fp16_arithmetic = s.net.opt.use_bf16_storage = false;
    s.net.opt.use_winograd_convolution = true;
    int status = build(s, &graph);
    if (status) return status;
    s.image.create(graph.w, graph.h, graph.c);
    s.image.fill(.5F);
    if (s.packed) s.image = pack(s.image, s.net.opt);
    predict(&s);
    if (s.failed) {
        std::fprintf(stderr, "%s: ncnn's outputs have other sizes\n", cfg.path);
        return 1;
    }
    return take_turns(predict, nullptr, &s);
}
