/* Reads checkpoints, those of netwright, too, and trusts nothing in them. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "names.h"
#include "resume.h"
#include "states.h"

static const nw_trainer *const plan = &nw_the_trainer;

#define FAIL(...) return snprintf(message, NPY_MESSAGE, __VA_ARGS__), -1

static int is_number(const json *value) { return value && value->kind == JSON_NUMBER; }

static int read_record(const json *from, int64_t number, epoch_record *into) {
    const json *parts[] = {json_member(from, "train"), json_member(from, "valid")};
    const json *seconds = json_member(from, "seconds"), *rate = json_member(from, "learning_rate");
    double **values[] = {&into->train, &into->valid};
    into->epoch = number;
    if (!json_whole(json_member(from, "steps"), 0, &into->steps) || !json_whole(json_member(from, "samples"), 0, &into->samples))
        return -1;
    for (int k = 0; k < 2; k++) {
        if (k && (!parts[k] || parts[k]->kind == JSON_NULL)) continue;
        *values[k] = allocate((size_t)plan->score_count, sizeof **values[k]);
        for (int32_t i = 0; i < plan->score_count; i++) {
            const json *value = json_member(parts[k], plan->scores[i].name);
            if (!is_number(value)) return -1;
            (*values[k])[i] = value->number;
        }
    }
    into->seconds = is_number(seconds) ? seconds->number : 0;
    into->rate = is_number(rate) ? rate->number : NAN;
    return 0;
}

/* The numbers in nested lists, one after the other. How many there are, or -1. */
static int64_t read_nested(const json *from, double *to, int64_t room) {
    if (is_number(from)) {
        if (room < 1) return -1;
        *to = from->number;
        return 1;
    }
    int64_t count = 0;
    if (from->kind != JSON_LIST) return -1;
    for (const json *item = from->first; item; item = item->next) {
        int64_t more = read_nested(item, to + count, room - count);
        if (more < 0) return -1;
        count += more;
    }
    return count;
}

static int read_sums(const json *from, totals *into) {
    if (!from || from->kind != JSON_OBJECT) return -1;
    into->known = from->first != NULL;
    for (int32_t i = 0; i < plan->score_count && into->known; i++) {
        const json *parts = json_member(from, plan->scores[i].name), *part = parts ? parts->first : NULL;
        double *to = into->sums[i];
        if (!parts || parts->kind != JSON_LIST || parts->count != (size_t)plan->scores[i].sum_count) return -1;
        for (int32_t k = 0; k < plan->scores[i].sum_count; k++, part = part->next) {
            int64_t count = sum_size(i, k);
            if (read_nested(part, to, count) != count) return -1;
            to += count;
        }
    }
    return 0;
}

int read_progress(const json *from, progress *into, char message[NPY_MESSAGE]) {
    const json *history = json_member(from, "history"), *best = json_member(from, "best_epoch"),
               *seconds = json_member(from, "seconds");
    if (!json_whole(json_member(from, "epoch"), 0, &into->epoch) || !json_whole(json_member(from, "batch"), 0, &into->batch) ||
        !json_whole(json_member(from, "step"), 0, &into->step) || !json_whole(json_member(from, "samples"), 0, &into->samples) ||
        !json_whole(json_member(from, "batch_size"), 1, &into->batch_size) || !history || history->kind != JSON_LIST ||
        !is_number(seconds))
        FAIL("it does not say how far the training is");
    into->seconds = seconds->number;
    into->finished = 0;
    into->history = allocate(history->count + 1, sizeof *into->history);
    for (const json *record = history->first; record; record = record->next, into->finished++)
        if (read_record(record, into->finished + 1, &into->history[into->finished]))
            FAIL("epoch %" PRId64 " of its history can't be read", into->finished + 1);
    if (into->epoch != into->finished) FAIL("it is in epoch %" PRId64 " after %" PRId64, into->epoch + 1, into->finished);
    into->best_epoch = 0;
    if (best && best->kind != JSON_NULL && (!json_whole(best, 1, &into->best_epoch) || into->best_epoch > into->finished))
        FAIL("its best epoch is none that it has");
    if (read_sums(json_member(from, "totals"), &into->sums)) FAIL("its sums are not those of this network's scores");
    return 0;
}

static int is_type(const tensor *stored, const nw_tensor *wanted) {
    return stored->dtype.kind == wanted->dtype.kind && stored->dtype.size == wanted->dtype.size && stored->rank == wanted->rank;
}

static int take_weights(const tensor_file *file, const char *prefix, unsigned char **into, char message[NPY_MESSAGE]) {
    for (int32_t i = 0; i < plan->weight_count; i++) {
        const nw_tensor *wanted = &plan->weights[i];
        const tensor *stored = tensors_find(file, prefix, wanted->name);
        if (!stored) FAIL("%s%s is missing", prefix, wanted->name);
        if (!is_type(stored, wanted) || memcmp(stored->shape, wanted->shape, (size_t)wanted->rank * sizeof *wanted->shape) != 0)
            FAIL("%s%s has another shape or type than in this network", prefix, wanted->name);
        memcpy(into[i], stored->data, (size_t)stored->bytes);
    }
    return 0;
}

/* One that is not there begins as in a new training: of an open size, or the factor of a schedule that was another one. */
static int take_states(const tensor_file *file, training *t, char message[NPY_MESSAGE]) {
    for (int32_t i = 0; i < plan->state_count; i++) {
        const nw_tensor *wanted = &plan->states[i];
        const tensor *stored = tensors_find(file, "state.", wanted->name);
        int open = 0, fits = 1;
        for (int32_t axis = 0; axis < wanted->rank; axis++) open |= wanted->shape[axis] < 0;
        if (!stored && (open || plan->scale == i)) continue;
        if (!stored) FAIL("state.%s is missing", wanted->name);
        for (int32_t axis = 0; axis < wanted->rank && stored->rank == wanted->rank; axis++)
            fits &= wanted->shape[axis] < 0 || wanted->shape[axis] == stored->shape[axis];
        if (!is_type(stored, wanted) || !fits) FAIL("state.%s has another shape or type than in this network", wanted->name);
        size_state(t, i, stored->shape);
        memcpy(t->states[i], stored->data, (size_t)stored->bytes);
    }
    return 0;
}

/* Whether two values are equal as Python compares them; if not, `where` says which part differs. */
static int same(const json *a, const json *b, const char *key, text *where) {
    int equal = a && b && a->kind == b->kind;
    if (equal && a->kind == JSON_NUMBER) equal = a->number == b->number || json_is(a->text, a->length, b->text);
    if (equal && a->kind == JSON_STRING) equal = a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
    if (equal && a->kind == JSON_LIST) {
        equal = a->count == b->count;
        for (const json *x = a->first, *y = b->first; equal && x; x = x->next, y = y->next)
            if (!same(x, y, key, where)) return 0;
    }
    if (equal && a->kind == JSON_OBJECT) {
        for (const json *y = b->first; y; y = y->next)
            if (!same(json_member(a, y->name), y, y->name, where)) return 0;
        for (const json *x = a->first; x; x = x->next)
            if (!json_member(b, x->name)) return same(x, NULL, x->name, where);
    }
    if (equal) return 1;
    text_add(where, "%s", key);
    if (a && b && (a->kind == JSON_NUMBER || a->kind == JSON_STRING) && (b->kind == JSON_NUMBER || b->kind == JSON_STRING))
        text_add(where, " was %.100s, now is %.100s", a->text, b->text);
    else
        text_add(where, "%s", !a ? " is new" : !b ? " is gone" : " was another");
    return 0;
}

int same_identity(const json *saved, const json *now, text *where) { return same(saved, now, "the training", where); }

void load_checkpoint(training *t, const char *path) {
    tensor_file file;
    char message[NPY_MESSAGE], problem[JSON_MESSAGE] = "";
    text own = {0}, where = {0};
    FILE *stored = fopen(path, "rb");
    if (!stored) fail(EXIT_INPUT, "--resume %s: %s", path, strerror(errno));
    if (tensors_read(stored, &file, message)) fail(EXIT_INPUT, "--resume %s: %s", path, message);
    fclose(stored);
    const json *format = tensors_metadata(&file, "format"), *place = tensors_metadata(&file, "training");
    if (!format || !place || !json_is(format->text, format->length, "netwright-checkpoint-2"))
        fail(EXIT_INPUT, "--resume %s is not a checkpoint that this program can resume", path);
    json *saved = json_read(place->text, place->length, problem);
    identity_text(t, &own);
    json *now = json_read(own.data, own.length, problem);
    if (!saved || !now) fail(EXIT_INPUT, "--resume %s can't be resumed from: %s", path, problem);
    if (!same_identity(json_member(saved, "identity"), now, &where))
        fail(EXIT_INPUT, "--resume %s is from a different training: %s. What may change is epochs, learning_rate and the like; a "
             "new training can start with these weights (--init)", path, where.data);
    static const char *const kinds[] = {"classes", "vocabularies"};
    for (int i = 0; i < 2; i++)
        if (other_names(&file, &t->train, kinds[i]))
            fail(EXIT_INPUT, "--resume %s is from a training on data with other %s: go on with those that it began with", path, kinds[i]);
    if (read_progress(saved, &t->at, message) ||
        take_weights(&file, "weights.", t->weights, message) || take_states(&file, t, message))
        fail(EXIT_INPUT, "--resume %s can't be resumed from: %s", path, message);
    if (t->at.best_epoch) {
        t->best = new_weights();
        if (take_weights(&file, "best.", t->best, message))
            fail(EXIT_INPUT, "--resume %s can't be resumed from: %s", path, message);
    }
    text_free(&own);
    json_free(saved);
    json_free(now);
    tensors_free(&file);
}
