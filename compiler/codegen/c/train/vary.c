/* Varies the samples of a batch (runtime/augmentation.py): compiled code does, by their numbers. */
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "training.h"

static const nw_trainer *const plan = &nw_the_trainer;

static unsigned char *room_for(size_t bytes) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, bytes + 64)) fail(EXIT_SYSTEM, "out of memory");
    return memory;
}

void make_variation_room(training *t, int64_t batch) {
    variations *room = &t->vary;
    room->batch = -1;
    if (!plan->variation_count) return;
    room->plain = allocate((size_t)plan->variation_count, sizeof *room->plain);
    room->rows = allocate((size_t)batch, sizeof *room->rows);
    room->steps = allocate((size_t)batch, sizeof *room->steps);
    t->train.varied = allocate((size_t)nw_the_model.buffer_count, sizeof *t->train.varied);
    for (int32_t i = 0; i < plan->variation_count; i++) {
        int32_t input = plan->variations[i].input;
        size_t bytes = (size_t)t->train.row_bytes[input] * (size_t)batch;
        room->plain[i] = room_for(bytes);
        t->train.varied[input] = room_for(bytes);
    }
}

static const nw_entry *entry_for(const nw_variation *of, nw_dtype stored) {
    for (int32_t i = 0; i < of->variant_count; i++)
        if (of->variants[i].stored.kind == stored.kind && of->variants[i].stored.size == stored.size) return &of->variants[i].entry;
    return &of->variants[0].entry;
}

/* How many steps of a sample count. */
static int64_t steps_of(const nw_variation *of, const dataset *data, int64_t row) {
    int bad = 0;
    int64_t all = nw_the_model.size(of->input, 1, data->dims, &bad);
    int64_t own = of->lengths < 0 ? all : whole_number(data, of->lengths, row);
    return own < 0 ? 0 : own > all ? all : own;
}

static void vary_input(training *t, int32_t number, const int64_t *samples, int64_t count) {
    const nw_variation *of = &plan->variations[number];
    dataset *data = &t->train;
    size_t bytes = (size_t)data->row_bytes[of->input];
    for (int64_t k = 0; k < count; k++) {
        int64_t row = sample_row(data, samples[k]);
        memcpy(t->vary.plain[number] + (size_t)k * bytes, data->arrays[of->input] + (size_t)row * bytes, bytes);
        t->vary.rows[k] = samples[k];
        t->vary.steps[k] = steps_of(of, data, row);
    }
    call c = {allocate((size_t)of->dim_count + 1, sizeof *c.dims), allocate((size_t)of->buffer_count, sizeof *c.buffers), NULL, NULL};
    c.dims[0] = count;
    for (int32_t i = 0; i < of->dim_count; i++) c.dims[i + 1] = data->dims[of->dims[i]];
    const struct {
        int32_t place;
        void *data;
    } given[] = {{of->plain, t->vary.plain[number]},
                 {of->rows, t->vary.rows},
                 {of->epoch, &t->at.epoch},
                 {of->steps, t->vary.steps},
                 {of->varied, data->varied[of->input]}};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) c.buffers[given[i].place] = given[i].data;
    int32_t code = try_entry(&t->runner, entry_for(of, data->stored[of->input]), &c);
    if (code) fail(EXIT_SYSTEM, "%s", nw_the_model.error(code));
    free(c.dims);
    free(c.buffers);
}

/* The windows of a batch share its samples. */
void vary_batch(training *t, int64_t number, const int64_t *samples, int64_t count) {
    if (t->vary.batch == number && t->vary.epoch == t->at.epoch) return;
    for (int32_t i = 0; i < plan->variation_count; i++) vary_input(t, i, samples, count);
    t->vary.batch = number;
    t->vary.epoch = t->at.epoch;
}
