/* make_images.c - writes a tiny set of images: make_images COUNT WIDTH HEIGHT CLASSES, make_images cifar RECORDS
 *
 * The second form writes a CIFAR-10 binary batch to stdout. The first makes images/cK_NNN.png and labels/cK_NNN.txt (one box) in the working directory and prints the list of images. The files
 * are binary PPM: the loaders go by content, and .png is an ending that the detector's loader turns into .txt.
 * A class is a colour and a place; the rest is noise from a generator of its own, the same on every machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned state = 1;

static int noise(void)
{
    state = state*1664525u + 1013904223u;
    return (int)(state >> 26);
}

/* A label byte, then planes of red, green and blue: each class has one level in each plane, under noise. */
static int cifar(int records)
{
    for (int i = 0; i < records; i++) {
        int k = noise() % 10;
        putchar(k);
        for (int p = 0; p < 3072; p++) putchar(15*((k + p/1024) % 10) + noise());
    }
    return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "cifar")) return cifar(atoi(argv[2]));
    if (argc != 5) return 2;
    int count = atoi(argv[1]), w = atoi(argv[2]), h = atoi(argv[3]), classes = atoi(argv[4]);
    mkdir("images", 0777);
    mkdir("labels", 0777);
    for (int i = 0; i < count; i++) {
        int k = i % classes;
        char name[64];
        snprintf(name, sizeof name, "images/c%d_%03d.png", k, i);
        FILE *f = fopen(name, "wb");
        if (!f) return 1;
        fprintf(f, "P6\n%d %d\n255\n", w, h);
        int left = (k*w)/(2*classes), top = h/4;
        for (int y = 0; y < h; y++) for (int x = 0; x < w; x++) for (int c = 0; c < 3; c++) {
            int inside = x >= left && x < left + w/2 && y >= top && y < top + h/2;
            fputc((inside ? 60 + 120*(c == k % 3) : 10) + noise(), f);
        }
        if (fclose(f)) return 1;
        puts(name);
        snprintf(name, sizeof name, "labels/c%d_%03d.txt", k, i);
        f = fopen(name, "w");
        if (!f) return 1;
        fprintf(f, "%d %.4f %.4f 0.5 0.5\n", k, (left + w/4)/(double)w, .5);
        if (fclose(f)) return 1;
    }
    return 0;
}
