/* Batches: samples copied into the buffers that the entries read. */
#include <inttypes.h>
#include <string.h>

#include "dataset.h"
#include "failure.h"

/* Dims that are the longest of some lengths in the batch. */
void set_longest(call *c, int64_t count) {
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

/* Copies a part of an array's row: `axes` axes, of which each has a start and a size in the part. Where the part ends. */
static unsigned char *copy_part(unsigned char *to, const unsigned char *from, int32_t axes, const int64_t *shape,
                                const int64_t *start, const int64_t *size, size_t item) {
    int64_t inner = 1;
    int whole = 1;
    for (int32_t i = 1; i < axes; i++) {
        inner *= shape[i];
        whole &= size[i] == shape[i];
    }
    size_t step = (size_t)inner * item;
    if (!axes || whole) {
        size_t bytes = axes ? (size_t)size[0] * step : item;
        memcpy(to, from + (axes ? (size_t)start[0] * step : 0), bytes);
        return to + bytes;
    }
    for (int64_t i = start[0]; i < start[0] + size[0]; i++)
        to = copy_part(to, from + (size_t)i * step, axes - 1, shape + 1, start + 1, size + 1, item);
    return to;
}

int64_t sample_row(const dataset *of, int64_t sample) {
    int64_t number = sample % of->samples;
    return of->rows ? of->rows[number] : number;
}

static void gather_array(const dataset *from, const int64_t *batch, int64_t first, int64_t count, const cuts *cut,
                         int32_t number, call *c) {
    const nw_buffer *buffer = &nw_the_model.buffers[number];
    int64_t shape[NPY_MAX_RANK], start[NPY_MAX_RANK], size[NPY_MAX_RANK];
    int32_t axes = buffer->rank - 1;
    int seen = 0;
    for (int32_t i = 0; i < axes; i++) {
        int32_t dim = buffer->axes[i + 1].dim;
        int bad = 0;
        shape[i] = size[i] = nw_the_model.size(number, i + 1, from->dims, &bad);
        start[i] = 0;
        if (!cut || dim < 0 || cut->size[dim] < 0 || (cut->first_only && seen)) continue;
        start[i] = cut->start[dim];
        size[i] = cut->size[dim];
        seen = 1;
    }
    unsigned char *to = c->buffers[number];
    int varied = from->varied && from->varied[number];
    for (int64_t k = first; k < first + count; k++) {
        const unsigned char *rows = varied ? from->varied[number] : from->arrays[number];
        int64_t row = varied ? k : sample_row(from, batch[k]);
        const unsigned char *at = rows + (size_t)row * (size_t)from->row_bytes[number];
        to = copy_part(to, at, axes, shape, start, size, (size_t)buffer->dtype.size);
    }
}

void gather(const dataset *from, const int64_t *batch, int64_t first, int64_t count, const cuts *cut, call *c) {
    const nw_model *model = &nw_the_model;
    memcpy(c->dims, from->dims, (size_t)model->dim_count * sizeof *c->dims);
    for (int32_t i = 0; i < model->dim_count && cut; i++)
        if (cut->size[i] >= 0) c->dims[i] = cut->size[i];
    for (int32_t i = 0; i < model->buffer_count; i++) {
        if (model->buffers[i].use != NW_INPUT) continue;
        set_batch(&model->buffers[i], count, c);
        gather_array(from, batch, first, count, cut, i, c);
    }
    set_longest(c, count);
}

int finite_inputs(const call *c) {
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        const nw_buffer *buffer = &nw_the_model.buffers[i];
        int64_t bytes = buffer->dtype.size;
        int bad = 0;
        if (buffer->use != NW_INPUT) continue;
        for (int32_t axis = 0; axis < buffer->rank; axis++) bytes *= nw_the_model.size(i, axis, c->dims, &bad);
        if (!finite_array(c->buffers[i], buffer->dtype, bytes)) return 0;
    }
    return 1;
}

int64_t whole_number(const dataset *of, int32_t buffer, int64_t row) {
    const nw_dtype dtype = nw_the_model.buffers[buffer].dtype;
    uint64_t bits = 0;
    memcpy(&bits, of->arrays[buffer] + row * of->row_bytes[buffer], (size_t)dtype.size);
    int unused = 64 - 8 * dtype.size;
    return dtype.kind == 'i' ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
}
