/* Batches: samples copied into the buffers that the entries read. */
#include <inttypes.h>
#include <string.h>

#include "dataset.h"
#include "failure.h"

/* Dims that are the longest of some lengths in the batch. */
static void set_longest(call *c, int64_t count) {
    for (int32_t i = 0; i < nw_the_model.dim_count; i++) {
        int32_t lengths = nw_the_model.dims[i].longest_of;
        if (lengths < 0) continue;
        const int64_t *at = c->buffers[lengths];
        c->dims[i] = 1;
        for (int64_t k = 0; k < count; k++)
            if (at[k] > c->dims[i]) c->dims[i] = at[k];
    }
}

static void set_batch(const nw_buffer *buffer, int64_t count, call *c) {
    int32_t which = buffer->axes[0].dim;
    int bad = 0;
    int64_t size = which < 0 ? nw_the_model.size((int32_t)(buffer - nw_the_model.buffers), 0, c->dims, &bad) : count;
    if (bad || size != count)
        fail(EXIT_INPUT, "%s takes batches of %" PRId64 " samples, and one has %" PRId64
             ": give data whose number of samples is a multiple of it", buffer->name, size, count);
    if (which < 0) return;
    const nw_dim *dim = &nw_the_model.dims[which];
    if (count < dim->min || (dim->max >= 0 && count > dim->max) || count % dim->multiple)
        fail(EXIT_INPUT, "a batch has %" PRId64 " samples, which %s can't be: at least %" PRId64 ", at most %" PRId64
             " (-1: any), a multiple of %" PRId64, count, dim->name, dim->min, dim->max, dim->multiple);
    c->dims[which] = count;
}

void gather(const dataset *from, const int64_t *samples, int64_t count, call *c) {
    memcpy(c->dims, from->dims, (size_t)nw_the_model.dim_count * sizeof *c->dims);
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        const nw_buffer *buffer = &nw_the_model.buffers[i];
        if (buffer->use != NW_INPUT) continue;
        set_batch(buffer, count, c);
        size_t bytes = (size_t)from->row_bytes[i];
        for (int64_t k = 0; k < count; k++) {
            int64_t row = from->rows ? from->rows[samples[k]] : samples[k];
            memcpy((unsigned char *)c->buffers[i] + (size_t)k * bytes, from->arrays[i] + (size_t)row * bytes, bytes);
        }
    }
    set_longest(c, count);
}

int finite_inputs(const dataset *from, int64_t count, const call *c) {
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        const nw_buffer *buffer = &nw_the_model.buffers[i];
        if (buffer->use == NW_INPUT && !finite_array(c->buffers[i], buffer->dtype, count * from->row_bytes[i])) return 0;
    }
    return 1;
}
