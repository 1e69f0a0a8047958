/* output.c - files that are there whole or not at all
 *
 * Write under path.tmp, sync, rename, sync the folder: a crash or a full disk at any moment leaves the old file.
 */
#include "prune.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder of a path that need not exist; returns its last part, or NULL if there is no such folder. */
static const char *folder_of(const char *path, struct stat *info)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int found = folder && !stat(folder, info);
    free(folder);
    return found ? slash ? slash + 1 : path : NULL;
}

static int is_same_file(const char *a, const char *b)
{
    struct stat first, second;
    const char *name = folder_of(a, &first), *other = folder_of(b, &second);
    if (!strcmp(a, b) || (name && other && !strcmp(name, other) && first.st_dev == second.st_dev && first.st_ino == second.st_ino)) return 1;
    return !stat(a, &first) && !stat(b, &second) && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

int prune_output_check(const char *path, const char *const *others, int n_others)
{
    struct stat info;
    char *temporary = malloc(strlen(path) + sizeof ".tmp");
    int code = PRUNE_OK;
    if (!temporary) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    sprintf(temporary, "%s.tmp", path);
    for (int i = 0; i < n_others && !code; i++) {
        if (!others[i]) continue;
        if (is_same_file(path, others[i])) code = prune_fail(PRUNE_ERR_RANGE, "%s would be written over %s; give another name", path, others[i]);
        else if (is_same_file(temporary, others[i])) code = prune_fail(PRUNE_ERR_RANGE, "%s, needed while %s is written, would be written over %s; give another name", temporary, path, others[i]);
    }
    if (!code && !stat(path, &info) && S_ISDIR(info.st_mode)) code = prune_fail(PRUNE_ERR_IO, "%s is a folder", path);
    free(temporary);
    return code;
}

int prune_output_open(struct prune_output *out, const char *path)
{
    memset(out, 0, sizeof *out);
    size_t bytes = strlen(path) + sizeof ".tmp";
    out->path = strdup(path);
    out->temporary = malloc(bytes);
    if (!out->path || !out->temporary) {
        prune_output_abandon(out);
        return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    }
    snprintf(out->temporary, bytes, "%s.tmp", path);
    out->file = fopen(out->temporary, "wb");
    if (!out->file) {
        int code = prune_fail(PRUNE_ERR_IO, "cannot write %s: %s", out->temporary, strerror(errno));
        free(out->temporary);   /* not ours to remove: it was never opened */
        out->temporary = NULL;
        prune_output_abandon(out);
        return code;
    }
    return PRUNE_OK;
}

int prune_output_sync(struct prune_output *out)
{
    int failed = fflush(out->file) || ferror(out->file) || fsync(fileno(out->file));
    int error = errno;
    if (fclose(out->file) && !failed) {
        failed = 1;
        error = errno;
    }
    out->file = NULL;
    if (failed) return prune_fail(PRUNE_ERR_IO, "cannot write %s: %s", out->path, strerror(error ? error : EIO));
    return PRUNE_OK;
}

/* Without this a rename can be lost by a power cut although the file's bytes are safe. */
static void sync_folder(const char *path)
{
    char *copy = strdup(path);
    if (!copy) return;
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
    free(copy);
}

int prune_output_commit(struct prune_output *out)
{
    int code = PRUNE_OK;
    if (out->file) code = prune_output_sync(out);
    if (!code && rename(out->temporary, out->path))
        code = prune_fail(PRUNE_ERR_IO, "cannot rename %s to %s: %s", out->temporary, out->path, strerror(errno));
    if (!code) {
        sync_folder(out->path);
        free(out->temporary);
        out->temporary = NULL;
    }
    prune_output_abandon(out);
    return code;
}

void prune_output_abandon(struct prune_output *out)
{
    if (out->file) fclose(out->file);
    if (out->temporary) unlink(out->temporary);
    free(out->temporary);
    free(out->path);
    memset(out, 0, sizeof *out);
}
