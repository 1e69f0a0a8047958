/* weights.c - loads or saves a weights file: weights load|save|keep CFG FILE, weights upto CFG FILE LAYERS
 *
 * save fills every weight with its index before it saves; keep saves what the cfg initialises; load prints the
 * first bias of each convolutional or connected layer.
 */
#include "darknet.h"

int main(int argc, char **argv)
{
    if (argc < 4) return 2;
    gpu_index = -1;
    srand(1);
    network *net = parse_network_cfg(argv[2]);
    if (!strcmp(argv[1], "load")) load_weights(net, argv[3]);
    if (!strcmp(argv[1], "upto")) load_weights_upto(net, argv[3], 0, atoi(argv[4]));
    for (int i = 0; i < net->n; i++) {
        layer l = net->layers[i];
        if (!l.biases || !l.weights) continue;
        int n = l.type == CONNECTED ? l.outputs : l.n;
        for (int k = 0; !strcmp(argv[1], "save") && k < n; k++) l.biases[k] = (float)(i + 1);
        printf("%d %g\n", i, l.biases[0]);
    }
    if (!strcmp(argv[1], "save") || !strcmp(argv[1], "keep")) save_weights(net, argv[3]);
    return 0;
}
