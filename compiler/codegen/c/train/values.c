/* The arrays of a training: weights, states, sums, and room for a batch. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "parts.h"
#include "states.h"

static const nw_trainer *const plan = &nw_the_trainer;

static void *room_for(int64_t bytes) {
    void *memory = NULL;
    if (bytes < 0 || posix_memalign(&memory, 64, (size_t)bytes + 64)) fail(EXIT_SYSTEM, "out of memory");
    memset(memory, 0, (size_t)bytes + 64);
    return memory;
}

int64_t tensor_bytes(const nw_tensor *of) {
    int64_t bytes = of->dtype.size;
    for (int32_t i = 0; i < of->rank; i++) bytes *= of->shape[i];
    return bytes;
}

static unsigned char **make_tensors(training *t, const nw_tensor *tensors, int32_t count) {
    unsigned char **made = allocate((size_t)count, sizeof *made);
    for (int32_t i = 0; i < count; i++) {
        made[i] = room_for(tensor_bytes(&tensors[i]));
        if (tensors[i].initial) memcpy(made[i], tensors[i].initial, (size_t)tensor_bytes(&tensors[i]));
        if (tensors[i].buffer >= 0) t->call.buffers[tensors[i].buffer] = made[i];
    }
    return made;
}

void make_values(training *t) {
    const nw_model *model = &nw_the_model;
    call made = {allocate((size_t)model->dim_count, sizeof *made.dims), allocate((size_t)model->buffer_count, sizeof *made.buffers),
                 NULL, NULL};
    t->call = made;
    for (int32_t i = 0; i < model->dim_count; i++) made.dims[i] = model->dims[i].min;
    for (int32_t i = 0; i < model->buffer_count; i++) {
        const nw_buffer *buffer = &model->buffers[i];
        int64_t bytes = buffer->dtype.size;
        int bad = 0;
        if (buffer->use == NW_DATA) { /* constants; weights get memory of their own below */
            union {
                const void *in;
                void *out;
            } data = {buffer->data};
            made.buffers[i] = data.out;
        } else if (buffer->use == NW_OUTPUT) {
            for (int32_t axis = 0; axis < buffer->rank; axis++)
                bytes = nw_mul(bytes, model->size(i, axis, made.dims, &bad), &bad);
            made.buffers[i] = room_for(bad ? -1 : bytes);
        }
    }
    t->weights = make_tensors(t, plan->weights, plan->weight_count);
    make_states(t);
    t->row = allocate((size_t)sums_width(), sizeof *t->row);
    make_parts(t);
    t->good = new_weights();
}

/* An epoch that was begun with larger batches goes on with them. */
void make_batch_room(training *t) {
    const nw_model *model = &nw_the_model;
    int64_t batch = plan->batch_size > t->at.batch_size ? plan->batch_size : t->at.batch_size;
    int64_t most = t->validated && t->valid.samples > t->train.samples ? t->valid.samples : t->train.samples;
    if (batch > most) batch = most;
    for (int32_t i = 0; i < model->buffer_count; i++) {
        if (model->buffers[i].use != NW_INPUT) continue;
        int64_t bytes = t->train.row_bytes[i];
        int bad = 0;
        if (t->validated && t->valid.row_bytes[i] > bytes) bytes = t->valid.row_bytes[i];
        bytes = nw_mul(bytes, batch, &bad);
        t->call.buffers[i] = room_for(bad ? -1 : bytes);
    }
    make_variation_room(t, batch);
}

unsigned char **new_weights(void) {
    unsigned char **made = allocate((size_t)plan->weight_count, sizeof *made);
    for (int32_t i = 0; i < plan->weight_count; i++) made[i] = room_for(tensor_bytes(&plan->weights[i]));
    return made;
}

int64_t count_updates(const training *t) {
    int64_t count = 0;
    int size = plan->states[plan->updates].dtype.size;
    memcpy(&count, t->states[plan->updates], (size_t)size);
    return size == 4 ? (int32_t)count : count;
}

void kept_weights(const training *t, const unsigned char **kept) {
    int averaged = count_updates(t) > 0;
    for (int32_t i = 0; i < plan->weight_count; i++) {
        int32_t average = plan->weights[i].average;
        kept[i] = averaged && average >= 0 ? t->states[average] : t->weights[i];
    }
}

void copy_weights(unsigned char **into, const unsigned char *const *from) {
    for (int32_t i = 0; i < plan->weight_count; i++) memcpy(into[i], from[i], (size_t)tensor_bytes(&plan->weights[i]));
}

void bind_weights(training *t, const unsigned char *const *weights) {
    for (int32_t i = 0; i < plan->weight_count; i++) {
        union {
            const unsigned char *in;
            void *out;
        } data = {weights[i]}; /* validation only reads them */
        if (plan->weights[i].buffer >= 0) t->call.buffers[plan->weights[i].buffer] = data.out;
    }
}

void set_scale(training *t, double factor) {
    if (plan->scale >= 0) memcpy(t->states[plan->scale], &factor, sizeof factor);
}

void end_group(training *t) {
    int64_t many = INT64_C(1) << 62;
    if (plan->gathered >= 0) memcpy(t->states[plan->gathered], &many, sizeof many);
}
