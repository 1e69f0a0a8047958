/* structured.c - what a compact network costs: a command's time and memory, and the time per image of a dense and a compact network, in turn
 *
 * structured run <command> ...              prints "seconds peak_bytes" of the command
 * structured time <cfg> <weights> <compact cfg> <compact weights> <pairs>
 *                                           prints "ms_dense ms_compact": medians, batch 1
 */
#include "darknet.h"
#include "timing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int run(char **command)
{
    struct rusage used;
    int status;
    double start = milliseconds();
    pid_t child = fork();
    if (child == 0) {
        execvp(command[0], command);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &used) < 0 || status) return 1;
    printf("%.3f %lld\n", (milliseconds() - start) / 1e3, 1024LL * used.ru_maxrss);
    return 0;
}

static double predict(network *net, float *image)
{
    double start = milliseconds();
    network_predict(net, image);
    return milliseconds() - start;
}

static int compare(char **words)
{
    enum { MOST = 1000 };
    static double ms[2][MOST];
    int pairs = atoi(words[4]);
    network *nets[2] = { load_network(words[0], words[1], 0), load_network(words[2], words[3], 0) };
    float *image = calloc((size_t)nets[0]->inputs, sizeof *image);
    if (!image || pairs < 1 || pairs > MOST || nets[0]->inputs != nets[1]->inputs) return 1;
    for (int i = 0; i < nets[0]->inputs; i++) image[i] = (float)rand() / (float)RAND_MAX;
    for (int i = 0; i < 2; i++) {
        set_batch_network(nets[i], 1);
        predict(nets[i], image);                /* touches all memory */
    }
    for (int i = 0; i < pairs; i++) {
        int first = i % 2;                      /* neither always has the warmer caches */
        ms[first][i] = predict(nets[first], image);
        ms[!first][i] = predict(nets[!first], image);
    }
    printf("%.3f %.3f\n", median(ms[0], pairs), median(ms[1], pairs));
    free(image);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "run")) return run(argv + 2);
    if (argc == 7 && !strcmp(argv[1], "time")) return compare(argv + 2);
    return 2;
}
