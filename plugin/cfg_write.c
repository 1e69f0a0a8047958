/* cfg_write.c - a cfg's own text with some values changed
 *
 * In: the file that a struct prune_cfg was read from, and the changes. Out: its text, line by line: comments and blank lines as they are, the others without blanks, as
 * Darknet's reader takes them; a comment behind a value stays there. Lines end in LF, the last one too. Keys of pruning are left out.
 */
#include "prune.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    FILE *out;
    const struct prune_cfg *cfg;
    const struct prune_edit *edits;
    int n_edits;
    int section, key;           /* the last section met, -1 before the first, and its next key */
};

static int is_pruning_key(const char *name)
{
    return !strcmp(name, "prune") || !strncmp(name, "prune_", strlen("prune_"));
}

static int is_first(const struct prune_section *section, int key)
{
    for (int i = 0; i < key; i++)
        if (!strcmp(section->keys[i].name, section->keys[key].name)) return 0;
    return 1;
}

static const struct prune_edit *edit_of(const struct walk *walk, const char *name)
{
    for (int i = 0; i < walk->n_edits; i++)
        if (walk->edits[i].section == walk->section && !strcmp(walk->edits[i].name, name)) return &walk->edits[i];
    return NULL;
}

/* Whether the line, without its blanks, is `first` + `middle` + `last`. */
static int line_is(const char *line, const char *first, const char *middle, const char *last)
{
    const char *parts[] = { first, middle, last };
    for (int i = 0; i < 3; i++) {
        for (const char *c = parts[i]; *c; c++) {
            line += strspn(line, " \t\r");
            if (*line++ != *c) return 0;
        }
    }
    return !line[strspn(line, " \t\r")];
}

static void write_section(struct walk *walk)
{
    const struct prune_section *section = &walk->cfg->sections[++walk->section];
    walk->key = 0;
    fprintf(walk->out, "%s\n", section->kind);
    for (int i = 0; i < walk->n_edits; i++) {
        const struct prune_edit *edit = &walk->edits[i];
        if (edit->section == walk->section && !prune_cfg_find(section, edit->name)) fprintf(walk->out, "%s=%d\n", edit->name, edit->value);
    }
}

static void write_key(struct walk *walk, const char *line)
{
    const struct prune_section *section = &walk->cfg->sections[walk->section];
    const struct prune_key *key = &section->keys[walk->key++];
    const struct prune_edit *edit = is_first(section, walk->key - 1) ? edit_of(walk, key->name) : NULL;
    size_t value = strcspn(key->value, "#;");
    if (is_pruning_key(key->name)) return;
    fprintf(walk->out, "%s=", key->name);
    if (edit) fprintf(walk->out, "%d", edit->value);
    else fprintf(walk->out, "%.*s", (int)value, key->value);
    if (key->value[value]) {                    /* the comment with its blanks stands in the line alone */
        const char *comment = strchr(line, '=');
        comment += strcspn(comment, "#;");
        fprintf(walk->out, " %s", comment);
    }
    fputc('\n', walk->out);
}

static int write_line(struct walk *walk, const char *line, int number)
{
    const struct prune_cfg *cfg = walk->cfg;
    const struct prune_section *section = walk->section >= 0 ? &cfg->sections[walk->section] : NULL;
    int at_key = section && walk->key < section->n_keys && section->keys[walk->key].line == number;
    int at_section = walk->section + 1 < cfg->n_sections && cfg->sections[walk->section + 1].line == number;
    char first = line[strspn(line, " \t\r")];
    if (at_key && line_is(line, section->keys[walk->key].name, "=", section->keys[walk->key].value)) {
        write_key(walk, line);
    } else if (at_section && line_is(line, cfg->sections[walk->section + 1].kind, "", "")) {
        write_section(walk);
    } else if (!at_key && !at_section && (!first || first == '#' || first == ';')) {
        fprintf(walk->out, "%s\n", line);
    } else {
        return prune_fail(PRUNE_ERR_FORMAT, "%s:%d: the file was changed after it was read", cfg->path, number);
    }
    return PRUNE_OK;
}

int prune_cfg_write(FILE *out, const struct prune_cfg *cfg, const struct prune_edit *edits, int n_edits)
{
    struct walk walk = { .out = out, .cfg = cfg, .edits = edits, .n_edits = n_edits, .section = -1 };
    int code = PRUNE_OK, number = 0;
    char *line = NULL;
    size_t line_bytes = 0;
    ssize_t length;
    FILE *file = fopen(cfg->path, "r");
    if (!file) {
        code = prune_fail(PRUNE_ERR_IO, "%s: %s", cfg->path, strerror(errno));
        goto done;
    }
    while ((length = getline(&line, &line_bytes, file)) >= 0) {
        if (length && line[length - 1] == '\n') line[--length] = '\0';
        if (length && line[length - 1] == '\r') line[--length] = '\0';
        if ((code = write_line(&walk, line, ++number))) goto done;
    }
    const struct prune_section *last = &cfg->sections[cfg->n_sections - 1];
    if (!feof(file)) code = prune_fail(PRUNE_ERR_IO, "%s: %s", cfg->path, strerror(errno));
    else if (walk.section != cfg->n_sections - 1 || walk.key != last->n_keys) code = prune_fail(PRUNE_ERR_FORMAT, "%s: the file became shorter after it was read", cfg->path);
    else if (ferror(out)) code = prune_fail(PRUNE_ERR_IO, "the new text of %s cannot be written", cfg->path);
done:
    free(line);
    if (file) fclose(file);
    return code;
}
