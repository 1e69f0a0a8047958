/* host_hooks.c - the calls from Darknet: views of its layers for the core, and the core's steps in its training loop */
#include "host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* --------------------------------------------------------------------------------------------------------- attach -- */

static const char *refusal(const layer *l)
{
    if (l->binary) return "binary weights cannot be pruned (a zero becomes -mean)";
    if (l->xnor) return "xnor weights cannot be pruned (a zero becomes -mean)";
    if (l->type == RNN || l->type == GRU || l->type == LSTM || l->type == CRNN) return "recurrent layers cannot be pruned";
    return NULL;
}

static int add_tensor(struct prune *prune, const network *net, int index, const struct prune_section *section)
{
    const layer *l = &net->layers[index];
    struct prune_tensor *tensor = &prune->tensors[prune->n_tensors];
    memset(tensor, 0, sizeof *tensor);
    tensor->layer = index;
    if (!prune_settings_layer(section, &tensor->limit)) return PRUNE_OK;
    if (l->type == CONVOLUTIONAL) {
        tensor->kind = PRUNE_CONVOLUTIONAL;
        tensor->out = l->n;
        tensor->in = l->c / l->groups;
        tensor->kh = tensor->kw = l->size;
        tensor->groups = l->groups;
    } else {
        tensor->kind = PRUNE_CONNECTED;
        tensor->out = l->outputs;
        tensor->in = l->inputs;
        tensor->kh = tensor->kw = tensor->groups = 1;
    }
    tensor->n = (size_t)tensor->out * (size_t)tensor->in * (size_t)tensor->kh * (size_t)tensor->kw;
    prune_tensor_divide(tensor, prune->settings.granularity);
    tensor->criterion = prune->settings.criterion;
    tensor->weights = l->weights;
    tensor->momentum = l->weight_updates;
    tensor->moment1 = l->m;
    tensor->moment2 = l->v;
    char name[64];
    snprintf(name, sizeof name, "%d %s", index, prune_kind_name(tensor->kind));
    tensor->name = strdup(name);
    tensor->mask = malloc(tensor->n);
    int remembers = prune->settings.rule != PRUNE_NONE;
    if (remembers) tensor->memory = calloc(tensor->n, sizeof *tensor->memory);
    prune->n_tensors++;         /* from here on prune_net_free finds its arrays */
    if (!tensor->name || !tensor->mask || (remembers && !tensor->memory))
        return prune_fail(PRUNE_ERR_NOMEM, "out of memory for the mask of layer %s", name);
    memset(tensor->mask, 1, tensor->n);
    tensor->active = tensor->n;
    return PRUNE_OK;
}

static void add_array(struct prune *prune, int layer, enum prune_role role, float *values, size_t n, const struct prune_tensor *tensor)
{
    if (values) prune->arrays[prune->n_arrays++] = (struct prune_array){ layer, role, n, values, tensor };
}

enum { ARRAYS_PER_LAYER = 16 };

/* Everything that update_convolutional_layer and update_connected_layer carry from one iteration to the next, beside the weights. */
static void add_arrays(struct prune *prune, const layer *l, int index)
{
    const struct prune_tensor *tensor = NULL;
    for (int i = 0; i < prune->n_tensors; i++)
        if (prune->tensors[i].layer == index) tensor = &prune->tensors[i];
    int convolutional = l->type == CONVOLUTIONAL || l->type == DECONVOLUTIONAL;
    size_t weights = convolutional ? (size_t)l->nweights : (size_t)l->outputs * (size_t)l->inputs;
    if (l->type == LOCAL) weights = (size_t)l->size * (size_t)l->size * (size_t)l->c * (size_t)l->n * (size_t)l->out_w * (size_t)l->out_h;
    size_t biases = convolutional ? (size_t)l->n : (size_t)l->outputs;
    add_array(prune, index, PRUNE_WEIGHT_UPDATES, l->weight_updates, weights, tensor);
    add_array(prune, index, PRUNE_BIAS_UPDATES, l->bias_updates, biases, NULL);
    add_array(prune, index, PRUNE_SCALE_UPDATES, l->scale_updates, biases, NULL);
    add_array(prune, index, PRUNE_MOMENT1, l->m, weights, tensor);
    add_array(prune, index, PRUNE_MOMENT2, l->v, weights, tensor);
    add_array(prune, index, PRUNE_BIAS_MOMENT1, l->bias_m, biases, NULL);
    add_array(prune, index, PRUNE_BIAS_MOMENT2, l->bias_v, biases, NULL);
    add_array(prune, index, PRUNE_SCALE_MOMENT1, l->scale_m, biases, NULL);
    add_array(prune, index, PRUNE_SCALE_MOMENT2, l->scale_v, biases, NULL);
    if (tensor) add_array(prune, index, PRUNE_MEMORY, tensor->memory, weights, tensor);
}

static int attach_layers(struct prune *prune, const network *net, const struct prune_cfg *cfg)
{
    size_t n = (size_t)net->n;
    prune->tensors = calloc(n, sizeof *prune->tensors);
    prune->arrays = calloc(n * ARRAYS_PER_LAYER + 1, sizeof *prune->arrays);
    prune->rates = calloc(n, sizeof *prune->rates);
    if (!prune->tensors || !prune->arrays || !prune->rates) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    int kinds[2] = { 0, 0 };
    int channels = prune->settings.granularity == PRUNE_FILTER || prune->settings.granularity == PRUNE_CHANNEL;
    for (int i = 0; i < net->n && prune->settings.configured && !channels; i++) {
        const layer *l = &net->layers[i];
        float limit;
        const char *why = prune_settings_layer(&cfg->sections[i + 1], &limit) ? refusal(l) : NULL;
        if (why) return prune_fail(PRUNE_ERR_UNSUPPORTED, "%s: layer %d %s: %s", cfg->path, i, cfg->sections[i + 1].kind, why);
        if (l->type != CONVOLUTIONAL && l->type != CONNECTED) continue;
        kinds[l->type == CONNECTED] = 1;
        int code = add_tensor(prune, net, i, &cfg->sections[i + 1]);
        if (code) return code;
    }
    if (prune->settings.configured && prune->n_tensors == 0 && !channels)
        return prune_fail(PRUNE_ERR_UNSUPPORTED, "%s: there is nothing to prune: no convolutional or connected layer without prune=0", cfg->path);
    if (!kinds[0] || !kinds[1]) prune->settings.order = PRUNE_TOGETHER;         /* an order of one kind is none */
    for (int i = 0; i < net->n; i++) {
        LAYER_TYPE type = net->layers[i].type;
        if (type == CONVOLUTIONAL || type == DECONVOLUTIONAL || type == CONNECTED || type == LOCAL) add_arrays(prune, &net->layers[i], i);
    }
    return prune->settings.configured && channels ? prune_coupled_attach(prune, net, cfg->path) : PRUNE_OK;
}

/* The settings as one line, and a checksum of which layers are pruned, how large they are and how far they go. */
static void describe(struct prune *prune)
{
    char *line = prune->state.settings;
    prune_settings_line(&prune->settings, line, sizeof prune->state.settings);
    uint32_t sum = (uint32_t)crc32(0, NULL, 0);
    for (int i = 0; i < prune->n_tensors; i++) {
        const struct prune_tensor *tensor = &prune->tensors[i];
        char text[128];
        int length = snprintf(text, sizeof text, "%d %d %d %d %d %a;", tensor->layer, tensor->out, tensor->in, tensor->kh, tensor->kw, (double)tensor->limit);
        if (tensor->unit_rows > 1) length += snprintf(text + length, sizeof text - (size_t)length, "%d;", tensor->groups);
        sum = (uint32_t)crc32(sum, (const unsigned char *)text, (uInt)length);
    }
    for (int g = 0; prune->coupled && g < prune->coupled->channels.n_groups; g++) {
        const struct prune_group *group = &prune->coupled->channels.groups[g];
        char facts[96];
        int length = snprintf(facts, sizeof facts, "%d %d %d %a;", group->pin != PRUNE_FREE, group->family, group->n_members,
                              (double)prune->coupled->channels.families[group->family].limit);
        sum = (uint32_t)crc32(sum, (const unsigned char *)facts, (uInt)length);
    }
    size_t used = strlen(line);
    snprintf(line + used, sizeof prune->state.settings - used, " layers=%08x", sum);
}

static void detach(network *net);

int prune_attach(network *net, const struct prune_cfg *cfg, const struct prune_settings *settings)
{
    detach(net);
#ifdef GPU
    if (net->gpu_index >= 0) return prune_fail(PRUNE_ERR_UNSUPPORTED, "pruning runs on the CPU: add -nogpu");
#endif
    if (settings->layer_limits && !settings->configured)
        return prune_fail(PRUNE_ERR_RANGE, "%s: a layer has prune_sparsity=, but [net] has no pruning key: prune_sparsity= there turns pruning on", cfg->path);
    net->prune = calloc(1, sizeof *net->prune);
    if (!net->prune) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    net->prune->settings = *settings;
    prune_settings_default_end(&net->prune->settings, net->max_batches);
    net->prune->state.best_top1 = -1;
    int code = settings->configured ? prune_settings_resolve(&net->prune->settings) : PRUNE_OK;
    if (!code) code = attach_layers(net->prune, net, cfg);
    if (!code) describe(net->prune);
    if (code) detach(net);
    return code;
}

static void detach(network *net)
{
    struct prune *prune = net->prune;
    prune_training_detach(net);         /* it looks at the masks */
    if (!prune) return;
    for (int i = 0; i < prune->n_tensors; i++) {
        free((char *)prune->tensors[i].name);
        free(prune->tensors[i].mask);
        free(prune->tensors[i].memory);
    }
    prune_output_abandon(&prune->pending);
    prune_coupled_free(prune);
    prune_codebooks_free(net);
    free(prune->tensors);
    free(prune->arrays);
    free(prune->rates);
    free(prune);
    net->prune = NULL;
}

void prune_net_free(network *net)
{
    prune_inference_free(net);
    detach(net);
    prune_training_free(net);
    free(net->engines);
    net->engines = NULL;
}

static int is_pruned(const struct prune *prune)
{
    return prune && (prune->n_tensors || prune->coupled);
}

double prune_sparsity_now(const struct prune *prune)
{
    if (prune->coupled) return prune_structure_share(&prune->coupled->structure, &prune->settings);
    double all = 0, active = 0;
    for (int i = 0; i < prune->n_tensors; i++) {
        all += (double)prune->tensors[i].n;
        active += (double)prune->tensors[i].active;
    }
    return all > 0 ? 1 - active / all : 0;
}

double prune_target_now(const struct prune *prune)
{
    if (!prune->coupled) return prune_mask_target(prune->tensors, prune->n_tensors, &prune->settings, prune->state.step);
    return prune_schedule_target(prune->settings.curve, prune_settings_removed(&prune->settings), prune->state.step, prune->settings.steps);
}

/* ---------------------------------------------------------------------------------------------------------- parser -- */

/* Looks for a line that begins with "prune" and nothing else: a cfg without pruning keys is Darknet's own affair, faults and all. A pipe can be
 * read only once, so it is left to Darknet. */
static int mentions_pruning(const char *cfgfile)
{
    struct stat info;
    FILE *file = stat(cfgfile, &info) || !S_ISREG(info.st_mode) ? NULL : fopen(cfgfile, "r");
    if (!file) return 0;
    char *line = NULL;
    size_t bytes = 0;
    int found = 0;
    while (!found && getline(&line, &bytes, file) >= 0) found = !strncmp(line + strspn(line, " \t"), "prune", 5);
    free(line);
    fclose(file);
    return found;
}

/* The cfg with its pruning keys, checked whole; 0 if it has none. Exits on a fault: Darknet's parser has no way to return one. */
static int settings_of(const char *cfgfile, struct prune_cfg *cfg, struct prune_settings *settings)
{
    struct prune_graph graph = { 0 };
    memset(cfg, 0, sizeof *cfg);
    prune_settings_default(settings);
    if (!mentions_pruning(cfgfile)) return 0;
    int code = prune_cfg_read(cfg, cfgfile);
    if (!code) code = prune_settings_from_cfg(settings, cfg);
    if (!code) code = prune_graph_build(&graph, cfg, PRUNE_THIS_DARKNET);
    prune_graph_free(&graph);
    if (code) exit(1);
    return settings->configured || settings->layer_limits;
}

void prune_check_cfg(char *cfgfile)
{
    struct prune_cfg cfg;
    struct prune_settings settings;
    settings_of(cfgfile, &cfg, &settings);
    prune_cfg_free(&cfg);
}

void prune_parse_layer(list *options)
{
    option_find_str(options, "prune", NULL);
    option_find_str(options, "prune_sparsity", NULL);
}

void prune_net_ready(network *net, char *cfgfile)
{
    struct prune_cfg cfg;
    struct prune_settings settings;
    int configured = settings_of(cfgfile, &cfg, &settings);
    if (configured && prune_attach(net, &cfg, &settings)) exit(1);
    prune_cfg_free(&cfg);
    prune_training_arm(net, configured);
}

/* ----------------------------------------------------------------------------------------------------- weight files -- */

void prune_masks_from_zeros(struct prune *prune)
{
    if (prune->coupled) prune_structure_from_zeros(&prune->coupled->structure);
    for (int i = 0; i < prune->n_tensors; i++) prune_mask_from_zeros(&prune->tensors[i]);
}

/* `darknet average` and the like write other weights over a net whose masks say something else. */
static int zeros_agree(const struct prune *prune)
{
    if (prune->coupled && !prune_coupled_from_state(prune->coupled)) return 0;
    for (int i = 0; i < prune->n_tensors; i++)
        for (size_t j = 0; j < prune->tensors[i].n; j++)
            if (!prune->tensors[i].mask[j] && prune->tensors[i].weights[j] != 0) return 0;
    return 1;
}

void prune_after_load(network *net, char *filename, int start, int cutoff)
{
    struct prune *prune = net->prune;
    prune_inference_loaded(net, filename);
    if (!prune) return;
    prune->found = PRUNE_ABSENT;
    if (start == 0 && cutoff >= net->n) {
        int found = prune_state_read(&prune->state, filename, prune->tensors, prune->n_tensors, prune->arrays, prune->n_arrays);
        if (found < 0) exit(1);
        prune->found = (enum prune_belongs)found;
    }
    if (prune->found == PRUNE_TAKEN && !zeros_agree(prune)) {
        prune_note("%s was not saved by a training: the masks come from its zeros", filename);
        prune->found = PRUNE_ABSENT;
    }
    if (prune->found == PRUNE_TAKEN) {
        *net->t = prune->state.optimizer_t;
        return;
    }
    prune->state = (struct prune_state){ .best_top1 = -1 };
    describe(prune);
    prune_masks_from_zeros(prune);
}

void prune_before_save(network *net)
{
    prune_inference_restore(net);
}

void prune_before_commit(network *net, char *temporary, char *filename, int cutoff)
{
    struct prune *prune = net->prune;
    if (!prune || cutoff < net->n) return;
    int iteration = (int)get_current_batch(net);
    if (is_pruned(prune) && prune->state.step < prune->settings.steps && iteration > 0 && iteration >= net->max_batches && net->max_batches > 0)
        prune_note("%s: only %d of %d steps have run; -clear would have counted iterations from 0", filename, prune->state.step, prune->settings.steps);
    prune->state.optimizer_t = *net->t;
    if (prune->coupled) prune_coupled_to_state(prune->coupled);
    char *path = prune_state_path(filename);
    int code = path ? prune_state_adopt(filename) : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    if (!code) code = prune_output_open(&prune->pending, path);
    free(path);
    if (!code) code = prune_state_write(prune->pending.file, &prune->state, temporary, prune->tensors, prune->n_tensors, prune->arrays, prune->n_arrays);
    if (!code) code = prune_output_sync(&prune->pending);
    if (!code) return;
    prune_output_abandon(&prune->pending);
    unlink(temporary);
    exit(1);
}

void prune_after_save(network *net, char *filename)
{
    struct prune *prune = net->prune;
    if (!prune) return;
    if (prune->pending.temporary && prune_output_commit(&prune->pending)) exit(1);
    if (prune->coupled && prune->state.step == prune->settings.steps && prune_coupled_compact(prune->coupled, filename)) exit(1);
}

/* --------------------------------------------------------------------------------------------------------- updates -- */

/* A weight that is held fixed must not move: with a rate of 0, weight decay does not move it either. */
static void hold_fixed(network *net, enum prune_kind kind)
{
    LAYER_TYPE type = kind == PRUNE_CONNECTED ? CONNECTED : CONVOLUTIONAL;
    for (int i = 0; i < net->n; i++) {
        net->prune->rates[i] = net->layers[i].learning_rate_scale;
        if (net->layers[i].type == type) net->layers[i].learning_rate_scale = 0;
    }
}

static void let_go(network *net, enum prune_kind kind)
{
    LAYER_TYPE type = kind == PRUNE_CONNECTED ? CONNECTED : CONVOLUTIONAL;
    struct prune *prune = net->prune;
    for (int i = 0; i < net->n; i++) net->layers[i].learning_rate_scale = prune->rates[i];
    for (int i = 0; i < prune->n_arrays; i++)   /* momentum that gathered meanwhile would jump when its turn comes */
        if (net->layers[prune->arrays[i].layer].type == type && prune->arrays[i].role != PRUNE_MEMORY)
            memset(prune->arrays[i].values, 0, prune->arrays[i].n * sizeof(float));
}

static void run_step(network *net, int t, int iteration)
{
    struct prune *prune = net->prune;
    int code = prune->coupled ? prune_coupled_step(prune, net, t, &prune->last) : prune_mask_step(prune->tensors, prune->n_tensors, &prune->settings, t, &prune->last);
    if (code) exit(1);
    prune->state.step = t;
    prune_training_masks_changed(net);
    prune_note("step %d/%d iteration %d target %.4f achieved %.4f pruned %zu recovered %zu loss %.4f", t, prune->settings.steps, iteration,
               prune->last.target, prune->last.achieved, prune->last.pruned, prune->last.recovered, (double)*net->cost / net->batch);
}

/* The settings make sense for this training, or the program ends. */
static void finish_settings(network *net)
{
    struct prune *prune = net->prune;
    if (!prune->checked && prune_settings_finish(&prune->settings, net->max_batches)) exit(1);
    prune->checked = 1;
}

/* The newest step that has run, as the schedule sees it: after -clear, iterations count anew, and it begins anew. */
static int step_so_far(const struct prune *prune, int iteration)
{
    int due = prune_schedule_step(&prune->settings, iteration);
    return due < prune->state.step ? prune_schedule_step(&prune->settings, iteration - 1) : prune->state.step;
}

int prune_gradients_always(const struct prune *prune)
{
    return is_pruned(prune) && (prune->settings.rule == PRUNE_GRADIENT || prune->settings.rule == PRUNE_SHADOW) && prune->state.step < prune->settings.steps;
}

/* The images of an iteration count as seen before its first forward pass. */
int prune_gradients_wanted(network *net)
{
    struct prune *prune = net->prune;
    if (!is_pruned(prune) || prune->settings.rule == PRUNE_NONE) return 0;
    finish_settings(net);
    size_t images = (size_t)net->batch * (size_t)net->subdivisions, seen = *net->seen;
    int iteration = (int)((seen > 0 ? seen - 1 : 0) / images) + 1, step = step_so_far(prune, iteration);
    if (prune->settings.rule != PRUNE_RESTORE) return step < prune->settings.steps;
    return prune_schedule_step(&prune->settings, iteration) > step;
}

static void mask_and_step(network *net)
{
    struct prune *prune = net->prune;
    if (!is_pruned(prune)) return;
    if (prune->found == PRUNE_OTHER_SETTINGS) {         /* said when it matters: a net that is only looked at needs no schedule */
        prune_note("the weights were saved with other pruning settings: their zeros stay pruned, the schedule begins by the iteration count");
        prune->found = PRUNE_ABSENT;
    }
    finish_settings(net);
    int iteration = (int)get_current_batch(net);
    int due = prune_schedule_step(&prune->settings, iteration), overdue = prune_schedule_step(&prune->settings, iteration - 1);
    prune->state.step = step_so_far(prune, iteration);
    if (overdue > prune->state.step)
        prune_note("iteration %d is past step %d of %d: what the schedule has missed is pruned at once; -clear counts iterations from 0", iteration, overdue, prune->settings.steps);
    if (due > prune->state.step && prune->settings.order != PRUNE_TOGETHER)     /* no kind may miss its last step */
        for (int t = prune->state.step + 1; t < due; t++) run_step(net, t, iteration);
    if (due > prune->state.step) run_step(net, due, iteration);
    if (prune->coupled) prune_structure_hold(&prune->coupled->structure);
    for (int i = 0; i < prune->n_tensors; i++)
        if (!prune_training_spares(net, &prune->tensors[i])) prune_mask_before_update(&prune->tensors[i], prune->settings.rule);
    enum prune_kind fixed = prune_schedule_fixed(&prune->settings, iteration);
    if (fixed != PRUNE_UNKNOWN) hold_fixed(net, fixed);
}

void prune_before_update(network *net)
{
    if (net->prune && net->prune->codebooks) prune_codebooks_before_update(net);
    mask_and_step(net);
    prune_training_update(net);
}

void prune_after_update(network *net)
{
    struct prune *prune = net->prune;
    if (prune && prune->codebooks) prune_codebooks_after_update(net);
    if (!is_pruned(prune)) return;
    enum prune_kind fixed = prune_schedule_fixed(&prune->settings, (int)get_current_batch(net));
    if (fixed != PRUNE_UNKNOWN) let_go(net, fixed);
    for (int i = 0; i < prune->n_tensors; i++)
        if (!prune_training_spares(net, &prune->tensors[i])) prune_mask_after_update(&prune->tensors[i], prune->settings.rule);
}
