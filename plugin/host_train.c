/* host_train.c - `darknet prune train` and `darknet prune eval`
 *
 * The trainer is Darknet's own (train_network_datum); what is added is that a run depends on its seed and thread count alone and can be
 * stopped anywhere. Nothing random outlives an iteration: image order comes from (seed, epoch), and rand(), which dropout and the like use, is
 * seeded anew from (seed, iteration). So weights, momentum and masks are the whole state.
 */
#include "host.h"
#include "threads.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cjson/cJSON.h>

void openblas_set_num_threads(int n) __attribute__((weak));     /* absent in a build with BLAS=0 */
int openblas_get_num_threads(void) __attribute__((weak));

/* --------------------------------------------------------------------------------------------------------- options -- */

struct options {
    const char *data, *cfg, *weights;
    const char *backup;
    struct prune_settings settings; /* cfg keys, then what the command line overrides */
    uint64_t seed;
    int threads, iterations, checkpoint;
    int clear, restart, json;
};

static int read_seed(struct options *options, const char *name, const char *value)
{
    long number;
    int code = prune_option_whole(name, value, 0, 0x7fffffff, &number);
    if (!code) options->seed = (uint64_t)number;
    return code;
}

/* One option; `*used` says how many words it took. */
static int parse_option(struct options *options, const char *name, const char *value, int training, int *used)
{
    long number = 0;
    int code = PRUNE_OK;
    *used = 2;
    if (!strcmp(name, "threads")) {
        code = prune_option_whole("-threads", value, 1, 1024, &number);
        options->threads = (int)number;
        return code;
    }
    if (!training) {
        *used = 1;
        if (strcmp(name, "json")) return prune_fail(PRUNE_ERR_USAGE, "unknown option -%s (see darknet prune help eval)", name);
        options->json = 1;
        return PRUNE_OK;
    }
    if (!strcmp(name, "seed")) {
        code = read_seed(options, "-seed", value);
    } else if (!strcmp(name, "iterations")) {
        code = prune_option_whole("-iterations", value, 1, 1000000000, &number);
        options->iterations = (int)number;
    } else if (!strcmp(name, "checkpoint")) {
        code = prune_option_whole("-checkpoint", value, 1, 1000000000, &number);
        options->checkpoint = (int)number;
    } else if (!strcmp(name, "backup")) {
        if (!value) code = prune_fail(PRUNE_ERR_USAGE, "-backup needs a folder");
        options->backup = value;
    } else if (!strcmp(name, "clear")) {
        *used = 1;
        options->clear = 1;
    } else if (!strcmp(name, "restart")) {
        *used = 1;
        options->restart = 1;
    } else {
        int taken = prune_settings_option(&options->settings, name, value);
        if (taken == 0) code = prune_fail(PRUNE_ERR_USAGE, "unknown option -%s (see darknet prune help train)", name);
        else if (taken < 0) code = taken;
    }
    return code;
}

/* Two passes: cfg keys first, so that options override them wherever they stand. */
static int parse_words(struct options *options, int argc, char **argv, int training)
{
    const char **places[] = { &options->data, &options->cfg, &options->weights };
    int n_places = 0;
    for (int i = 1; i < argc;) {
        int used = 1, code = PRUNE_OK;
        if (argv[i][0] == '-' && argv[i][1]) code = parse_option(options, argv[i] + 1, i + 1 < argc ? argv[i + 1] : NULL, training, &used);
        else if (n_places == 3) code = prune_fail(PRUNE_ERR_USAGE, "one word too many: %s", argv[i]);
        else *places[n_places++] = argv[i];
        if (code) return code;
        i += used;
    }
    if (options->clear && !options->weights) return prune_fail(PRUNE_ERR_USAGE, "-clear is about <weights>, and none are given");
    if (n_places < (training ? 2 : 3))
        return prune_fail(PRUNE_ERR_USAGE, training ? "train needs <data> <cfg> [<weights>]" : "eval needs <data> <cfg> <weights>");
    return PRUNE_OK;
}

/* ------------------------------------------------------------------------------------------------------------- job -- */

/* What train and eval both set up. */
struct job {
    struct options options;
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_data data;
    struct prune_images train, valid;
    struct prune_batches train_batches, valid_batches;
    network *net;
};

static void job_free(struct job *job)
{
    prune_batches_free(&job->train_batches);
    prune_batches_free(&job->valid_batches);
    prune_images_free(&job->train);
    prune_images_free(&job->valid);
    prune_data_free(&job->data);
    prune_graph_free(&job->graph);
    prune_cfg_free(&job->cfg);
    if (job->net) free_network(job->net);
}

/* Darknet's own parser may only meet what has been checked. */
static int job_open(struct job *job, int argc, char **argv, int training)
{
    struct options *options = &job->options;
    memset(job, 0, sizeof *job);
    prune_settings_default(&options->settings);
    options->seed = 1;
    int code = getenv("DARKNET_SEED") ? read_seed(options, "DARKNET_SEED", getenv("DARKNET_SEED")) : PRUNE_OK;
    if (!code) code = parse_words(options, argc, argv, training);
    if (!code) code = prune_cfg_read(&job->cfg, options->cfg);
    if (code) return code;
    prune_settings_default(&options->settings);
    code = prune_settings_from_cfg(&options->settings, &job->cfg);
    if (!code) code = parse_words(options, argc, argv, training);
    if (!code) code = prune_graph_build(&job->graph, &job->cfg, PRUNE_THIS_DARKNET);
    if (code) return code;
    int max_batches = options->iterations ? options->iterations : job->graph.max_batches;
    if (training && max_batches < 1) return prune_fail(PRUNE_ERR_RANGE, "%s: max_batches=%d: train needs an end (or -iterations)", options->cfg, max_batches);
    if (training && options->settings.configured) code = prune_settings_resolve(&options->settings);
    if (!code && training && options->settings.configured) code = prune_settings_finish(&options->settings, max_batches);
    if (!code) code = prune_data_read(&job->data, options->data, training);
    if (!code && training) code = prune_images_read(&job->train, &job->data, 1);
    if (!code) code = prune_images_read(&job->valid, &job->data, 0);
    if (!code && options->weights) code = prune_weights_check(&job->graph, options->weights, training);
    if (code) return code;

    if (openblas_set_num_threads && options->threads) openblas_set_num_threads(options->threads);
    if (options->threads) {
        char number[16];
        snprintf(number, sizeof number, "%d", options->threads);
        setenv("DARKNET_THREADS", number, 1);
    }
    srand((unsigned)options->seed);
    job->net = parse_network_cfg((char *)options->cfg);
    job->net->max_batches = max_batches;
    int fast = training && prune_training_arm(job->net, 1);
    if (!options->threads) options->threads = fast || !openblas_get_num_threads ? prune_threads_default() : openblas_get_num_threads();
    if (!training) return prune_batches_open(&job->valid_batches, job->net, &job->data, &job->valid, 0, 0);
    code = prune_attach(job->net, &job->cfg, &options->settings);
    if (!code) code = prune_batches_open(&job->train_batches, job->net, &job->data, &job->train, 1, options->seed);
    if (!code) code = prune_batches_open(&job->valid_batches, job->net, &job->data, &job->valid, 0, 0);
    return code;
}

/* ------------------------------------------------------------------------------------------------------------ eval -- */

int prune_evaluate(network *net, struct prune_batches *batches, struct prune_score *score)
{
    int n = batches->images->n, right = 0, code = PRUNE_OK;
    double loss = 0, seconds = 0;
    float *input = calloc((size_t)net->batch * batches->inputs, sizeof *input);
    int *labels = calloc((size_t)net->batch, sizeof *labels);
    if (!input || !labels) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto done;
    }
    for (int first = 0; first < n; first += net->batch) {
        int filled = n - first < net->batch ? n - first : net->batch;
        for (int i = 0; i < filled; i++) {
            labels[i] = prune_batches_get(batches, (uint64_t)(first + i), input + (size_t)i * batches->inputs, NULL);
            if (labels[i] < 0) {
                code = labels[i];
                goto done;
            }
        }
        double start = prune_seconds_now();
        const float *output = network_predict(net, input);
        seconds += prune_seconds_now() - start;
        for (int i = 0; i < filled; i++, output += net->outputs) {
            int best = 0;
            for (int j = 1; j < batches->classes; j++)
                if (output[j] > output[best]) best = j;
            right += best == labels[i];
            loss -= log(fmax((double)output[labels[i]], 1e-12));
        }
    }
    *score = (struct prune_score){ n, 100.0 * right / n, loss / n, 1000 * seconds / n };
done:
    free(input);
    free(labels);
    return code;
}

static int print_score(const struct prune_score *score, int json)
{
    if (!json) {
        printf("images %d  top1 %.2f %%  loss %.5f  %.3f ms an image\n", score->images, score->top1, score->loss, score->ms_per_image);
        return PRUNE_OK;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "images", score->images);
    cJSON_AddNumberToObject(object, "top1", score->top1);
    cJSON_AddNumberToObject(object, "loss", score->loss);
    cJSON_AddNumberToObject(object, "ms_per_image", score->ms_per_image);
    char *text = cJSON_PrintUnformatted(object);
    int code = text ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    if (text) puts(text);
    free(text);
    cJSON_Delete(object);
    return code;
}

int prune_eval_command(int argc, char **argv)
{
    struct job job;
    struct prune_score score;
    int code = job_open(&job, argc, argv, 0);
    if (!code) {
        load_weights(job.net, (char *)job.options.weights);
        set_batch_network(job.net, 1);
        code = prune_evaluate(job.net, &job.valid_batches, &score);
    }
    if (!code) code = print_score(&score, job.options.json);
    if (!code && fflush(stdout)) code = prune_fail(PRUNE_ERR_IO, "cannot write the result: %s", strerror(errno));
    job_free(&job);
    return code;
}

/* ------------------------------------------------------------------------------------------------------ log, files -- */

struct run {
    struct job *job;
    char *base;                     /* backup/name */
    struct prune_log_row *rows;
    size_t n_rows, rows_allocated;
    double shown;                   /* when the newest line of progress was written */
    int shown_at;                   /* its iteration */
    int on_terminal;
};

static char *file_of(const struct run *run, const char *ending)
{
    size_t bytes = strlen(run->base) + strlen(ending) + 1;
    char *path = malloc(bytes);
    if (!path) exit(-prune_fail(PRUNE_ERR_NOMEM, "out of memory"));
    snprintf(path, bytes, "%s%s", run->base, ending);
    return path;
}

static int add_row(struct run *run, struct prune_log_row row)
{
    if (run->n_rows == run->rows_allocated) {
        size_t more = run->rows_allocated ? 2 * run->rows_allocated : 256;
        struct prune_log_row *rows = realloc(run->rows, more * sizeof *rows);
        if (!rows) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        run->rows = rows;
        run->rows_allocated = more;
    }
    run->rows[run->n_rows++] = row;
    return PRUNE_OK;
}

static const char csv_head[] = "iteration,loss,rate,target,sparsity,recovered,top1,valid_loss\n";

static void print_cell(FILE *file, double value)
{
    if (value >= 0) fprintf(file, ",%.9g", value);
    else fputc(',', file);
}

static int save_log(struct run *run)
{
    char *path = file_of(run, "_log.csv");
    struct prune_output out;
    int code = prune_output_open(&out, path);
    free(path);
    if (code) return code;
    fputs(csv_head, out.file);
    for (size_t i = 0; i < run->n_rows; i++) {
        const struct prune_log_row *row = &run->rows[i];
        fprintf(out.file, "%d,%.9g,%.9g,%.9g,%.9g", row->iteration, row->loss, row->rate, row->target, row->sparsity);
        print_cell(out.file, row->recovered);
        print_cell(out.file, row->top1);
        print_cell(out.file, row->valid_loss);
        fputc('\n', out.file);
    }
    return prune_output_commit(&out);
}

/* The rows of an earlier part of this run, up to the iteration that its checkpoint holds. */
static int load_log(struct run *run, int iteration)
{
    char *path = file_of(run, "_log.csv"), line[512];
    FILE *file = fopen(path, "r");
    free(path);
    int code = PRUNE_OK;
    if (!file) return code;
    while (!code && fgets(line, sizeof line, file)) {
        struct prune_log_row row;
        double *cells[] = { &row.loss, &row.rate, &row.target, &row.sparsity, &row.recovered, &row.top1, &row.valid_loss };
        char *rest = line;
        row.iteration = (int)strtol(line, &rest, 10);
        if (rest == line || row.iteration > iteration) continue;        /* the head; what the checkpoint had not reached */
        for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
            *cells[i] = -1;
            if (*rest != ',') break;
            char *cell = ++rest;
            double value = strtod(cell, &rest);
            if (rest != cell) *cells[i] = value;
        }
        code = add_row(run, row);
    }
    fclose(file);
    return code;
}

static void save(struct run *run, const char *ending)
{
    char *path = file_of(run, ending);
    if (run->on_terminal) fputs("\r\033[K", stderr);          /* Darknet says that it saves */
    save_weights(run->job->net, path);
    free(path);
}

/* ----------------------------------------------------------------------------------------------------------- train -- */

/* A checksum of everything beside settings, seed and threads that a run's result depends on: the cfg, the images, the weights it starts from. It becomes
 * part of the state's settings, so that the checkpoint of another run is not gone on with. */
static int identify(struct prune_state *state, const struct job *job)
{
    uLong sum = crc32(0, NULL, 0);
    struct prune_fingerprint start = { 0, 0 };
    for (int i = 0; i < job->cfg.n_sections; i++) {
        const struct prune_section *section = &job->cfg.sections[i];
        sum = crc32(sum, (const Bytef *)section->kind, (uInt)strlen(section->kind));
        for (int k = 0; k < section->n_keys; k++) {
            const struct prune_key *key = &section->keys[k];
            if (!strncmp(key->name, "prune", 5)) continue;      /* the settings say it, options included */
            sum = crc32(sum, (const Bytef *)key->name, (uInt)strlen(key->name) + 1);
            sum = crc32(sum, (const Bytef *)key->value, (uInt)strlen(key->value) + 1);
        }
    }
    const struct prune_images *sets[] = { &job->train, &job->valid };
    for (int i = 0; i < 2; i++) {
        const struct prune_images *set = sets[i];
        if (set->pixels) {
            sum = crc32_z(sum, set->pixels, (size_t)set->n * (size_t)set->w * (size_t)set->h * (size_t)set->c);
            sum = crc32_z(sum, set->labels, (size_t)set->n);
        }
        for (int j = 0; set->paths && j < set->n; j++) sum = crc32(sum, (const Bytef *)set->paths[j], (uInt)strlen(set->paths[j]) + 1);
    }
    int code = job->options.weights ? prune_fingerprint_take(&start, job->options.weights) : PRUNE_OK;
    size_t used = strlen(state->settings);
    snprintf(state->settings + used, sizeof state->settings - used, " run=%08lx start=%08x%s iterations=%d", sum, start.crc, job->options.clear ? " clear" : "", job->net->max_batches);
    return code;
}

/* Starts from the checkpoint of an earlier part of this run, or from the given weights, or from scratch. */
static int begin(struct run *run)
{
    struct job *job = run->job;
    struct options *options = &job->options;
    struct prune *prune = job->net->prune;
    char *last = file_of(run, "_last.weights");
    char settings[sizeof prune->state.settings];
    int code = identify(&prune->state, job);
    memcpy(settings, prune->state.settings, sizeof settings);
    if (!code && !options->restart && !access(last, F_OK)) {
        code = prune_weights_check(&job->graph, last, 0);
        if (code) goto done;
        load_weights(job->net, last);
        int same = prune->state.seed == options->seed && prune->state.threads == options->threads;
        if (prune->found == PRUNE_ABSENT)
            code = prune_fail(PRUNE_ERR_SHAPE, "%s has lost its .prune file and cannot be gone on with: -restart begins anew", last);
        else if (prune->found != PRUNE_TAKEN || !same)
            code = prune_fail(PRUNE_ERR_SHAPE, "%s is from another run (cfg, data, weights, settings, seed or threads): -restart begins anew, -backup uses another folder", last);
        if (code) goto done;
        int done = (int)get_current_batch(job->net) >= job->net->max_batches;
        fprintf(stderr, "Resuming %s at iteration %zu%s\n", last, get_current_batch(job->net), done ? ": it was finished; -restart begins anew" : "");
        code = load_log(run, (int)get_current_batch(job->net));
        goto done;
    }
    if (!code && options->weights) {
        load_weights(job->net, (char *)options->weights);
        if (options->clear) *job->net->seen = 0;
        *job->net->seen -= *job->net->seen % ((size_t)job->net->batch * (size_t)job->net->subdivisions);       /* an iteration must not begin in the middle of one */
        /* A new run begins: it takes masks from the zeros, and no momentum or schedule of the run that made them. */
        code = prune_attach(job->net, &job->cfg, &options->settings);
        if (code) goto done;
        prune = job->net->prune;
        memcpy(prune->state.settings, settings, sizeof settings);
        prune_masks_from_zeros(prune);
        for (int i = 0; i < prune->n_arrays; i++)
            if (prune->arrays[i].role < PRUNE_MEMORY) memset(prune->arrays[i].values, 0, prune->arrays[i].n * sizeof(float));
        *job->net->t = 0;
        if ((int)get_current_batch(job->net) >= job->net->max_batches) {
            code = prune_fail(PRUNE_ERR_RANGE, "%s is at iteration %zu already, of %d: -clear counts from 0", options->weights, get_current_batch(job->net), job->net->max_batches);
            goto done;
        }
    }
    prune->state.seed = options->seed;
    prune->state.threads = options->threads;
done:
    prune_inference_free(job->net);     /* evaluations between iterations must not plan a network that goes on changing */
    free(last);
    return code;
}

/* The speed is that since the line before: it grows as weights go. */
static void print_progress(struct run *run, int iteration, double loss)
{
    const network *net = run->job->net;
    double now = prune_seconds_now(), elapsed = now - run->shown;
    int done = iteration - run->shown_at, left = done > 0 ? (int)(elapsed / done * (net->max_batches - iteration)) : 0;
    double images = (double)done * net->batch * net->subdivisions;
    fprintf(stderr, "\riteration %d/%d  loss %.4f  sparsity %.4f  %.0f images/s  ETA %d:%02d:%02d \033[K", iteration, net->max_batches, loss,
            prune_sparsity_now(net->prune), elapsed > 0 ? images / elapsed : 0, left / 3600, left / 60 % 60, left % 60);
    run->shown = now;
    run->shown_at = iteration;
}

/* The end of an epoch (and of the run): validation, the log's row, and _best where it is one. */
static int end_epoch(struct run *run, int iteration, struct prune_log_row *row)
{
    struct job *job = run->job;
    struct prune *prune = job->net->prune;
    struct prune_score score;
    int code = prune_evaluate(job->net, &job->valid_batches, &score);
    if (code) return code;
    row->top1 = score.top1;
    row->valid_loss = score.loss;
    if (run->on_terminal) fputs("\r\033[K", stderr);
    double epoch = (double)*job->net->seen / job->train.n;
    fprintf(stderr, "epoch %.2f iteration %d/%d loss %.4f sparsity %.4f top1 %.2f %% validation loss %.4f\n", epoch, iteration, job->net->max_batches,
            row->loss, row->sparsity, score.top1, score.loss);
    prune->state.loss_sum = 0;
    prune->state.loss_iterations = 0;
    int final_sparsity = (!prune->n_tensors && !prune->coupled) || prune->state.step == prune->settings.steps;
    if (final_sparsity && score.top1 > (double)prune->state.best_top1) {
        prune->state.best_top1 = (float)score.top1;
        save(run, "_best.weights");
    }
    return PRUNE_OK;
}

/* SIGINT and SIGTERM are noted, and looked for between iterations, so that they never hit half an update. Blocking them would not do: a BLAS thread that began before
 * would take them. A handler can only leave word in a global. */
static volatile sig_atomic_t stop_wanted;

static void want_stop(int number)
{
    (void)number;
    stop_wanted = 1;
}

static int train(struct run *run)
{
    struct job *job = run->job;
    network *net = job->net;
    struct prune *prune = net->prune;
    int iteration = (int)get_current_batch(net), begun = iteration, images = job->train.n, code = PRUNE_OK;
    uint64_t per_iteration = (uint64_t)net->batch * (uint64_t)net->subdivisions;
    run->shown = prune_seconds_now();
    run->shown_at = iteration;
    while (iteration < net->max_batches) {
        double loss;
        int step = prune->state.step;
        if ((code = prune_train_iteration(net, &job->train_batches, job->options.seed, get_current_batch(net), &loss))) return code;
        iteration++;
        prune->state.loss_sum += loss;
        prune->state.loss_iterations++;
        int epoch_ends = iteration == net->max_batches || *net->seen / (uint64_t)images != (*net->seen - per_iteration) / (uint64_t)images;
        int stepped = prune->state.step != step;
        if (epoch_ends || stepped) {
            double target = prune_target_now(prune);
            struct prune_log_row row = { iteration, prune->state.loss_sum / (double)prune->state.loss_iterations, (double)get_current_rate(net),
                                         target, prune_sparsity_now(prune), stepped ? (double)prune->last.recovered : -1, -1, -1 };
            if (epoch_ends) {
                if ((code = end_epoch(run, iteration, &row))) return code;
                run->shown = prune_seconds_now();       /* what an evaluation took is no training */
                run->shown_at = iteration;
            }
            if ((code = add_row(run, row))) return code;
        }
        int stop = stop_wanted;
        if (epoch_ends || stop || (job->options.checkpoint && iteration % job->options.checkpoint == 0)) {
            if ((code = save_log(run))) return code;
            save(run, "_last.weights");
        }
        if (stop) return prune_fail(PRUNE_ERR_STOPPED, "stopped at iteration %d; the same command goes on from there", iteration);
        if (run->on_terminal && iteration > run->shown_at && (iteration == begun + 1 || prune_seconds_now() - run->shown > 0.2)) print_progress(run, iteration, loss);
    }
    return PRUNE_OK;
}

static int finish(struct run *run)
{
    struct job *job = run->job;
    struct prune_score score;
    save(run, "_final.weights");
    int code = prune_evaluate(job->net, &job->valid_batches, &score);
    if (code) return code;
    char *csv = file_of(run, "_log.csv"), *final = file_of(run, "_final.weights");
    code = prune_chart(csv, run->base, job->options.cfg);
    printf("%s: top1 %.2f %%  loss %.5f  sparsity %.4f\n", final, score.top1, score.loss, prune_sparsity_now(job->net->prune));
    free(csv);
    free(final);
    return code;
}

static int make_folder(const char *path)
{
    struct stat info;
    if (mkdir(path, 0777) && errno != EEXIST) return prune_fail(PRUNE_ERR_IO, "cannot make the folder %s: %s", path, strerror(errno));
    if (stat(path, &info) || !S_ISDIR(info.st_mode)) return prune_fail(PRUNE_ERR_IO, "cannot write into %s: it is no folder", path);
    if (access(path, W_OK)) return prune_fail(PRUNE_ERR_IO, "cannot write into %s: %s", path, strerror(errno));
    return PRUNE_OK;
}

int prune_train_command(int argc, char **argv)
{
    struct job job;
    struct run run = { .job = &job, .on_terminal = isatty(STDERR_FILENO) };
    struct sigaction stop = { .sa_handler = want_stop, .sa_flags = SA_RESTART }, before[2];
    int code = job_open(&job, argc, argv, 1);
    if (code) goto done;
    const char *backup = job.options.backup ? job.options.backup : job.data.backup ? job.data.backup : "backup";
    if ((code = make_folder(backup))) goto done;
    char *name = basecfg((char *)job.options.cfg);
    size_t bytes = strlen(backup) + strlen(name) + 2;
    run.base = malloc(bytes);
    if (run.base) snprintf(run.base, bytes, "%s/%s", backup, name);
    else code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    free(name);
    if (code || (code = begin(&run))) goto done;
    sigaction(SIGINT, &stop, &before[0]);
    sigaction(SIGTERM, &stop, &before[1]);
    code = train(&run);
    if (code) goto done;        /* the status tells of a signal that asked for the end */
    sigaction(SIGINT, &before[0], NULL);
    sigaction(SIGTERM, &before[1], NULL);
    code = finish(&run);
done:
    free(run.rows);
    free(run.base);
    job_free(&job);
    return code;
}
