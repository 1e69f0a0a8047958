/* cfg.c - the text of a network: sections of key=value lines
 *
 * In: a .cfg file, any bytes. Out: struct prune_cfg, or one line about the first fault.
 *
 * Reads what Darknet's read_cfg reads (src/parser.c, src/option_list.c): every blank is dropped, also inside of values;
 * a line that begins with # or ; is a comment; the first '=' ends the name; of two equal keys the first counts. Where
 * Darknet goes on with a guess (a line without '=', "filters=abc" as 0) this reader stops, with two exceptions that work in
 * every Darknet and are met in cfgs of the wild: a comment after a number ("filters=32 # wide"), and Windows line ends.
 */
#include "prune.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int prune_cfg_fail(int code, const struct prune_cfg *cfg, const struct prune_section *section, const char *name, const char *format, ...)
{
    char message[700];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);

    int line = section->line;
    for (int i = 0; name && i < section->n_keys; i++) {
        if (strcmp(section->keys[i].name, name)) continue;
        line = section->keys[i].line;
        break;
    }
    long layer = section - cfg->sections - 1;   /* sections[0] is [net] */
    if (layer < 0) return prune_fail(code, "%s:%d: %.40s: %s", cfg->path, line, section->kind, message);
    return prune_fail(code, "%s:%d: layer %ld %.40s: %s", cfg->path, line, layer, section->kind, message);
}

/* ------------------------------------------------------------------------------------------------------- reading -- */

/* Room for entry n in an array that has n. Capacity is the next power of two, so it needs no field of its own. */
static void *with_room(void *array, int n, size_t size)
{
    if (n & (n - 1)) return array;
    if (n > INT_MAX / 2) return NULL;
    return realloc(array, (n ? 2 * (size_t)n : 1) * size);
}

/* Drops blanks in place. Returns the new length, or -1 with a fault already printed: a byte that no text file has. */
static long strip(char *line, size_t length, const char *path, int number)
{
    size_t kept = 0;
    int comment = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c == ' ' || c == '\t' || c == '\n') continue;
        if (c == '\r' && (i + 1 == length || line[i + 1] == '\n')) continue;
        if (!kept) comment = c == '#' || c == ';';
        if (!c || (!comment && (c < 0x20 || c == 0x7f))) {
            prune_fail(PRUNE_ERR_FORMAT, "%s:%d: byte 0x%02x: this is no cfg text", path, number, c);
            return -1;
        }
        line[kept++] = (char)c;
    }
    line[kept] = '\0';                          /* getline leaves room for it even when kept == length */
    return comment ? 0 : (long)kept;
}

static int add_section(struct prune_cfg *cfg, const char *kind, size_t length, int line)
{
    if (kind[length - 1] != ']' || length < 3)
        return prune_fail(PRUNE_ERR_FORMAT, "%s:%d: \"%.40s\": a section is written [kind], alone on its line", cfg->path, line, kind);
    void *room = with_room(cfg->sections, cfg->n_sections, sizeof *cfg->sections);
    char *copy = strdup(kind);
    if (room) cfg->sections = room;
    if (!room || !copy) {
        free(copy);
        return prune_fail(PRUNE_ERR_NOMEM, "%s:%d: out of memory", cfg->path, line);
    }
    cfg->sections[cfg->n_sections++] = (struct prune_section){ .kind = copy, .line = line };
    return PRUNE_OK;
}

static int add_key(struct prune_cfg *cfg, char *text, int line)
{
    if (!cfg->n_sections)
        return prune_fail(PRUNE_ERR_FORMAT, "%s:%d: \"%.40s\" stands before any section; a cfg begins with [net]", cfg->path, line, text);
    struct prune_section *section = &cfg->sections[cfg->n_sections - 1];
    char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return prune_fail(PRUNE_ERR_FORMAT, "%s:%d: \"%.40s\" is neither [kind] nor key=value", cfg->path, line, text);
    *equals = '\0';

    void *room = with_room(section->keys, section->n_keys, sizeof *section->keys);
    if (room) section->keys = room;
    char *name = strdup(text), *value = strdup(equals + 1);
    if (!room || !name || !value) {
        free(name);
        free(value);
        return prune_fail(PRUNE_ERR_NOMEM, "%s:%d: out of memory", cfg->path, line);
    }
    section->keys[section->n_keys++] = (struct prune_key){ .name = name, .value = value, .line = line };
    return PRUNE_OK;
}

int prune_cfg_read(struct prune_cfg *cfg, const char *path)
{
    int code = PRUNE_OK, number = 0;
    char *line = NULL;
    size_t line_bytes = 0;
    ssize_t length;

    *cfg = (struct prune_cfg){ .path = strdup(path) };
    FILE *file = fopen(path, "r");
    if (!cfg->path) {
        code = prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", path);
        goto done;
    }
    if (!file) {
        code = prune_fail(PRUNE_ERR_IO, "%s: %s", path, strerror(errno));
        goto done;
    }
    while ((length = getline(&line, &line_bytes, file)) >= 0) {
        if (number == INT_MAX) {
            code = prune_fail(PRUNE_ERR_FORMAT, "%s: more than %d lines", path, INT_MAX);
            goto done;
        }
        number++;
        if (number == 1 && length >= 3 && !memcmp(line, "\xEF\xBB\xBF", 3)) {
            code = prune_fail(PRUNE_ERR_FORMAT, "%s:1: begins with a byte order mark, on which Darknet stumbles; save the file without it", path);
            goto done;
        }
        long kept = strip(line, (size_t)length, path, number);
        if (kept < 0) code = PRUNE_ERR_FORMAT;
        else if (kept && line[0] == '[') code = add_section(cfg, line, (size_t)kept, number);
        else if (kept) code = add_key(cfg, line, number);
        if (code) goto done;
    }
    if (!feof(file)) {                          /* a folder opens and fails here; getline may also have run out of memory */
        code = prune_fail(errno == ENOMEM ? PRUNE_ERR_NOMEM : PRUNE_ERR_IO, "%s: %s", path, strerror(errno));
        goto done;
    }
    if (!cfg->n_sections) {
        code = prune_fail(PRUNE_ERR_FORMAT, "%s: no section in it; a cfg begins with [net]", path);
        goto done;
    }
    const struct prune_section *first = &cfg->sections[0];
    if (strcmp(first->kind, "[net]") && strcmp(first->kind, "[network]"))
        code = prune_fail(PRUNE_ERR_FORMAT, "%s:%d: the first section is %.40s; it must be [net]", path, first->line, first->kind);

done:
    free(line);
    if (file) fclose(file);
    if (code) prune_cfg_free(cfg);
    return code;
}

void prune_cfg_free(struct prune_cfg *cfg)
{
    for (int s = 0; s < cfg->n_sections; s++) {
        struct prune_section *section = &cfg->sections[s];
        for (int k = 0; k < section->n_keys; k++) {
            free(section->keys[k].name);
            free(section->keys[k].value);
        }
        free(section->keys);
        free(section->kind);
    }
    free(cfg->sections);
    free(cfg->path);
    *cfg = (struct prune_cfg){0};
}

/* -------------------------------------------------------------------------------------------------------- values -- */

const char *prune_cfg_find(const struct prune_section *section, const char *name)
{
    for (int i = 0; i < section->n_keys; i++)
        if (!strcmp(section->keys[i].name, name)) return section->keys[i].value;
    return NULL;
}

enum outcome { NUMBER, NO_NUMBER, TOO_LARGE };

/* Reads one number and leaves *text behind it. Only decimal digits, point, sign and exponent: atof would also take 0x10, inf and nan. */
static enum outcome read_number(const char **text, int whole, double *value)
{
    char *end;
    size_t span = strspn(*text, whole ? "+-0123456789" : "+-.0123456789eE");
    errno = 0;
    long number = whole ? strtol(*text, &end, 10) : 0;
    double real = whole ? (double)number : strtod(*text, &end);
    if (!span || end != *text + span) return NO_NUMBER;
    if (whole ? errno == ERANGE || number > INT_MAX || number < INT_MIN : fabs(real) > (double)FLT_MAX) return TOO_LARGE;
    *value = real;
    *text = end;
    return NUMBER;
}

static int is_comment(char c)
{
    return c == '#' || c == ';';
}

static int read_single(const struct prune_cfg *cfg, const struct prune_section *section, const char *name, int whole, double *value)
{
    const char *text = prune_cfg_find(section, name), *rest = text;
    if (!text) return PRUNE_OK;
    double number;
    enum outcome outcome = read_number(&rest, whole, &number);
    const char *what = whole ? "whole number" : "number";
    if (outcome == TOO_LARGE) return prune_cfg_fail(PRUNE_ERR_RANGE, cfg, section, name, "%s=%.60s: too large a %s", name, text, what);
    if (outcome == NO_NUMBER || (*rest && !is_comment(*rest)))
        return prune_cfg_fail(PRUNE_ERR_FORMAT, cfg, section, name, "%s=%.60s: must be a %s", name, text, what);
    *value = number;
    return PRUNE_OK;
}

int prune_cfg_int(const struct prune_cfg *cfg, const struct prune_section *section, const char *name, int fallback, int *value)
{
    double number = fallback;
    int code = read_single(cfg, section, name, 1, &number);
    *value = (int)number;
    return code;
}

int prune_cfg_is_set(const struct prune_cfg *cfg, const struct prune_section *section, const char *name)
{
    int value;
    return !prune_cfg_int(cfg, section, name, 0, &value) && value;
}

int prune_cfg_float(const struct prune_cfg *cfg, const struct prune_section *section, const char *name, float fallback, float *value)
{
    double number = (double)fallback;
    int code = read_single(cfg, section, name, 0, &number);
    *value = (float)number;
    return code;
}

int prune_cfg_list(const struct prune_cfg *cfg, const struct prune_section *section, const char *name, int whole, double **values, int *n_values)
{
    *values = NULL;
    *n_values = 0;
    const char *text = prune_cfg_find(section, name);
    if (!text) return PRUNE_OK;

    int n = 1;                                  /* Darknet counts commas, also those behind a # */
    for (const char *c = text; *c; c++) {
        if (*c == ',' && n++ == INT_MAX) return prune_cfg_fail(PRUNE_ERR_RANGE, cfg, section, name, "%s=: too many values", name);
    }
    double *list = calloc((size_t)n, sizeof *list);
    if (!list) return prune_cfg_fail(PRUNE_ERR_NOMEM, cfg, section, name, "%s=: out of memory", name);
    const char *rest = text;
    for (int i = 0; i < n; i++) {
        enum outcome outcome = read_number(&rest, whole, &list[i]);
        int last = i == n - 1;
        if (outcome != NUMBER || (last ? *rest && !is_comment(*rest) : *rest != ',')) {
            free(list);
            return prune_cfg_fail(outcome == TOO_LARGE ? PRUNE_ERR_RANGE : PRUNE_ERR_FORMAT, cfg, section, name,
                                  "%s=%.60s: value %d of %d is %s %s", name, text, i + 1, n,
                                  outcome == TOO_LARGE ? "too large a" : "not a", whole ? "whole number" : "number");
        }
        rest++;                                 /* over the comma; not used after the last */
    }
    *values = list;
    *n_values = n;
    return PRUNE_OK;
}
