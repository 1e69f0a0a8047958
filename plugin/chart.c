/* chart.c - pictures drawn by gnuplot: the course of a training run as SVG and PNG, and whatever else is given to it */
#include "prune.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static int plottable(const char *path)
{
    return !strpbrk(path, "'\n\\");     /* what gnuplot's quotes would end at */
}

int prune_plot(const char *path, const char *terminal, const char *title, void (*draw)(FILE *plot, const void *context), const void *context)
{
    char temporary[PATH_MAX], quiet_title[256];
    int length = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (length >= (int)sizeof temporary || !plottable(path)) {
        prune_note("no chart: the path %s cannot be given to gnuplot", path);
        return PRUNE_OK;
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
    fprintf(plot, "set terminal %s\nset output '%s'\nTITLE = '%s'\nset title TITLE noenhanced\n", terminal, temporary, quiet_title);
    draw(plot, context);
    fputs("unset output\n", plot);
    int status = pclose(plot);
    signal(SIGPIPE, before);
    if (status == 0 && rename(temporary, path) == 0) return PRUNE_OK;
    remove(temporary);
    prune_note("no chart: %s", WIFEXITED(status) && WEXITSTATUS(status) == 127 ? "gnuplot is not installed" : "gnuplot could not draw it");
    return PRUNE_OK;
}

static void draw_run(FILE *plot, const void *context)
{
    const char *csv = context;
    fputs("set datafile separator ','\nset datafile missing ''\nset key bottom right\nset grid\nunset title\nset multiplot layout 2,2 title TITLE noenhanced\n", plot);
    fputs("set xlabel 'iteration'\nset xrange [0:*]\n", plot);
    fprintf(plot, "set ylabel 'zeros (%%)'\nset yrange [0:100]\nplot '%s' skip 1 using 1:($4*100) with lines dt 2 lc 'gray40' title 'target',"
                  " '' skip 1 using 1:($5*100) with steps lw 2 lc 'dark-blue' title 'sparsity'\nset autoscale y\nset key off\n", csv);
    /* Rows without a step count as 0: a plot without any point would be a fault to gnuplot. */
    fprintf(plot, "set ylabel 'recovered weights'\nset yrange [0:*]\nplot '%s' skip 1 using 1:(strlen(strcol(6)) ? real(strcol(6)) : 0) with impulses lw 2 lc 'dark-green'\n", csv);
    fprintf(plot, "set key top right\nset ylabel 'loss'\nset yrange [0:*]\nplot '%s' skip 1 using 1:2 with lines lw 2 lc 'dark-orange' title 'training',"
                  " '' skip 1 using 1:(valid(8) ? $8 : 1/0) with linespoints pt 7 ps 0.3 lc 'dark-red' title 'validation'\n", csv);
    fprintf(plot, "set key off\nset ylabel 'validation top-1 (%%)'\nset autoscale y\nplot '%s' skip 1 using 1:(valid(7) ? $7 : 1/0) with linespoints pt 7 ps 0.3 lw 2 lc 'dark-blue'\n", csv);
    fputs("unset multiplot\n", plot);
}

int prune_chart(const char *csv, const char *base, const char *title)
{
    char path[PATH_MAX];
    if (strlen(base) + sizeof "_chart.svg.tmp" > PATH_MAX || !plottable(csv)) {
        prune_note("no chart: the path %s cannot be given to gnuplot", csv);
        return PRUNE_OK;
    }
    sprintf(path, "%s_chart.svg", base);
    int code = prune_plot(path, "svg size 1000,700 noenhanced background 'white'", title, draw_run, csv);
    sprintf(path, "%s_chart.png", base);
    return code ? code : prune_plot(path, "pngcairo size 1000,700 noenhanced", title, draw_run, csv);
}
