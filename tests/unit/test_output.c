/* test_output.c - output files are there whole or not at all; and the one line that a message is */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <errno.h>
#include <sys/syscall.h>

#include "prune.h"
#include "random.h"

static char folder[] = "/tmp/prune-output-XXXXXX";
static char path[100], temporary[110];

/* fsync passes through here: what it was asked to sync, and how much of it was there; or it fails. */
static int synced_files, synced_folders, sync_fails;
static off_t synced_bytes;

int fsync(int fd)
{
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) synced_folders++;
    else {
        synced_files++;
        synced_bytes = info.st_size;
    }
    if (!sync_fails) return (int)syscall(SYS_fsync, fd);
    errno = EIO;
    return -1;
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/x", folder);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(temporary);
    return rmdir(folder);
}

static void put_old(const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void assert_holds(const char *name, const char *text)
{
    char found[100] = { 0 };
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    size_t n = fread(found, 1, sizeof found - 1, file);
    fclose(file);
    assert_int_equal(n, strlen(text));
    assert_string_equal(found, text);
}

static int is_there(const char *name)
{
    struct stat info;
    return lstat(name, &info) == 0;
}

static void assert_freed(const struct prune_output *out)
{
    assert_null(out->file);
    assert_null(out->path);
    assert_null(out->temporary);
}

static void commit_replaces(void **state)
{
    (void)state;
    for (int old = 0; old < 2; old++)
        for (int sync_first = 0; sync_first < 2; sync_first++) {
            unlink(path);
            if (old) put_old("old");
            struct prune_output out;
            assert_int_equal(prune_output_open(&out, path), PRUNE_OK);
            assert_string_equal(out.path, path);
            assert_string_equal(out.temporary, temporary);
            fputs("new contents", out.file);
            if (old) assert_holds(path, "old");         /* until the commit */
            else assert_false(is_there(path));
            if (sync_first) {
                assert_int_equal(prune_output_sync(&out), PRUNE_OK);
                assert_holds(temporary, "new contents");
                if (old) assert_holds(path, "old");
                else assert_false(is_there(path));
            }
            struct stat before, after;
            assert_int_equal(stat(temporary, &before), 0);
            assert_int_equal(prune_output_commit(&out), PRUNE_OK);
            assert_holds(path, "new contents");
            assert_int_equal(stat(path, &after), 0);
            assert_true(before.st_ino == after.st_ino); /* renamed, not copied */
            assert_false(is_there(temporary));
            assert_freed(&out);
            prune_output_abandon(&out);                 /* does nothing after a commit */
            assert_holds(path, "new contents");
        }
}

static void abandon_leaves_the_old(void **state)
{
    (void)state;
    for (int sync_first = 0; sync_first < 2; sync_first++) {
        put_old("old");
        struct prune_output out;
        assert_int_equal(prune_output_open(&out, path), PRUNE_OK);
        fputs("half", out.file);
        if (sync_first) assert_int_equal(prune_output_sync(&out), PRUNE_OK);
        assert_true(is_there(temporary));
        prune_output_abandon(&out);
        assert_holds(path, "old");
        assert_false(is_there(temporary));
        assert_freed(&out);
    }
    struct prune_output zeroed = { 0 };
    prune_output_abandon(&zeroed);
}

static void a_temporary_left_behind_is_overwritten(void **state)
{
    (void)state;
    FILE *file = fopen(temporary, "wb");
    fputs("a long rest of a training that was killed", file);
    fclose(file);
    struct prune_output out;
    assert_int_equal(prune_output_open(&out, path), PRUNE_OK);
    fputs("short", out.file);
    assert_int_equal(prune_output_commit(&out), PRUNE_OK);
    assert_holds(path, "short");
}

static void a_missing_folder_is_a_fault(void **state)
{
    (void)state;
    char missing[200], fault[1000];
    snprintf(missing, sizeof missing, "%s/none/x", folder);
    struct prune_output out;
    hush();
    int code = prune_output_open(&out, missing), lines = heard(fault, sizeof fault);
    assert_int_equal(code, PRUNE_ERR_IO);
    assert_int_equal(lines, 1);
    assert_non_null(strstr(fault, missing));
    assert_freed(&out);
    prune_output_abandon(&out);
}

static void open_does_not_remove_what_it_did_not_make(void **state)
{
    (void)state;
    assert_int_equal(mkdir(temporary, 0700), 0);        /* a folder in the way */
    put_old("old");
    struct prune_output out;
    hush();
    int code = prune_output_open(&out, path), lines = heard(NULL, 0);
    assert_int_equal(code, PRUNE_ERR_IO);
    assert_int_equal(lines, 1);
    assert_holds(path, "old");
    assert_int_equal(rmdir(temporary), 0);
}

static void a_full_disk_leaves_the_old(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK)) skip();
    for (int sync_first = 0; sync_first < 2; sync_first++)
        for (size_t bytes = 1; bytes <= 1000000; bytes *= 1000) {       /* fails in the flush, or already in fwrite */
            put_old("old");
            assert_int_equal(symlink("/dev/full", temporary), 0);
            struct prune_output out;
            assert_int_equal(prune_output_open(&out, path), PRUNE_OK);
            for (size_t i = 0; i < bytes; i++) putc('x', out.file);
            char fault[1000];
            hush();
            int code = sync_first ? prune_output_sync(&out) : prune_output_commit(&out), lines = heard(fault, sizeof fault);
            assert_int_equal(code, PRUNE_ERR_IO);
            assert_int_equal(lines, 1);
            assert_non_null(strstr(fault, path));
            if (sync_first) prune_output_abandon(&out);
            assert_freed(&out);
            assert_holds(path, "old");
            assert_false(is_there(temporary));
        }
}

static void all_bytes_are_synced_before_the_rename(void **state)
{
    (void)state;
    unlink(path);
    struct prune_output out;
    assert_int_equal(prune_output_open(&out, path), PRUNE_OK);
    fputs("ten bytes.", out.file);
    synced_files = synced_folders = 0;
    assert_int_equal(prune_output_sync(&out), PRUNE_OK);
    assert_int_equal(synced_files, 1);
    assert_int_equal(synced_bytes, 10);
    assert_false(is_there(path));
    assert_int_equal(prune_output_commit(&out), PRUNE_OK);
    assert_int_equal(synced_files, 1);
    assert_int_equal(synced_folders, 1);

    assert_int_equal(prune_output_open(&out, path), PRUNE_OK);
    fputs("new", out.file);
    sync_fails = 1;
    hush();
    int code = prune_output_commit(&out), lines = heard(NULL, 0);
    sync_fails = 0;
    assert_int_equal(code, PRUNE_ERR_IO);
    assert_int_equal(lines, 1);
    assert_holds(path, "ten bytes.");
    assert_false(is_there(temporary));
}

static void a_rename_that_fails_is_a_fault(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);             /* a file cannot replace a folder */
    struct prune_output out;
    assert_int_equal(prune_output_open(&out, path), PRUNE_OK);
    fputs("new", out.file);
    hush();
    int code = prune_output_commit(&out), lines = heard(NULL, 0);
    assert_int_equal(code, PRUNE_ERR_IO);
    assert_int_equal(lines, 1);
    assert_freed(&out);
    assert_false(is_there(temporary));
    assert_int_equal(rmdir(path), 0);
}

static void a_bare_name_works(void **state)
{
    (void)state;
    char *before = getcwd(NULL, 0);
    assert_int_equal(chdir(folder), 0);
    struct prune_output out;
    int code = prune_output_open(&out, "x");
    if (!code) fputs("here", out.file);
    if (!code) code = prune_output_commit(&out);
    int back = chdir(before);
    free(before);
    assert_int_equal(back, 0);
    assert_int_equal(code, PRUNE_OK);
    assert_holds(path, "here");
}

static void a_message_is_one_line(void **state)
{
    (void)state;
    char text[4000], word[3000];
    hush();
    int code = prune_fail(PRUNE_ERR_SHAPE, "%s has %d", "net.cfg", 3), lines = heard(text, sizeof text);
    assert_int_equal(code, PRUNE_ERR_SHAPE);
    assert_int_equal(lines, 1);
    assert_string_equal(text, "prune: net.cfg has 3\n");
    hush();
    prune_note("%d%% %s", 50, "done");
    lines = heard(text, sizeof text);
    assert_int_equal(lines, 1);
    assert_string_equal(text, "prune: 50% done\n");
    memset(word, 'w', sizeof word);
    word[sizeof word - 1] = '\0';
    hush();
    prune_fail(PRUNE_ERR_IO, "%s", word);               /* too long: cut, and still a line */
    lines = heard(text, sizeof text);
    assert_int_equal(lines, 1);
    assert_true(strlen(text) > 500 && text[strlen(text) - 1] == '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit_replaces),
        cmocka_unit_test(abandon_leaves_the_old),
        cmocka_unit_test(a_temporary_left_behind_is_overwritten),
        cmocka_unit_test(a_missing_folder_is_a_fault),
        cmocka_unit_test(open_does_not_remove_what_it_did_not_make),
        cmocka_unit_test(a_full_disk_leaves_the_old),
        cmocka_unit_test(all_bytes_are_synced_before_the_rename),
        cmocka_unit_test(a_rename_that_fails_is_a_fault),
        cmocka_unit_test(a_bare_name_works),
        cmocka_unit_test(a_message_is_one_line),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
