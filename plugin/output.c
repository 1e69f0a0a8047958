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
#include <unistd.h>

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
