/* loaders.c - what the classifier's loaders give for a network: loaders width|grey|distort CFG [IMAGE] */
#include <math.h>
#include "darknet.h"

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    gpu_index = -1;
    network *net = parse_network_cfg(argv[2]);
    if (!strcmp(argv[1], "distort")) {
        /* Exposure scales a grey pixel; hue and saturation mean nothing to it. The reference aborts in rgb_to_hsv. */
        image im = make_image(2, 2, 1);
        fill_image(im, .25);
        srand(3);
        random_distort_image(im, .1, 1.5, 1.5);
        printf("%g\n", im.data[0]);
        return !(im.data[0] > .25/1.51 && im.data[0] < .25*1.51);
    }
    if (argc < 4) return 2;
    char *paths[] = {argv[3]}, *labels[] = {"c0_", "c1_"};
    data d;
    load_args args = get_base_args(net);
    args.paths = paths;
    args.n = args.m = 1;
    args.labels = labels;
    args.classes = 2;
    args.d = &d;
    args.min = args.max = net->w;
    args.type = !strcmp(argv[1], "grey") ? OLD_CLASSIFICATION_DATA : CLASSIFICATION_DATA;
    pthread_join(load_data_in_thread(args), 0);
    printf("%d columns, %d inputs\n", d.X.cols, net->inputs);
    if (d.X.cols != net->inputs) return 1;
    if (!strcmp(argv[1], "grey")) {
        /* stb's luma, an integer: (77 r + 150 g + 29 b) >> 8. */
        image im = load_image_color(argv[3], 0, 0);
        int n = im.w*im.h, i;
        for (i = 0; i < n; i++) {
            int r = (int)lrintf(im.data[i]*255), g = (int)lrintf(im.data[n+i]*255), b = (int)lrintf(im.data[2*n+i]*255);
            if (fabsf(d.X.vals[0][i] - ((77*r + 150*g + 29*b) >> 8)/255.f) > 2/255.f) return 1;
        }
    }
    return 0;
}
