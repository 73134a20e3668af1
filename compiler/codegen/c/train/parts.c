#include "parts.h"

#include <stdlib.h>
#include <string.h>

#include "failure.h"

/* Enough for a tree over 2^62 parts. */
enum { MOST_LEVELS = 63, LINE = 64 };

/* All gradients lie in one block. Sums of parts wait in further ones, one for each level of the tree. */
typedef struct {
    unsigned char *gradients, *sums[MOST_LEVELS];
    size_t bytes;
    double *row;
    const batch_list *list;
    int64_t number, count;
} parted;

static const nw_trainer *const plan = &nw_the_trainer;

static unsigned char *zeros(size_t bytes) {
    void *memory = NULL;
    if (posix_memalign(&memory, LINE, bytes + LINE)) fail(EXIT_SYSTEM, "out of memory");
    memset(memory, 0, bytes + LINE);
    return memory;
}

static size_t room_of(int32_t number) {
    size_t bytes = (size_t)nw_the_model.buffers[number].dtype.size;
    int bad = 0;
    for (int32_t axis = 0; axis < nw_the_model.buffers[number].rank; axis++)
        bytes *= (size_t)nw_the_model.size(number, axis, NULL, &bad);
    return (bytes + LINE - 1) / LINE * LINE;
}

void make_parts(training *t) {
    const nw_parts *parts = plan->parts;
    if (!parts) return;
    parted *made = allocate(1, sizeof *made);
    for (int32_t i = 0; i < parts->gradient_count; i++) made->bytes += room_of(parts->gradient[i]);
    made->gradients = zeros(made->bytes);
    made->row = allocate((size_t)sums_width(), sizeof *made->row);
    unsigned char *at = made->gradients;
    for (int32_t i = 0; i < parts->gradient_count; i++) {
        t->call.buffers[parts->gradient[i]] = at;
        at += room_of(parts->gradient[i]);
    }
    for (int32_t i = 0; i < parts->loss_count; i++) t->call.buffers[parts->losses[i].whole] = zeros(sizeof(double));
    if (parts->rows >= 0) t->call.buffers[parts->rows] = zeros(sizeof(double));
    t->parted = made;
}

static int64_t start_of(int64_t count, int64_t part) { return count * part / plan->parts->count; }

static void set_number(const call *c, int32_t buffer, double value) {
    float narrow = (float)value;
    int wide = nw_the_model.buffers[buffer].dtype.size == 8;
    memcpy(c->buffers[buffer], wide ? (const void *)&value : (const void *)&narrow, wide ? sizeof value : sizeof narrow);
}

/* Of how many elements the losses of the whole batch are means. Whether its data are not finite. */
static int count_losses(training *t, const parted *of) {
    const nw_parts *parts = plan->parts;
    double *totals = allocate((size_t)parts->loss_count, sizeof *totals);
    int suspect = 0;
    for (int64_t part = 0; part < parts->count; part++) {
        int64_t first = start_of(of->count, part), count = start_of(of->count, part + 1) - first;
        if (!count) continue;
        gather_batch(&t->train, of->list, of->number, -1, first, count, &t->call);
        suspect |= !t->train.finite && !finite_inputs(&t->call);
        run_entry(&t->runner, &parts->counts, &t->call);
        for (int32_t i = 0; i < parts->loss_count; i++) {
            int32_t own = parts->losses[i].own;
            totals[i] += number_at(&nw_the_model.buffers[own], t->call.buffers[own], 0);
        }
    }
    for (int32_t i = 0; i < parts->loss_count; i++) set_number(&t->call, parts->losses[i].whole, totals[i]);
    if (parts->rows >= 0) set_number(&t->call, parts->rows, (double)of->count);
    free(totals);
    return suspect;
}

/* The gradients of a part. */
static void compute(training *t, parted *of, int64_t part) {
    int64_t first = start_of(of->count, part), count = start_of(of->count, part + 1) - first;
    if (!count) {
        memset(of->gradients, 0, of->bytes);
        return;
    }
    gather_batch(&t->train, of->list, of->number, -1, first, count, &t->call);
    t->call.dims[plan->parts->first_row] = first + 1;
    run_entry(&t->runner, &plan->parts->gradients, &t->call);
    take_sums(&t->call, of->row);
    for (int64_t i = 0, width = sums_width(); i < width; i++) t->row[i] += of->row[i];
}

static void add(unsigned char *to, const unsigned char *from, size_t bytes) {
    if (nw_the_model.buffers[plan->parts->gradient[0]].dtype.size == 8) {
        double *sum = (double *)(void *)to;
        const double *other = (const double *)(const void *)from;
        for (size_t i = 0; i < bytes / sizeof *sum; i++) sum[i] += other[i];
    } else {
        float *sum = (float *)(void *)to;
        const float *other = (const float *)(const void *)from;
        for (size_t i = 0; i < bytes / sizeof *sum; i++) sum[i] += other[i];
    }
}

/* The sum of the parts from `first` to before `last`, in the block of a level (runtime/training/distributed/tree.py). */
static void add_parts(training *t, parted *of, int64_t first, int64_t last, int level) {
    if (!of->sums[level]) of->sums[level] = zeros(of->bytes);
    if (last - first == 1) {
        compute(t, of, first);
        memcpy(of->sums[level], of->gradients, of->bytes);
        return;
    }
    add_parts(t, of, first, (first + last) / 2, level);
    add_parts(t, of, (first + last) / 2, last, level + 1);
    add(of->sums[level], of->sums[level + 1], of->bytes);
}

int divided_step(training *t, const batch_list *list, int64_t number, int64_t count) {
    parted *of = t->parted;
    of->list = list;
    of->number = number;
    of->count = count;
    int suspect = count_losses(t, of);
    memset(t->row, 0, (size_t)sums_width() * sizeof *t->row);
    add_parts(t, of, 0, plan->parts->count, 0);
    memcpy(of->gradients, of->sums[0], of->bytes);
    run_entry(&t->runner, &plan->parts->update, &t->call);
    return suspect;
}

void divided_loss(training *t, const batch_list *list, totals *sums) {
    size_t width = (size_t)sums_width(), parts = (size_t)plan->parts->count;
    double *own = allocate(width * parts, sizeof *own);
    for (int64_t number = 0; number < list->count && !stop_signal; number++) {
        int64_t count = 0;
        batch_samples(list, number, &count);
        for (size_t part = 0; part < parts; part++) {
            int64_t first = start_of(count, (int64_t)part), some = start_of(count, (int64_t)part + 1) - first;
            if (!some) continue;
            gather_batch(&t->valid, list, number, -1, first, some, &t->call);
            run_entry(&t->runner, &plan->loss, &t->call);
            take_sums(&t->call, t->row);
            for (size_t i = 0; i < width; i++) own[part * width + i] += t->row[i];
        }
    }
    memset(t->row, 0, width * sizeof *t->row);
    for (size_t i = 0; i < width * parts; i++) t->row[i % width] += own[i];
    add_totals(sums, t->row);
    free(own);
}
