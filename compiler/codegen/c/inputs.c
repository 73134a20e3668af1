/* Checks the input files against the model's shapes: they determine the dims, and every other size must agree. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "failure.h"
#include "source.h"

static void wrong_shape(const nw_buffer *buffer, const source *from, int32_t axis, int64_t expected) {
    char text[256];
    npy_shape_text(from->header.rank, from->header.shape, text, sizeof text);
    if (axis < 0)
        fail(EXIT_INPUT, "input '%s': %s: expected %d axes, %s, found %d, %s", buffer->name, from->path,
             (int)buffer->rank, buffer->shape, (int)from->header.rank, text);
    fail(EXIT_INPUT, "input '%s': %s: axis %d (%s) should be %" PRId64 ", found %" PRId64 ": expected %s, found %s",
         buffer->name, from->path, (int)axis, buffer->axes[axis].text, expected, from->header.shape[axis], buffer->shape,
         text);
}

static void bind_dims(const nw_buffer *buffer, const source *from, int64_t *dims, char *bound) {
    if (from->header.rank != buffer->rank) wrong_shape(buffer, from, -1, 0);
    for (int32_t axis = 0; axis < buffer->rank; axis++) {
        int32_t which = buffer->axes[axis].dim;
        int64_t found = from->header.shape[axis];
        if (which < 0) continue;
        const nw_dim *dim = &nw_the_model.dims[which];
        if (bound[which]) {
            if (dims[which] != found) wrong_shape(buffer, from, axis, dims[which]);
            continue;
        }
        if (found < dim->min)
            fail(EXIT_INPUT, "input '%s': %s: axis %d (%s) should be at least %" PRId64 ", found %" PRId64, buffer->name,
                 from->path, (int)axis, dim->name, dim->min, found);
        if (dim->max >= 0 && found > dim->max)
            fail(EXIT_INPUT, "input '%s': %s: axis %d (%s) should be at most %" PRId64 ", found %" PRId64, buffer->name,
                 from->path, (int)axis, dim->name, dim->max, found);
        if (found % dim->multiple) {
            int64_t below = found - found % dim->multiple, above = below + dim->multiple;
            char fitting[64];
            if (below < dim->min)
                snprintf(fitting, sizeof fitting, "%" PRId64, above);
            else if (dim->max >= 0 && above > dim->max)
                snprintf(fitting, sizeof fitting, "%" PRId64, below);
            else
                snprintf(fitting, sizeof fitting, "%" PRId64 " or %" PRId64, below, above);
            fail(EXIT_INPUT,
                 "input '%s': %s: axis %d (%s) should be a multiple of %" PRId64 ", %s, found %" PRId64, buffer->name,
                 from->path, (int)axis, dim->name, dim->multiple, fitting, found);
        }
        dims[which] = found;
        bound[which] = 1;
    }
}

/* The largest of the lengths in a buffer, at least 1. */
static int64_t longest(const int64_t *lengths, int64_t count) {
    int64_t most = 1;
    for (int64_t i = 0; i < count; i++)
        if (lengths[i] > most) most = lengths[i];
    return most;
}

/* Lengths that are not given: every sequence is as long as there are steps. */
static void whole_lengths(int32_t number, call *c, source *from) {
    const nw_buffer *buffer = &nw_the_model.buffers[number];
    int bad = 0;
    int64_t count = nw_the_model.size(number, 0, c->dims, &bad), steps = nw_the_model.high(buffer->whole, c->dims, &bad);
    int64_t *lengths = bad || count < 0 ? NULL : allocate((size_t)count, sizeof *lengths);
    if (!lengths) fail(EXIT_INPUT, "'%s' would be too large", buffer->name);
    for (int64_t i = 0; i < count; i++) lengths[i] = steps;
    from->header.shape[0] = count;
    c->buffers[number] = lengths;
}

void read_inputs(const options *asked, call *c) {
    const nw_model *model = &nw_the_model;
    source *sources = allocate((size_t)model->buffer_count, sizeof *sources);
    char *bound = allocate((size_t)model->dim_count, 1);
    for (int32_t i = 0; i < model->dim_count; i++) c->dims[i] = model->dims[i].min;
    for (int32_t i = 0; i < model->buffer_count; i++) {
        if (!asked->inputs[i]) continue;
        open_source(asked, i, c->dims, &sources[i]);
        bind_dims(&model->buffers[i], &sources[i], c->dims, bound);
    }
    for (int32_t i = 0; i < model->buffer_count; i++) {
        const nw_buffer *buffer = &model->buffers[i];
        if (buffer->use != NW_INPUT) continue;
        if (!asked->inputs[i]) {
            whole_lengths(i, c, &sources[i]);
            continue;
        }
        for (int32_t axis = 0; axis < buffer->rank; axis++) {
            int bad = 0;
            int64_t size = model->size(i, axis, c->dims, &bad);
            if (bad || size != sources[i].header.shape[axis]) wrong_shape(buffer, &sources[i], axis, size);
        }
        c->buffers[i] = read_source(buffer, &sources[i]);
    }
    for (int32_t i = 0; i < model->dim_count; i++) {
        int32_t lengths = model->dims[i].longest_of;
        if (lengths >= 0) c->dims[i] = longest(c->buffers[lengths], sources[lengths].header.shape[0]);
    }
    free(bound);
    free(sources);
}

void prepare_buffers(call *c) {
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        const nw_buffer *buffer = &nw_the_model.buffers[i];
        int64_t bytes = buffer->dtype.size;
        int bad = 0;
        if (buffer->use == NW_DATA) {
            union {
                const void *in;
                void *out;
            } data = {buffer->data}; /* one table has the pointers of buffers that are read and of those that are written */
            c->buffers[i] = data.out;
        }
        if (buffer->use != NW_OUTPUT && buffer->use != NW_STATE) continue;
        for (int32_t axis = 0; axis < buffer->rank; axis++) {
            c->shapes[i][axis] = nw_the_model.size(i, axis, c->dims, &bad);
            bad |= c->shapes[i][axis] < 0;
            bytes = nw_mul(bytes, c->shapes[i][axis], &bad);
        }
        if (bad || (uint64_t)bytes >= SIZE_MAX / 2) fail(EXIT_INPUT, "'%s' would be too large", buffer->name);
        c->buffers[i] = calloc((size_t)bytes + 64, 1);
        if (!c->buffers[i]) fail(EXIT_SYSTEM, "out of memory: '%s' has %" PRId64 " bytes", buffer->name, bytes);
        npy_array array = {buffer->name, buffer->dtype, buffer->rank, c->shapes[i], c->buffers[i], bytes};
        c->arrays[i] = array;
    }
}
