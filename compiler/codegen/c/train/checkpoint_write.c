/* Writes checkpoints and weights as netwright does (runtime/training/checkpoint.py, runtime/sessions/weights.py). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "names.h"
#include "place.h"
#include "training.h"

static const nw_trainer *const plan = &nw_the_trainer;

static void string_of(text *to, const char *value) { text_string(to, value, strlen(value)); }

void identity_text(const training *t, text *into) {
    char *monitor = monitor_name(t);
    text_add(into, "{\"samples\": %" PRId64 ", \"monitor\": ", t->train.samples);
    if (monitor)
        string_of(into, monitor);
    else
        text_add(into, "null");
    text_add(into, ", %s}", plan->identity);
    free(monitor);
}

/* The sums of a score as they are nested in Python: a number per part, or lists in the part's shape. */
static void add_nested(text *to, int32_t number, int32_t axis, const double **at) {
    const nw_buffer *buffer = &nw_the_model.buffers[number];
    int bad = 0;
    if (axis == buffer->rank) {
        text_number(to, *(*at)++);
        return;
    }
    text_add(to, "[");
    for (int64_t i = 0, size = nw_the_model.size(number, axis, NULL, &bad); i < size; i++) {
        if (i) text_add(to, ", ");
        add_nested(to, number, axis + 1, at);
    }
    text_add(to, "]");
}

static void add_sums(text *to, const totals *sums) {
    text_add(to, "{");
    for (int32_t i = 0; i < plan->score_count && sums->known; i++) {
        const double *at = sums->sums[i];
        if (i) text_add(to, ", ");
        string_of(to, plan->scores[i].name);
        text_add(to, ": [");
        for (int32_t k = 0; k < plan->scores[i].sum_count; k++) {
            if (k) text_add(to, ", ");
            add_nested(to, plan->scores[i].sums[k], 0, &at);
        }
        text_add(to, "]");
    }
    text_add(to, "}");
}

static void add_scores(text *to, const double *values) {
    if (!values) {
        text_add(to, "null");
        return;
    }
    text_add(to, "{");
    for (int32_t i = 0; i < plan->score_count; i++) {
        if (i) text_add(to, ", ");
        string_of(to, plan->scores[i].name);
        text_add(to, ": ");
        text_number(to, values[i]);
    }
    text_add(to, "}");
}

static void add_record(text *to, const epoch_record *record) {
    text_add(to, "{\"epoch\": %" PRId64 ", \"steps\": %" PRId64 ", \"train\": ", record->epoch, record->steps);
    add_scores(to, record->train);
    text_add(to, ", \"valid\": ");
    add_scores(to, record->valid);
    text_add(to, ", \"seconds\": ");
    text_number(to, record->seconds);
    text_add(to, ", \"samples\": %" PRId64 ", \"learning_rate\": ", record->samples);
    text_number(to, record->rate);
    text_add(to, "}");
}

static void add_path(text *to, const char *path) {
    char folder[4096];
    text whole = {0};
    text_add(&whole, "%s%s%s", path[0] == '/' || !getcwd(folder, sizeof folder) ? "" : folder, path[0] == '/' ? "" : "/", path);
    text_string(to, whole.data, whole.length);
    text_free(&whole);
}

/* How long the folder in a path is. */
static size_t folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash + 1 - path) : 0;
}

/* What `netwright train --resume` goes on with: weights beside the checkpoint, the settings, the data. */
static void add_origin(text *to, const training *t) {
    const char *weights = t->asked.weights, *checkpoint = t->asked.checkpoint;
    size_t folder = folder_of(weights);
    int beside = folder == folder_of(checkpoint) && memcmp(weights, checkpoint, folder) == 0;
    text_add(to, "{\"weights\": ");
    string_of(to, beside ? weights + folder : "");
    text_add(to, ", \"settings\": %s, \"data\": {\"train\": ", plan->settings);
    add_path(to, t->asked.train);
    if (t->asked.valid) {
        text_add(to, ", \"valid\": ");
        add_path(to, t->asked.valid);
    }
    text_add(to, "}, \"engine\": \"native\"}");
}

static void add_place(text *to, const training *t) {
    const progress *at = &t->at;
    text_add(to, "{\"identity\": ");
    identity_text(t, to);
    text_add(to, ", \"epoch\": %" PRId64 ", \"batch\": %" PRId64 ", \"step\": %" PRId64 ", \"samples\": %" PRId64 ", \"seconds\": ",
             at->epoch, at->batch, at->step, at->samples);
    text_number(to, at->seconds);
    text_add(to, ", \"totals\": ");
    add_sums(to, &at->sums);
    text_add(to, ", \"history\": [");
    for (int64_t i = 0; i < at->finished; i++) {
        if (i) text_add(to, ", ");
        add_record(to, &at->history[i]);
    }
    text_add(to, "], \"best_epoch\": ");
    if (at->best_epoch)
        text_add(to, "%" PRId64, at->best_epoch);
    else
        text_add(to, "null");
    text_add(to, ", \"batch_size\": %" PRId64 ", \"recorded\": [], \"origin\": ", at->batch_size);
    add_origin(to, t);
    text_add(to, "}");
}

static void put(tensors_to_write *all, const char *prefix, const nw_tensor *tensors, int32_t count, const unsigned char *const *data) {
    for (int32_t i = 0; i < count; i++) {
        tensor_to_write each = {prefix, tensors[i].name, tensors[i].dtype, tensors[i].rank, tensors[i].shape, data[i]};
        all->tensors[all->count++] = each;
    }
}

/* Metadata is sorted by its keys. `place`: how far a training is, or NULL. */
static text metadata_of(const training *t, const char *format, const text *place) {
    text made = {0};
    const json *classes = names_of(&t->train, "classes"), *vocabularies = names_of(&t->train, "vocabularies");
    text_add(&made, "{");
    if (classes) {
        text_add(&made, "\"classes\":");
        text_string(&made, classes->text, classes->length);
        text_add(&made, ",");
    }
    text_add(&made, "\"format\":\"%s\",\"model\":", format);
    string_of(&made, plan->model);
    text_add(&made, ",\"netwright\":");
    string_of(&made, plan->version);
    if (place) {
        text_add(&made, ",\"training\":");
        text_string(&made, place->data, place->length);
    }
    if (vocabularies) {
        text_add(&made, ",\"vocabularies\":");
        text_string(&made, vocabularies->text, vocabularies->length);
    }
    text_add(&made, "}");
    return made;
}

void save_checkpoint(const training *t, const char *path) {
    text place = {0};
    add_place(&place, t);
    text metadata = metadata_of(t, "netwright-checkpoint-2", &place);
    size_t most = (size_t)(2 * plan->weight_count + plan->state_count);
    tensors_to_write all = {metadata.data, allocate(most, sizeof *all.tensors), 0};
    put(&all, "weights.", plan->weights, plan->weight_count, (const unsigned char *const *)t->weights);
    for (int32_t i = 0; i < plan->state_count; i++) {
        const nw_tensor *state = &plan->states[i];
        if (!t->state_shapes[i]) continue;
        tensor_to_write each = {"state.", state->name, state->dtype, state->rank, t->state_shapes[i], t->states[i]};
        all.tensors[all.count++] = each;
    }
    if (t->at.best_epoch) put(&all, "best.", plan->weights, plan->weight_count, (const unsigned char *const *)t->best);
    write_content(path, tensors_write, &all);
    free(all.tensors);
    text_free(&metadata);
    text_free(&place);
}

void save_weights(const training *t, const unsigned char *const *weights) {
    text metadata = metadata_of(t, "np", NULL);
    tensors_to_write all = {metadata.data, allocate((size_t)plan->weight_count, sizeof *all.tensors), 0};
    put(&all, "", plan->weights, plan->weight_count, weights);
    write_content(t->asked.weights, tensors_write, &all);
    free(all.tensors);
    text_free(&metadata);
}
