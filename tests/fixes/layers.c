/* layers.c - prints outputs and gradients of every kind of layer that multiplies, for comparing two builds of gemm */
#include "darknet.h"

static void print(const char *what, int i, const float *x, int n)
{
    for (int k = 0; k < n; k++) printf("%s %d %d %.9g\n", what, i, k, x[k]);
}

int main(void)
{
    FILE *f = fopen("layers.cfg", "w");
    if (!f) return 2;
    /* The first layer's workspace is the largest on purpose: the local layer asks for too little of its own. */
    fputs("[net]\nbatch=2\nheight=8\nwidth=8\nchannels=3\n"
          "[convolutional]\nfilters=8\nsize=5\nstride=1\npad=1\nactivation=leaky\nbatch_normalize=1\n"
          "[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\ngroups=2\nactivation=linear\n"
          "[convolutional]\nfilters=6\nsize=1\nstride=1\nactivation=leaky\n"
          "[deconvolutional]\nfilters=3\nsize=4\nstride=2\npadding=1\nactivation=linear\n"
          "[local]\nfilters=2\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
          "[connected]\noutput=5\nactivation=leaky\n", f);
    fclose(f);
    gpu_index = -1;
    srand(5);
    network *net = parse_network_cfg("layers.cfg");
    for (int i = 0; i < net->n; i++) {
        layer l = net->layers[i];
        int n = l.type == LOCAL ? l.size*l.size*l.c*l.n*l.out_w*l.out_h : l.type == CONNECTED ? l.inputs*l.outputs : l.nweights;
        for (int k = 0; k < n; k++) l.weights[k] = (float)(rand() % 2001 - 1000)/2000;
    }
    for (int i = 0; i < net->inputs*net->batch; i++) net->input[i] = (float)(rand() % 1000)/1000;
    net->train = 1;
    forward_network(net);
    layer out = net->layers[net->n-1];
    for (int i = 0; i < out.outputs*out.batch; i++) out.delta[i] = (float)(i + 1)/10;
    backward_network(net);
    for (int i = 0; i < net->n; i++) {
        layer l = net->layers[i];
        int n = l.type == LOCAL ? l.size*l.size*l.c*l.n*l.out_w*l.out_h : l.type == CONNECTED ? l.inputs*l.outputs : l.nweights;
        print("output", i, l.output, l.outputs*l.batch);
        print("delta", i, l.delta, l.outputs*l.batch);
        print("weight_update", i, l.weight_updates, n);
    }
    return 0;
}
