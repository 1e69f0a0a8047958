/* test_dataset.c - data files and image sets: what is read, and every fault that is refused with one line */
#include "reading.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* All tests work in a folder of their own, so that data files can name the others plainly. */
static char folder[256], home[1024];
static const char *const files[] = {"d.data", "images", "labels", "valid", "valid_labels", "a.bin", "b.bin", "list", "names"};

static int enter_folder(void **state)
{
    (void)state;
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/prune-dataset-XXXXXX", temporary ? temporary : P_tmpdir);
    return !getcwd(home, sizeof home) || !mkdtemp(folder) || chdir(folder);
}

static int leave_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) unlink(files[i]);
    return chdir(home) || rmdir(folder);
}

static void put(const char *name, const void *bytes, size_t n)
{
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

static void put_gzipped(const char *name, const void *bytes, size_t n)
{
    gzFile file = gzopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)n), n);
    assert_int_equal(gzclose(file), Z_OK);
}

/* ---- data files ---- */

static int read_data(struct prune_data *data, const char *text)
{
    put_text("d.data", text);
    listen_stderr();
    int code = prune_data_read(data, "d.data", 1);
    heard_stderr();
    return code;
}

static void assert_data_fault(const char *text, int code, const char *part)
{
    struct prune_data data;
    int got = read_data(&data, text);
    if (got != code) fail_msg("expected code %d with \"%s\", got %d with \"%s\"", code, part, got, said);
    assert_said(part);
    assert_said("d.data");
    assert_null(data.path);
    assert_null(data.train);
    prune_data_free(&data);
}

#define IDX "format=idx\nclasses=10\ntrain=images\ntrain_labels=labels\nvalid=valid\nvalid_labels=valid_labels\n"
#define CIFAR "format=cifar\nclasses=10\ntrain=a.bin,b.bin\nvalid=b.bin\n"
#define LIST "classes=2\ntrain=list\nvalid=list\nlabels=names\n"

static void all_keys_of_each_format(void **state)
{
    (void)state;
    struct prune_data data;
    assert_int_equal(read_data(&data, IDX "backup=out\n"), PRUNE_OK);
    assert_string_equal(said, "");
    assert_string_equal(data.path, "d.data");
    assert_int_equal(data.format, PRUNE_IDX);
    assert_int_equal(data.classes, 10);
    assert_string_equal(data.train, "images");
    assert_string_equal(data.train_labels, "labels");
    assert_string_equal(data.valid, "valid");
    assert_string_equal(data.valid_labels, "valid_labels");
    assert_string_equal(data.backup, "out");
    assert_null(data.labels);
    prune_data_free(&data);
    prune_data_free(&data);

    assert_int_equal(read_data(&data, CIFAR), PRUNE_OK);
    assert_int_equal(data.format, PRUNE_CIFAR);
    assert_string_equal(data.train, "a.bin,b.bin");
    assert_null(data.backup);
    prune_data_free(&data);

    assert_int_equal(read_data(&data, LIST), PRUNE_OK);
    assert_int_equal(data.format, PRUNE_LIST);
    assert_string_equal(data.labels, "names");
    prune_data_free(&data);

    assert_int_equal(read_data(&data, "format=list\n" LIST), PRUNE_OK);
    assert_int_equal(data.format, PRUNE_LIST);
    prune_data_free(&data);
}

static void blanks_comments_first_and_unknown_keys(void **state)
{
    (void)state;
    struct prune_data data;
    assert_int_equal(read_data(&data, "# a set\r\n\r\n;top=1\n  classes =\t3 \r\ntop=5\nnames=x\nclasses=4\n train = a b=c\r\nvalid=v\nlabels=l"), PRUNE_OK);
    assert_string_equal(said, "");
    assert_int_equal(data.classes, 3);
    assert_string_equal(data.train, "ab=c");
    assert_string_equal(data.valid, "v");
    assert_string_equal(data.labels, "l"); /* and the last line may lack its end */
    prune_data_free(&data);
}

static void data_faults(void **state)
{
    (void)state;
    assert_data_fault("", PRUNE_ERR_FORMAT, "'classes'");
    assert_data_fault("classes=2\nvalid=v\nlabels=l\n", PRUNE_ERR_FORMAT, "'train'");
    assert_data_fault("classes=2\ntrain=t\nlabels=l\n", PRUNE_ERR_FORMAT, "'valid'");
    assert_data_fault("classes=2\ntrain=t\nvalid=v\n", PRUNE_ERR_FORMAT, "'labels' is missing, which format=list");
    assert_data_fault("format=idx\nclasses=2\ntrain=t\nvalid=v\nvalid_labels=l\n", PRUNE_ERR_FORMAT, "'train_labels' is missing, which format=idx");
    assert_data_fault("format=idx\nclasses=2\ntrain=t\nvalid=v\ntrain_labels=l\n", PRUNE_ERR_FORMAT, "'valid_labels'");
    assert_data_fault("format=cifar\nclasses=2\nvalid=v\n", PRUNE_ERR_FORMAT, "'train'");
    assert_data_fault("format=png\n" LIST, PRUNE_ERR_RANGE, "format=png: expected idx, cifar or list");
    assert_data_fault("classes=2\ntrain\n", PRUNE_ERR_FORMAT, "d.data:2: expected key=value, found 'train'");
    assert_data_fault("classes=2\n\ntrain=\n", PRUNE_ERR_FORMAT, "d.data:3:");
    assert_data_fault("=x\n", PRUNE_ERR_FORMAT, "d.data:1:");
    assert_data_fault("classes=0\ntrain=t\nvalid=v\nlabels=l\n", PRUNE_ERR_RANGE, "classes=0: expected a whole number in 1..");
    assert_data_fault("classes=-3\ntrain=t\nvalid=v\nlabels=l\n", PRUNE_ERR_RANGE, "classes=-3");
    assert_data_fault("classes=2x\ntrain=t\nvalid=v\nlabels=l\n", PRUNE_ERR_RANGE, "classes=2x");
    assert_data_fault("classes=ten\ntrain=t\nvalid=v\nlabels=l\n", PRUNE_ERR_RANGE, "classes=ten");
    assert_data_fault("classes=99999999999999999999\ntrain=t\nvalid=v\nlabels=l\n", PRUNE_ERR_RANGE, "classes=9999");
    assert_data_fault("format=cifar\nclasses=257\ntrain=t\nvalid=v\n", PRUNE_ERR_RANGE, "1..256");

    struct prune_data data;
    listen_stderr();
    assert_int_equal(prune_data_read(&data, "nowhere", 1), PRUNE_ERR_IO);
    heard_stderr();
    assert_said("nowhere: cannot open");
    listen_stderr();
    assert_int_equal(prune_data_read(&data, ".", 1), PRUNE_ERR_IO);
    heard_stderr();
    assert_said(".: cannot read");
}

/* ---- images ---- */

static int read_images(struct prune_images *images, const char *data_text, int training)
{
    struct prune_data data;
    assert_int_equal(read_data(&data, data_text), PRUNE_OK);
    listen_stderr();
    int code = prune_images_read(images, &data, training);
    heard_stderr();
    prune_data_free(&data);
    return code;
}

static void read_good(struct prune_images *images, const char *data_text, int training)
{
    if (read_images(images, data_text, training)) fail_msg("refused: %s", said);
    assert_string_equal(said, "");
}

static void assert_fault(const char *data_text, int code, const char *part)
{
    struct prune_images images;
    int got = read_images(&images, data_text, 1);
    if (got != code) fail_msg("expected code %d with \"%s\", got %d with \"%s\"", code, part, got, said);
    assert_said(part);
    assert_int_equal(images.n, 0);
    assert_null(images.pixels);
    assert_null(images.labels);
    assert_null(images.paths);
    assert_null(images.path_labels);
    prune_images_free(&images);
}

/* Three images of 2 rows and 3 columns. */
static const uint8_t IMAGES[16 + 18] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 3,
                                        1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16, 21, 22, 23, 24, 25, 255};
static const uint8_t LABELS[8 + 3] = {0, 0, 8, 1, 0, 0, 0, 3, 9, 0, 4};

static void assert_is_idx(const struct prune_images *images)
{
    assert_int_equal(images->n, 3);
    assert_int_equal(images->c, 1);
    assert_int_equal(images->h, 2);
    assert_int_equal(images->w, 3);
    assert_memory_equal(images->pixels, IMAGES + 16, 18);
    assert_memory_equal(images->labels, LABELS + 8, 3);
    assert_null(images->paths);
}

static void idx_plain_and_gzipped(void **state)
{
    (void)state;
    struct prune_images images;
    put("images", IMAGES, sizeof IMAGES);
    put("labels", LABELS, sizeof LABELS);
    read_good(&images, IDX, 1);
    assert_is_idx(&images);
    prune_images_free(&images);
    prune_images_free(&images);

    put_gzipped("valid", IMAGES, sizeof IMAGES);
    put_gzipped("valid_labels", LABELS, sizeof LABELS);
    read_good(&images, IDX, 0);
    assert_is_idx(&images);
    prune_images_free(&images);
}

/* Larger than what is allocated first, so that memory has to grow. */
static void idx_that_grows(void **state)
{
    (void)state;
    enum { N = 5000, SIDE = 28, BYTES = 16 + N * SIDE * SIDE };
    uint8_t *file = calloc(BYTES, 1), labels[8 + N] = {0, 0, 8, 1, 0, 0, N >> 8, N & 255};
    struct prune_images images;
    assert_non_null(file);
    memcpy(file, (uint8_t[]){0, 0, 8, 3, 0, 0, N >> 8, N & 255, 0, 0, 0, SIDE, 0, 0, 0, SIDE}, 16);
    for (int i = 16; i < BYTES; i++) file[i] = (uint8_t)(i * 7 + i / 256);
    put("images", file, BYTES);
    put("labels", labels, sizeof labels);
    read_good(&images, IDX, 1);
    assert_int_equal(images.n, N);
    assert_memory_equal(images.pixels, file + 16, BYTES - 16);
    prune_images_free(&images);
    free(file);
}

/* The good images with one byte changed. */
static void assert_header_fault(size_t at, uint8_t byte, int code, const char *part)
{
    uint8_t bad[sizeof IMAGES];
    memcpy(bad, IMAGES, sizeof bad);
    bad[at] = byte;
    put("images", bad, sizeof bad);
    assert_fault(IDX, code, part);
}

static void idx_faults(void **state)
{
    (void)state;
    uint8_t longer[sizeof IMAGES + 1] = {0};
    memcpy(longer, IMAGES, sizeof IMAGES);
    put("labels", LABELS, sizeof LABELS);

    assert_header_fault(2, 9, PRUNE_ERR_FORMAT, "images: is no IDX file of images: expected magic 0x00000803, found 0x00000903");
    assert_header_fault(3, 1, PRUNE_ERR_FORMAT, "found 0x00000801");
    assert_header_fault(7, 0, PRUNE_ERR_RANGE, "images: count: expected 1..2147483647, found 0");
    assert_header_fault(4, 0x80, PRUNE_ERR_RANGE, "found 2147483651");
    assert_header_fault(11, 0, PRUNE_ERR_RANGE, "images: rows: expected 1..32768, found 0");
    assert_header_fault(12, 1, PRUNE_ERR_RANGE, "images: columns: expected 1..32768, found 16777219");
    assert_header_fault(7, 4, PRUNE_ERR_FORMAT, "images: expected 24 bytes after the header, found 18");
    assert_header_fault(7, 2, PRUNE_ERR_FORMAT, "images: expected 12 bytes after the header, found at least 13");
    put("images", longer, sizeof longer);
    assert_fault(IDX, PRUNE_ERR_FORMAT, "images: expected 18 bytes after the header, found at least 19");
    put_gzipped("images", longer, sizeof longer);
    assert_fault(IDX, PRUNE_ERR_FORMAT, "found at least 19");
    put_gzipped("images", IMAGES, sizeof IMAGES - 1);
    assert_fault(IDX, PRUNE_ERR_FORMAT, "expected 18 bytes after the header, found 17");
    put("images", IMAGES, 15);
    assert_fault(IDX, PRUNE_ERR_FORMAT, "images: too short: expected an IDX header of 16 bytes, found 15");
    put("images", IMAGES, 16);
    assert_fault(IDX, PRUNE_ERR_FORMAT, "expected 18 bytes after the header, found 0");
    put("images", "", 0);
    assert_fault(IDX, PRUNE_ERR_FORMAT, "found 0");
    unlink("images");
    assert_fault(IDX, PRUNE_ERR_IO, "images: cannot open: No such file");
    assert_fault("format=idx\nclasses=1\ntrain=.\ntrain_labels=.\nvalid=.\nvalid_labels=.\n", PRUNE_ERR_IO, ".: cannot");
}

static void idx_label_faults(void **state)
{
    (void)state;
    uint8_t bad[sizeof LABELS];
    put("images", IMAGES, sizeof IMAGES);
    put("labels", IMAGES, sizeof IMAGES);
    assert_fault(IDX, PRUNE_ERR_FORMAT, "labels: is no IDX file of labels: expected magic 0x00000801, found 0x00000803");
    put("labels", LABELS, sizeof LABELS - 1);
    assert_fault(IDX, PRUNE_ERR_FORMAT, "labels: expected 3 bytes after the header, found 2");
    memcpy(bad, LABELS, sizeof bad);
    bad[7] = 2;
    put("labels", bad, sizeof bad - 1);
    assert_fault(IDX, PRUNE_ERR_SHAPE, "labels: expected 3 labels, one for each image of images, found 2");
    bad[7] = 3;
    bad[9] = 10;
    put("labels", bad, sizeof bad);
    assert_fault(IDX, PRUNE_ERR_RANGE, "labels: label of image 1: expected 0..9, found 10");
    unlink("labels");
    assert_fault(IDX, PRUNE_ERR_IO, "labels: cannot open");
}

static void damaged_gzip(void **state)
{
    (void)state;
    uint8_t packed[256];
    struct stat status;
    put("labels", LABELS, sizeof LABELS);
    put_gzipped("images", IMAGES, sizeof IMAGES);
    assert_int_equal(stat("images", &status), 0);
    const size_t n = (size_t)status.st_size;
    FILE *file = fopen("images", "rb");
    assert_non_null(file);
    assert_true(n < sizeof packed);
    assert_int_equal(fread(packed, 1, n, file), n);
    fclose(file);

    for (size_t cut = 3; cut < n; cut++) { /* a gzip stream that breaks off anywhere, even within its checksum */
        struct prune_images images;
        put("images", packed, cut);
        assert_int_equal(read_images(&images, IDX, 1), PRUNE_ERR_FORMAT);
        assert_said("images: ");
    }
    packed[n - 6] ^= 1; /* its CRC */
    put("images", packed, n);
    assert_fault(IDX, PRUNE_ERR_FORMAT, "images: damaged gzip file");
}

/* Headers that announce the most there can be, over next to nothing: refused, or found short, without the memory for it. */
static void hostile_headers(void **state)
{
    (void)state;
    static const uint8_t most[] = {0, 0, 8, 3, 0x7f, 255, 255, 255, 0, 0, 0x80, 0, 0, 0, 0x80, 0};
    static const uint8_t over_64_bits[] = {0, 0, 8, 3, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0x80, 0, 0, 0};
    static const uint8_t just_allowed[] = {0, 0, 8, 3, 0, 0, 0x40, 0, 0, 0, 4, 0, 0, 0, 4, 0, 1, 2, 3};
    static const uint8_t many_labels[] = {0, 0, 8, 1, 0x7f, 255, 255, 255, 1};
    struct rusage before, after;

    getrusage(RUSAGE_SELF, &before);
    put("images", most, sizeof most);
    assert_fault(IDX, PRUNE_ERR_RANGE, "announces at most 17179869184 bytes, found 2305843008139952128");
    put("images", over_64_bits, sizeof over_64_bits);
    assert_fault(IDX, PRUNE_ERR_RANGE, "images: count");
    put("images", just_allowed, sizeof just_allowed);
    assert_fault(IDX, PRUNE_ERR_FORMAT, "expected 17179869184 bytes after the header, found 3");
    put("images", IMAGES, sizeof IMAGES);
    put("labels", many_labels, sizeof many_labels);
    assert_fault(IDX, PRUNE_ERR_FORMAT, "labels: expected 2147483647 bytes after the header, found 1");
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 64 * 1024); /* kilobytes */
}

enum { RECORD = 3073 };

static void fill_records(uint8_t *records, int n, int seed)
{
    for (int i = 0; i < n * RECORD; i++) records[i] = (uint8_t)(i % RECORD ? i * 31 + seed : (i / RECORD + seed) % 10);
}

static void cifar_of_several_files(void **state)
{
    (void)state;
    static uint8_t a[400 * RECORD], b[2 * RECORD]; /* a: more than is allocated first */
    struct prune_images images;
    fill_records(a, 400, 3);
    fill_records(b, 2, 8);
    put("a.bin", a, sizeof a);
    put_gzipped("b.bin", b, sizeof b);
    read_good(&images, CIFAR, 1);
    assert_int_equal(images.n, 402);
    assert_int_equal(images.c, 3);
    assert_int_equal(images.h, 32);
    assert_int_equal(images.w, 32);
    for (int i = 0; i < 402; i++) {
        const uint8_t *record = i < 400 ? a + i * RECORD : b + (i - 400) * RECORD;
        assert_int_equal(images.labels[i], record[0]);
        assert_memory_equal(images.pixels + i * 3072, record + 1, 3072);
    }
    prune_images_free(&images);
    read_good(&images, CIFAR, 0);
    assert_int_equal(images.n, 2);
    prune_images_free(&images);
}

static void cifar_faults(void **state)
{
    (void)state;
    static uint8_t a[2 * RECORD + 5];
    fill_records(a, 2, 0);
    put("a.bin", a, 2 * RECORD);
    put("b.bin", a, 2 * RECORD - 1);
    assert_fault(CIFAR, PRUNE_ERR_FORMAT, "b.bin: expected a multiple of 3073 bytes, found 6145");
    put("b.bin", a, sizeof a);
    assert_fault(CIFAR, PRUNE_ERR_FORMAT, "b.bin: expected a multiple of 3073 bytes, found 6151");
    put("b.bin", "", 0);
    assert_fault(CIFAR, PRUNE_ERR_FORMAT, "b.bin: expected a multiple of 3073 bytes, found 0");
    unlink("b.bin");
    assert_fault(CIFAR, PRUNE_ERR_IO, "b.bin: cannot open");
    a[RECORD] = 10;
    put("b.bin", a, 2 * RECORD);
    assert_fault(CIFAR, PRUNE_ERR_RANGE, "b.bin: label of image 1: expected 0..9, found 10");
    assert_fault("format=cifar\nclasses=256\ntrain=b.bin\nvalid=b.bin\n", PRUNE_ERR_RANGE, "expected 0..9, found 10");
    a[RECORD] = 4;
    put("b.bin", a, 2 * RECORD);
    assert_fault("format=cifar\nclasses=4\ntrain=b.bin\nvalid=b.bin\n", PRUNE_ERR_RANGE, "expected 0..3, found 4");
    assert_fault("format=cifar\nclasses=10\ntrain=a.bin,,b.bin\nvalid=b.bin\n", PRUNE_ERR_FORMAT, "'a.bin,,b.bin'");
    assert_fault("format=cifar\nclasses=10\ntrain=a.bin,\nvalid=b.bin\n", PRUNE_ERR_FORMAT, "'a.bin,'");
}

static void lists(void **state)
{
    (void)state;
    struct prune_images images;
    put_text("names", "cat\r\n\r\ndog\r\nhorse\r\n"); /* more labels than classes are fine, as in Darknet */
    put_text("list", "x/1_cat.png\r\n\n  \na dog/2.png\nhorse/cat.png");
    read_good(&images, LIST, 1);
    assert_int_equal(images.n, 3);
    assert_null(images.pixels);
    assert_null(images.labels);
    assert_string_equal(images.paths[0], "x/1_cat.png");
    assert_string_equal(images.paths[1], "a dog/2.png");
    assert_string_equal(images.paths[2], "horse/cat.png");
    assert_int_equal(images.path_labels[0], 0);
    assert_int_equal(images.path_labels[1], 1);
    assert_int_equal(images.path_labels[2], 0);
    prune_images_free(&images);
    prune_images_free(&images);
}

static void list_faults(void **state)
{
    (void)state;
    put_text("names", "cat\ndog\n");
    put_text("list", "1_cat.png\n2_cow.png\n");
    assert_fault(LIST, PRUNE_ERR_FORMAT, "2_cow.png: expected one label in this path, found none of 2");
    put_text("list", "1_cat.png\ncat/2_dog.png\n");
    assert_fault(LIST, PRUNE_ERR_FORMAT, "cat/2_dog.png: expected one label in this path, found 'cat' and 'dog'");
    put_text("list", "\r\n \n");
    assert_fault(LIST, PRUNE_ERR_FORMAT, "list: expected one entry a line, found none");
    put_text("names", "cat\n\n");
    assert_fault(LIST, PRUNE_ERR_SHAPE, "names: expected 2 labels, one a line for each class, found 1");
    put_text("names", "");
    assert_fault(LIST, PRUNE_ERR_FORMAT, "names: expected one entry a line, found none");
    unlink("names");
    assert_fault(LIST, PRUNE_ERR_IO, "names: cannot open");
    put_text("names", "cat\ndog\n");
    unlink("list");
    assert_fault(LIST, PRUNE_ERR_IO, "list: cannot open");
}

static void long_lists(void **state)
{
    (void)state;
    enum { N = 1000, LINE = 12 };
    char text[N * LINE + 1], *end = text;
    struct prune_images images;
    for (int i = 0; i < N; i++) end += sprintf(end, "%s/%07d\n", i % 3 ? "cat" : "dog", i);
    put_text("names", "cat\ndog\n");
    put_text("list", text);
    read_good(&images, LIST, 0);
    assert_int_equal(images.n, N);
    for (int i = 0; i < N; i++) assert_int_equal(images.path_labels[i], i % 3 == 0);
    prune_images_free(&images);
}

static void freeing_what_was_only_zeroed(void **state)
{
    (void)state;
    struct prune_data data = {0};
    struct prune_images images = {0};
    prune_data_free(&data);
    prune_images_free(&images);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_keys_of_each_format),
        cmocka_unit_test(blanks_comments_first_and_unknown_keys),
        cmocka_unit_test(data_faults),
        cmocka_unit_test(idx_plain_and_gzipped),
        cmocka_unit_test(idx_that_grows),
        cmocka_unit_test(idx_faults),
        cmocka_unit_test(idx_label_faults),
        cmocka_unit_test(damaged_gzip),
        cmocka_unit_test(hostile_headers),
        cmocka_unit_test(cifar_of_several_files),
        cmocka_unit_test(cifar_faults),
        cmocka_unit_test(lists),
        cmocka_unit_test(list_faults),
        cmocka_unit_test(long_lists),
        cmocka_unit_test(freeing_what_was_only_zeroed),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
