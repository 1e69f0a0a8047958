/* reading.h - what the tests of the reading side share: scratch files, and what the plugin says on stderr */
#ifndef READING_H
#define READING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "prune.h"

static char said[4096];         /* what the last call of listen..heard printed */

static int saved_stderr;
static FILE *listener;

static inline void listen_stderr(void)
{
    fflush(stderr);
    listener = tmpfile();
    assert_non_null(listener);
    saved_stderr = dup(2);
    dup2(fileno(listener), 2);
}

static inline void heard_stderr(void)
{
    fflush(stderr);
    dup2(saved_stderr, 2);
    close(saved_stderr);
    rewind(listener);
    said[fread(said, 1, sizeof said - 1, listener)] = '\0';
    fclose(listener);
}

/* A new file with these bytes; the caller unlinks it. `path` has room for 256. */
static inline void write_scratch(char *path, const void *bytes, size_t n)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, 256, "%s/prune-test-XXXXXX", folder ? folder : P_tmpdir);
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* Reads a cfg from memory; what is printed goes to `said`. */
static inline int read_cfg_bytes(struct prune_cfg *cfg, const void *bytes, size_t n)
{
    char path[256];
    write_scratch(path, bytes, n);
    listen_stderr();
    int code = prune_cfg_read(cfg, path);
    heard_stderr();
    unlink(path);
    return code;
}

static inline int read_cfg_text(struct prune_cfg *cfg, const char *text)
{
    return read_cfg_bytes(cfg, text, strlen(text));
}

/* Exactly one line, with this in it. */
static inline void assert_said(const char *part)
{
    const char *end = strchr(said, '\n');
    if (!end || end[1] || strncmp(said, "prune: ", 7) || !strstr(said, part)) fail_msg("expected one line with \"%s\", got \"%s\"", part, said);
}

static inline void assert_cfg_fault(const char *text, int code, const char *part)
{
    struct prune_cfg cfg;
    assert_int_equal(read_cfg_text(&cfg, text), code);
    assert_said(part);
    assert_null(cfg.sections);
    prune_cfg_free(&cfg);
}

/* A cfg that must be right as text; gives the code of the graph. */
static inline int build_text(struct prune_cfg *cfg, struct prune_graph *graph, const char *text)
{
    assert_int_equal(read_cfg_text(cfg, text), PRUNE_OK);
    listen_stderr();
    int code = prune_graph_build(graph, cfg, PRUNE_THIS_DARKNET);
    heard_stderr();
    return code;
}

static inline void build_good(struct prune_cfg *cfg, struct prune_graph *graph, const char *text)
{
    if (build_text(cfg, graph, text)) fail_msg("refused: %s", said);
    assert_string_equal(said, "");
}

static inline void free_both(struct prune_cfg *cfg, struct prune_graph *graph)
{
    prune_graph_free(graph);
    prune_cfg_free(cfg);
}

static inline void assert_graph_fault(const char *text, int code, const char *part)
{
    struct prune_cfg cfg;
    struct prune_graph graph;
    int got = build_text(&cfg, &graph, text);
    if (got != code) fail_msg("expected code %d with \"%s\", got %d with \"%s\"", code, part, got, said);
    assert_said(part);
    assert_null(graph.nodes);
    free_both(&cfg, &graph);
}

#define NET(w, h, c) "[net]\nwidth=" #w "\nheight=" #h "\nchannels=" #c "\n"

/* The two networks of LeCun et al. 1998 as pruning papers use them; the second one is Caffe's. */
#define LENET_300_100 NET(28, 28, 1) "[connected]\noutput=300\nactivation=relu\n[connected]\noutput=100\nactivation=relu\n[connected]\noutput=10\nactivation=linear\n[softmax]\n"
#define LENET_5 NET(28, 28, 1) "[convolutional]\nfilters=20\nsize=5\nactivation=linear\n[maxpool]\nsize=2\nstride=2\npadding=0\n" \
    "[convolutional]\nfilters=50\nsize=5\nactivation=linear\n[maxpool]\nsize=2\nstride=2\npadding=0\n" \
    "[connected]\noutput=500\nactivation=relu\n[connected]\noutput=10\nactivation=linear\n[softmax]\n"

#endif
