/* conv1x1.c - 1x1 convolutions against values worked out by hand: conv1x1 stride|padding|gradient|accumulate */
#include <math.h>
#include "darknet.h"

static network *make(const char *text)
{
    FILE *f = fopen("conv1x1.cfg", "w");
    if (!f) exit(2);
    fputs(text, f);
    fclose(f);
    gpu_index = -1;
    network *net = parse_network_cfg("conv1x1.cfg");
    for (int i = 0; i < net->n; i++) {
        layer l = net->layers[i];
        for (int k = 0; l.type == CONVOLUTIONAL && k < l.nweights; k++) l.weights[k] = (float)(i + 1);
    }
    for (int i = 0; i < net->inputs; i++) net->input[i] = (float)i;
    net->train = 1;
    forward_network(net);
    return net;
}

static int compare(const char *what, const float *got, const float *want, int n)
{
    int bad = 0;
    for (int i = 0; i < n; i++) {
        printf("%s[%d] = %g, want %g\n", what, i, got[i], want[i]);
        bad += fabsf(got[i] - want[i]) > 1e-5f;
    }
    return bad;
}

#define NET "[net]\nbatch=1\nheight=4\nwidth=4\nchannels=1\n"
#define CONV "[convolutional]\nfilters=1\nsize=1\nactivation=linear\n"

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    if (!strcmp(argv[1], "stride")) {
        network *net = make(NET CONV "stride=2\n");
        return compare("output", net->output, (float[]){0, 2, 8, 10}, 4) != 0;
    }
    if (!strcmp(argv[1], "padding")) {
        network *net = make(NET CONV "stride=1\npadding=1\n");
        float want[36] = {0};
        for (int y = 0; y < 4; y++) for (int x = 0; x < 4; x++) want[(y + 1)*6 + x + 1] = (float)(y*4 + x);
        return compare("output", net->output, want, 36) != 0;
    }
    if (!strcmp(argv[1], "gradient")) {
        /* Weight 2 in the second layer: a delta of 1..4 on its four outputs comes back doubled at the pixels it read. */
        network *net = make(NET CONV "stride=1\n" CONV "stride=2\n");
        float want[16] = {0};
        want[0] = 2; want[2] = 4; want[8] = 6; want[10] = 8;
        for (int i = 0; i < 4; i++) net->layers[1].delta[i] = (float)(i + 1);
        backward_network(net);
        int bad = compare("input delta", net->layers[0].delta, want, 16);
        float grad = 1*0 + 2*2 + 3*8 + 4*10;
        return bad + compare("weight update", net->layers[1].weight_updates, &grad, 1) != 0;
    }
    if (!strcmp(argv[1], "accumulate")) {
        /* The shortcut adds 1 to the first layer's delta, the second layer (weight 2) has to add 2 to that. */
        network *net = make(NET CONV "stride=1\n" CONV "stride=1\n[shortcut]\nfrom=-2\nactivation=linear\n");
        float want[16];
        for (int i = 0; i < 16; i++) net->layers[2].delta[i] = 1, want[i] = 3;
        backward_network(net);
        return compare("first layer's delta", net->layers[0].delta, want, 16) != 0;
    }
    return 2;
}
