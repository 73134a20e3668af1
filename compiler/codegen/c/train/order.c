/* The order of an epoch: which samples each batch has (runtime/batches/order.py), and which part of them. */
#include "order.h"

#include <stdlib.h>
#include <string.h>

#include "failure.h"

enum { POOL = 50 }; /* among the samples of so many batches those of similar lengths are put together */

static const nw_trainer *const plan = &nw_the_trainer;

typedef struct {
    int64_t length, place, sample;
} measured;

static int by_length(const void *left, const void *right) {
    const measured *a = left, *b = right;
    if (a->length != b->length) return a->length < b->length ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Sorts the samples of each pool by their lengths, all their sequences together; equal ones stay in order. */
static void group(const dataset *of, int64_t pool, int64_t *order) {
    measured *sorted = allocate((size_t)of->samples, sizeof *sorted);
    for (int64_t i = 0; i < of->samples; i++) {
        int64_t row = sample_row(of, order[i]), length = 0;
        for (int32_t k = 0; k < plan->length_count; k++) {
            int again = 0; /* an array may hold the lengths along several dims */
            for (int32_t j = 0; j < k; j++) again |= plan->lengths[j].buffer == plan->lengths[k].buffer;
            if (!again) length += whole_number(of, plan->lengths[k].buffer, row);
        }
        measured each = {length, i, order[i]};
        sorted[i] = each;
    }
    for (int64_t start = 0; start < of->samples; start += pool) {
        int64_t count = of->samples - start < pool ? of->samples - start : pool;
        qsort(sorted + start, (size_t)count, sizeof *sorted, by_length);
    }
    for (int64_t i = 0; i < of->samples; i++) order[i] = sorted[i].sample;
    free(sorted);
}

int64_t count_batches(const dataset *of, int64_t size) { return of->samples / size + (of->samples % size > 0); }

batch_list make_batches(const dataset *of, int64_t size, int shuffle, int64_t epoch) {
    batch_list made = {count_batches(of, size), size, of->samples, NULL, NULL};
    made.order = allocate((size_t)of->samples, sizeof *made.order);
    made.numbers = allocate((size_t)made.count, sizeof *made.numbers);
    if (shuffle) run_around(&plan->order, of->samples, &epoch, NULL, made.order);
    for (int64_t i = 0; i < of->samples && !shuffle; i++) made.order[i] = i;
    if (shuffle && plan->balanced >= 0) balance_samples(of, epoch, made.order);
    for (int64_t i = 0; i < made.count; i++) made.numbers[i] = i;
    if (plan->grouped) {
        int64_t pool = shuffle && size <= of->samples / POOL ? POOL * size : of->samples;
        group(of, pool, made.order);
        if (shuffle) run_around(&plan->batches, made.count, &epoch, NULL, made.numbers);
    }
    return made;
}

void free_batches(batch_list *of) {
    free(of->order);
    free(of->numbers);
    of->order = of->numbers = NULL;
}

const int64_t *batch_samples(const batch_list *of, int64_t number, int64_t *count) {
    int64_t start = of->numbers[number] * of->size;
    *count = of->samples - start < of->size ? of->samples - start : of->size;
    return of->order + start;
}

int64_t count_windows(const dataset *of) {
    if (!plan->window) return 1;
    int64_t steps = of->dims[plan->time];
    return steps / plan->window + (steps % plan->window > 0);
}

static cuts no_cuts(void) {
    size_t count = (size_t)nw_the_model.dim_count;
    cuts made = {allocate(count, sizeof *made.start), allocate(count, sizeof *made.size), 0};
    for (size_t i = 0; i < count; i++) made.size[i] = -1;
    return made;
}

static void free_cuts(cuts *of) {
    free(of->start);
    free(of->size);
}

/* As long as the longest sequence, or a little longer where the dim wants it. */
static void trim(const dataset *of, const int64_t *samples, int64_t count, cuts *cut) {
    for (int32_t k = 0; k < plan->length_count; k++) {
        const nw_dim *dim = &nw_the_model.dims[plan->lengths[k].dim];
        int64_t *size = &cut->size[plan->lengths[k].dim];
        if (*size < dim->min) *size = dim->min;
        for (int64_t i = 0; i < count; i++) {
            int64_t length = whole_number(of, plan->lengths[k].buffer, sample_row(of, samples[i]));
            if (length > *size) *size = length;
        }
    }
    for (int32_t k = 0; k < plan->length_count; k++) {
        int64_t multiple = nw_the_model.dims[plan->lengths[k].dim].multiple, *size = &cut->size[plan->lengths[k].dim];
        *size = (*size + multiple - 1) / multiple * multiple;
        if (*size > of->dims[plan->lengths[k].dim]) *size = of->dims[plan->lengths[k].dim];
    }
}

/* Of a window, sequences have the steps that are left of them. */
static void shorten(int64_t start, int64_t steps, int64_t count, call *c) {
    for (int32_t k = 0; k < plan->length_count; k++) {
        int32_t number = plan->lengths[k].buffer;
        unsigned char *at = c->buffers[number];
        int size = nw_the_model.buffers[number].dtype.size;
        for (int64_t i = 0; i < count; i++, at += size) {
            int64_t length = 0;
            memcpy(&length, at, (size_t)size); /* not negative: lengths are in range */
            length = length < start ? 0 : length - start > steps ? steps : length - start;
            memcpy(at, &length, (size_t)size);
        }
    }
}

void gather_batch(const dataset *of, const batch_list *list, int64_t number, int64_t window, int64_t first, int64_t count,
                  call *c) {
    int64_t whole = 0;
    const int64_t *samples = batch_samples(list, number, &whole);
    if (window >= 0 && plan->window) {
        cuts cut = no_cuts();
        int64_t start = window * plan->window, steps = of->dims[plan->time] - start;
        if (steps > plan->window) steps = plan->window;
        cut.first_only = 1;
        cut.start[plan->time] = start;
        cut.size[plan->time] = steps;
        gather(of, samples, first, count, &cut, c);
        shorten(start, steps, count, c);
        set_longest(c, count);
        free_cuts(&cut);
    } else if (plan->grouped) {
        cuts cut = no_cuts();
        trim(of, samples, whole, &cut);
        gather(of, samples, first, count, &cut, c);
        free_cuts(&cut);
    } else {
        gather(of, samples, first, count, NULL, c);
    }
}
