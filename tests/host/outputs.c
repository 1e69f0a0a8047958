/* outputs.c - prints the outputs of a network on fixed inputs, one a line; compiles against a patched and an unpatched Darknet */
#include "darknet.h"

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    network *net = load_network(argv[1], argv[2], 0);
    set_batch_network(net, 1);
    float *input = calloc((size_t)net->inputs, sizeof *input);
    unsigned state = 1;
    for (int image = 0; image < 8; image++) {
        for (int i = 0; i < net->inputs; i++) {
            state = state * 1664525U + 1013904223U;
            input[i] = (float)(state >> 8) / (float)(1 << 24);
        }
        const float *output = network_predict(net, input);
        for (int i = 0; i < net->outputs; i++) printf("%.9g\n", (double)output[i]);
    }
    free(input);
    return 0;
}
