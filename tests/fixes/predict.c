/* predict.c - prints the exact outputs of a network for an image: predict CFG WEIGHTS IMAGE */
#include "darknet.h"

int main(int argc, char **argv)
{
    if (argc != 4) return 2;
    gpu_index = -1;
    network *net = load_network(argv[1], argv[2], 0);
    set_batch_network(net, 1);
    image im = load_image_color(argv[3], net->w, net->h);
    float *p = network_predict(net, im.data);
    for (int i = 0; i < net->outputs; i++) printf("%a\n", p[i]);
    return 0;
}
