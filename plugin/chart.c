/* chart.c - the course of a training run as SVG and PNG, drawn by gnuplot */
#include "prune.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static void draw(FILE *plot, const char *terminal, const char *csv, const char *output, const char *title)
{
    fprintf(plot, "set terminal %s\nset output '%s'\n", terminal, output);
    fputs("set datafile separator ','\nset datafile missing ''\nset key bottom right\nset grid\n", plot);
    fprintf(plot, "set multiplot layout 2,2 title '%s' noenhanced\n", title);
    fputs("set xlabel 'iteration'\nset xrange [0:*]\n", plot);
    fprintf(plot, "set ylabel 'zeros (%%)'\nset yrange [0:100]\nplot '%s' skip 1 using 1:($4*100) with lines dt 2 lc 'gray40' title 'target',"
                  " '' skip 1 using 1:($5*100) with steps lw 2 lc 'dark-blue' title 'sparsity'\nset autoscale y\nset key off\n", csv);
    /* Rows without a step count as 0: a plot without any point would be a fault to gnuplot. */
    fprintf(plot, "set ylabel 'recovered weights'\nset yrange [0:*]\nplot '%s' skip 1 using 1:(strlen(strcol(6)) ? real(strcol(6)) : 0) with impulses lw 2 lc 'dark-green'\n", csv);
    fprintf(plot, "set key top right\nset ylabel 'loss'\nset yrange [0:*]\nplot '%s' skip 1 using 1:2 with lines lw 2 lc 'dark-orange' title 'training',"
                  " '' skip 1 using 1:(valid(8) ? $8 : 1/0) with linespoints pt 7 ps 0.3 lc 'dark-red' title 'validation'\n", csv);
    fprintf(plot, "set key off\nset ylabel 'validation top-1 (%%)'\nset autoscale y\nplot '%s' skip 1 using 1:(valid(7) ? $7 : 1/0) with linespoints pt 7 ps 0.3 lw 2 lc 'dark-blue'\n", csv);
    fputs("unset multiplot\nunset output\n", plot);
}

static int plottable(const char *path)
{
    return !strpbrk(path, "'\n\\");     /* what gnuplot's quotes would end at */
}

int prune_chart(const char *csv, const char *base, const char *title)
{
    static const char *const endings[] = { "svg", "png" };
    static const char *const terminals[] = { "svg size 1000,700 noenhanced background 'white'", "pngcairo size 1000,700 noenhanced" };
    char path[2][PATH_MAX], temporary[2][PATH_MAX], quiet_title[256];
    if (strlen(base) + sizeof "_chart.svg.tmp" > PATH_MAX || !plottable(csv) || !plottable(base)) {
        prune_note("no chart: the path %s cannot be given to gnuplot", base);
        return PRUNE_OK;
    }
    for (int i = 0; i < 2; i++) {
        sprintf(path[i], "%s_chart.%s", base, endings[i]);
        sprintf(temporary[i], "%s_chart.%s.tmp", base, endings[i]);
    }
    snprintf(quiet_title, sizeof quiet_title, "%s", title);
    for (char *c = quiet_title; *c; c++)
        if (!plottable((char[]){ *c, '\0' })) *c = '_';
    fflush(NULL);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);     /* gnuplot may not be there */
    FILE *plot = popen("gnuplot 2>/dev/null", "w");
    if (!plot) {
        signal(SIGPIPE, before);
        return prune_fail(PRUNE_ERR_IO, "cannot start gnuplot: %s", strerror(errno));
    }
    for (int i = 0; i < 2; i++) draw(plot, terminals[i], csv, temporary[i], quiet_title);
    int status = pclose(plot);
    signal(SIGPIPE, before);
    int drawn = status == 0;
    for (int i = 0; i < 2; i++) {
        if (drawn && rename(temporary[i], path[i])) drawn = 0;
        if (!drawn) remove(temporary[i]);
    }
    if (!drawn) prune_note("no chart: %s", WIFEXITED(status) && WEXITSTATUS(status) == 127 ? "gnuplot is not installed" : "gnuplot could not draw it");
    return PRUNE_OK;
}
