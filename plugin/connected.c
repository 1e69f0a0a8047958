/* connected.c - matrices of fully connected layers with their zeros left out
 *
 * In: weights (outputs, inputs), row by row. Out: steps of 16 weights with their columns, as connected.h tells, and the weights again.
 */
#include "connected.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { NO_COLUMN = INT32_MAX, CACHE_LINE = 64, LARGE_PAGE = 1 << 21 };

/* One row or four, which share their columns. */
struct unit {
    int first, rows;            /* outputs */
    int columns;                /* not 0 */
};

struct shape {                  /* of a form */
    int rows;                   /* of a unit */
    int lanes;                  /* units of a strip */
    int window;
};

static struct shape shape_of(enum prune_form form)
{
    if (form == PRUNE_FORM_WEIGHT) return (struct shape){ 1, PRUNE_STRIP, PRUNE_WINDOW_WEIGHT };
    return (struct shape){ 4, PRUNE_STRIP / 4, PRUNE_WINDOW_BLOCK4 };
}

/* Columns where any row of the unit is not 0, and NO_COLUMN behind the last. Returns how many. */
static int list_columns(const struct unit *unit, const float *weights, int inputs, int *columns)
{
    const float *row[4];
    int n = 0;
    for (int r = 0; r < 4; r++) row[r] = weights + (size_t)(unit->first + (r < unit->rows ? r : 0)) * (size_t)inputs;
    if (unit->rows == 1)
        for (int i = 0; i < inputs; i++) {
            columns[n] = i;
            n += row[0][i] != 0;
        }
    else if (unit->rows)
        for (int i = 0; i < inputs; i++) {
            columns[n] = i;
            n += (row[0][i] != 0) | (row[1][i] != 0) | (row[2][i] != 0) | (row[3][i] != 0);
        }
    columns[n] = NO_COLUMN;
    return n;
}

static int fuller(const void *a, const void *b)
{
    const struct unit *left = a, *right = b;
    if (left->columns != right->columns) return left->columns < right->columns ? 1 : -1;
    return left->first < right->first ? -1 : left->first > right->first;
}

/* The units of all strips; behind the last row there are some without rows. */
static void sort_units(const struct prune_connected *connected, struct unit *units, const float *weights, int *columns)
{
    struct shape shape = shape_of(connected->form);
    int n = connected->strips * shape.lanes, sorted = PRUNE_SORTED_ROWS / shape.rows;
    for (int i = 0; i < n; i++) {
        int first = i * shape.rows, left = connected->outputs - first;
        units[i] = (struct unit){ first, left < 0 ? 0 : left < shape.rows ? left : shape.rows, 0 };
        if (units[i].rows) units[i].columns = list_columns(&units[i], weights, connected->inputs, columns);
    }
    for (int i = 0; i < n; i += sorted) qsort(units + i, (size_t)(n - i < sorted ? n - i : sorted), sizeof *units, fuller);
}

/* A step's entry of one lane, at a column or, with NO_COLUMN, at none. */
static void set_lane(struct prune_connected *connected, size_t step, int lane, const struct unit *unit, const float *weights, int column, int window)
{
    struct shape shape = shape_of(connected->form);
    size_t at = step * (size_t)shape.lanes + (size_t)lane;
    int from_window = column == NO_COLUMN ? 0 : column - window;
    if (connected->near) connected->near[at] = (uint8_t)from_window;
    else connected->far[at] = (uint16_t)from_window;
    for (int r = 0; r < shape.rows; r++) {
        int there = r < unit->rows && column != NO_COLUMN;
        connected->values[at * (size_t)shape.rows + (size_t)r] = there ? weights[(size_t)(unit->first + r) * (size_t)connected->inputs + (size_t)column] : 0;
    }
}

/* A strip from step `step` on; without memory for values it only counts. `next` are the units' columns. Returns the step behind its last. */
static size_t pack_strip(struct prune_connected *connected, const struct unit *units, const float *weights, const int *next[PRUNE_STRIP], size_t step)
{
    struct shape shape = shape_of(connected->form);
    int last_window = connected->inputs > shape.window ? connected->inputs - shape.window : 0;
    for (;;) {
        int window = NO_COLUMN;
        for (int l = 0; l < shape.lanes; l++)
            if (*next[l] < window) window = *next[l];
        if (window == NO_COLUMN) return step;
        window &= ~(CACHE_LINE / (int)sizeof(float) - 1);
        if (window > last_window) window = last_window;
        if (connected->values) connected->windows[step / PRUNE_WINDOW_STEPS] = (uint32_t)window;
        for (int i = 0; i < PRUNE_WINDOW_STEPS; i++, step++)
            for (int l = 0; l < shape.lanes; l++) {
                int column = *next[l] - window < shape.window ? *next[l]++ : NO_COLUMN;
                if (connected->values) set_lane(connected, step, l, &units[l], weights, column, window);
            }
    }
}

/* All strips; returns the number of steps. */
static size_t pack(struct prune_connected *connected, const struct unit *units, const float *weights, int *columns)
{
    struct shape shape = shape_of(connected->form);
    size_t step = 0;
    for (int s = 0; s < connected->strips; s++, units += shape.lanes) {
        const int *next[PRUNE_STRIP];
        for (int l = 0; l < shape.lanes; l++) {
            int *list = columns + (size_t)l * ((size_t)connected->inputs + 1);
            list_columns(&units[l], weights, connected->inputs, list);
            next[l] = list;
        }
        if (connected->values) {
            connected->starts[s] = step;
            for (int i = 0; i < PRUNE_STRIP; i++) {
                const struct unit *unit = &units[i / shape.rows];
                int r = i % shape.rows;
                connected->rows[s * PRUNE_STRIP + i] = (uint32_t)(r < unit->rows ? unit->first + r : connected->outputs);
            }
        }
        step = pack_strip(connected, units, weights, next, step);
    }
    if (connected->values) connected->starts[connected->strips] = step;
    return step;
}

/* One piece of memory for all arrays, the largest alignment first; on large pages where they pay. */
static int allocate(struct prune_connected *connected, size_t steps)
{
    size_t values = steps * PRUNE_STRIP * sizeof(float), starts = ((size_t)connected->strips + 1) * sizeof(size_t), rows = (size_t)connected->strips * PRUNE_STRIP * sizeof(uint32_t);
    size_t windows = steps / PRUNE_WINDOW_STEPS * sizeof(uint32_t), columns = connected->form == PRUNE_FORM_WEIGHT ? steps * PRUNE_STRIP : steps * PRUNE_STRIP / 4 * sizeof(uint16_t);
    size_t bytes = values + starts + rows + windows + columns, align = bytes > LARGE_PAGE ? LARGE_PAGE : CACHE_LINE;
    bytes = (bytes + align - 1) / align * align;
    char *room = aligned_alloc(align, bytes);
    if (!room) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
#ifdef MADV_HUGEPAGE
    if (align == LARGE_PAGE) madvise(room, bytes, MADV_HUGEPAGE);
#endif
    connected->bytes = bytes;
    connected->values = (float *)(void *)room;
    connected->starts = (size_t *)(void *)(room += values);
    connected->rows = (uint32_t *)(void *)(room += starts);
    connected->windows = (uint32_t *)(void *)(room += rows);
    room += windows;
    if (connected->form == PRUNE_FORM_WEIGHT) connected->near = (uint8_t *)room;
    else connected->far = (uint16_t *)(void *)room;
    return PRUNE_OK;
}

int prune_connected_make(struct prune_connected *connected, const float *weights, int outputs, int inputs, enum prune_form form)
{
    *connected = (struct prune_connected){ .form = form, .outputs = outputs, .inputs = inputs, .strips = (outputs - 1) / PRUNE_STRIP + 1 };
    if (form == PRUNE_FORM_DENSE) {
        connected->weights = weights;
        return PRUNE_OK;
    }
    struct shape shape = shape_of(form);
    size_t lanes = (size_t)shape.lanes;
    struct unit *units = malloc((size_t)connected->strips * lanes * sizeof *units);
    int *columns = malloc(lanes * ((size_t)inputs + 1) * sizeof *columns), code = PRUNE_OK;
    if (!units || !columns) code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    else {
        sort_units(connected, units, weights, columns);
        code = allocate(connected, pack(connected, units, weights, columns));
        if (!code) pack(connected, units, weights, columns);
    }
    free(units);
    free(columns);
    return code;
}

void prune_connected_free(struct prune_connected *connected)
{
    free(connected->values);
    *connected = (struct prune_connected){ 0 };
}

void prune_connected_restore(const struct prune_connected *connected, float *weights)
{
    size_t inputs = (size_t)connected->inputs, n = (size_t)connected->outputs * inputs;
    if (connected->form == PRUNE_FORM_DENSE) {
        for (size_t i = 0; i < n; i++) weights[i] = connected->weights[i] != 0 ? connected->weights[i] : 0;
        return;
    }
    memset(weights, 0, n * sizeof *weights);
    for (int s = 0; s < connected->strips; s++)
        for (size_t i = connected->starts[s] * PRUNE_STRIP; i < connected->starts[s + 1] * PRUNE_STRIP; i++) {
            if (connected->values[i] == 0) continue;        /* also where a lane waits */
            size_t column = connected->windows[i / (PRUNE_STRIP * PRUNE_WINDOW_STEPS)] + (connected->near ? connected->near[i] : connected->far[i / 4]);
            weights[connected->rows[(size_t)s * PRUNE_STRIP + i % PRUNE_STRIP] * inputs + column] = connected->values[i];
        }
}

/* What the strips before it cost: their steps, and a little for each. */
static size_t work_before(const struct prune_connected *connected, int strip)
{
    return (size_t)strip + (connected->starts ? connected->starts[strip] : 0);
}

int prune_connected_part(const struct prune_connected *connected, int part, int parts)
{
    size_t all = work_before(connected, connected->strips), before = all / (size_t)parts * (size_t)part + all % (size_t)parts * (size_t)part / (size_t)parts;
    int low = 0, high = connected->strips;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (work_before(connected, middle) < before) low = middle + 1;
        else high = middle;
    }
    return low;
}

prune_connected_kernel *prune_connected_choose(const struct prune_connected_kernels *kernels, enum prune_form form)
{
    return form == PRUNE_FORM_DENSE ? kernels->dense : form == PRUNE_FORM_WEIGHT ? kernels->weight : kernels->block4;
}
