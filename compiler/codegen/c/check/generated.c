/* Inputs made by the program itself: compiler/codegen/files/generated.py makes the same. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "failure.h"

enum { GREYS = 256, FEW = 8 };

static uint64_t random_bits(int32_t buffer, int64_t position) {
    uint64_t x = (((uint64_t)buffer << 40) + (uint64_t)position + 1) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static void generate_floats(void *data, int32_t number, int32_t size, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        double x = (double)(random_bits(number, i) >> 40) / 8388608 - 1;
        if (size == 8)
            ((double *)data)[i] = x;
        else
            ((float *)data)[i] = (float)x;
    }
}

static void generate_integers(void *data, int32_t number, int64_t count, const int64_t *dims, int whole) {
    nw_dtype dtype = nw_the_model.buffers[number].dtype;
    int64_t low = 0, high = dtype.kind == 'b' ? 1 : dtype.size == 1 ? GREYS - 1 : FEW - 1;
    int bad = 0, first = 1, lengths = 0;
    for (int32_t i = 0; i < nw_the_model.range_count; i++) {
        const nw_range *range = &nw_the_model.ranges[i];
        if (range->buffer != number) continue;
        int64_t most = nw_the_model.high(i, dims, &bad);
        low = first ? range->low : nw_max(low, range->low);
        high = first ? most : nw_min(high, most);
        lengths |= strcmp(range->what, "length") == 0;
        first = 0;
    }
    if (whole && lengths) low = high;
    uint64_t choices = (uint64_t)nw_max(nw_add(high, 1 - low, &bad), 1);
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits = random_bits(number, i);
        int64_t value = dtype.kind == 'b' ? (int64_t)(bits >> 63) : low + (int64_t)((bits >> 33) % choices);
        memcpy((char *)data + i * dtype.size, &value, (size_t)dtype.size); /* little-endian */
    }
}

static void bind_longest(call *c, int32_t number, int64_t count) {
    const int64_t *lengths = c->buffers[number];
    for (int32_t i = 0; i < nw_the_model.dim_count; i++) {
        if (nw_the_model.dims[i].longest_of != number) continue;
        c->dims[i] = 1;
        for (int64_t k = 0; k < count; k++) c->dims[i] = nw_max(c->dims[i], lengths[k]);
    }
}

void generate_inputs(call *c, int whole) {
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        const nw_buffer *buffer = &nw_the_model.buffers[i];
        int64_t count = 1;
        int bad = 0;
        if (buffer->use != NW_INPUT) continue;
        for (int32_t axis = 0; axis < buffer->rank; axis++)
            count = nw_mul(count, nw_the_model.size(i, axis, c->dims, &bad), &bad);
        bad |= count < 0 || nw_mul(count, 8, &bad) < 0;
        if (bad) fail(EXIT_INPUT, "'%s' would be too large", buffer->name);
        c->buffers[i] = allocate((size_t)count, (size_t)buffer->dtype.size);
        if (buffer->dtype.kind == 'f')
            generate_floats(c->buffers[i], i, buffer->dtype.size, count);
        else
            generate_integers(c->buffers[i], i, count, c->dims, whole);
        bind_longest(c, i, count);
    }
}

static void take_size(const char *text, int64_t *dims) {
    const char *size = strchr(text, '=');
    for (int32_t i = 0; size && i < nw_the_model.dim_count; i++) {
        const nw_dim *dim = &nw_the_model.dims[i];
        size_t n = (size_t)(size - text);
        char *end;
        if (dim->longest_of >= 0 || strlen(dim->name) != n || strncmp(dim->name, text, n) != 0) continue;
        long long value = strtoll(size + 1, &end, 10);
        if (end == size + 1 || *end || value < dim->min || (dim->max >= 0 && value > dim->max) || value % dim->multiple)
            fail(EXIT_INPUT, "--dim %s: %s is at least %" PRId64 "%s", text, dim->name, dim->min,
                 dim->multiple > 1 || dim->max >= 0 ? ", and --info says more about it" : "");
        dims[i] = value;
        return;
    }
    fail(EXIT_INPUT, "--dim %s: expected NAME=SIZE with the name of an open size; --info lists them", text);
}

void choose_sizes(const options *asked, call *c) {
    for (int32_t i = 0; i < nw_the_model.dim_count; i++) {
        int64_t multiple = nw_the_model.dims[i].multiple;
        c->dims[i] = (nw_the_model.dims[i].min + multiple - 1) / multiple * multiple;
    }
    for (int i = 0; i < asked->size_count; i++) take_size(asked->sizes[i], c->dims);
}

void print_sizes(const call *c) {
    for (int32_t i = 0; i < nw_the_model.dim_count; i++)
        if (nw_the_model.dims[i].longest_of < 0) printf(" %s=%" PRId64, nw_the_model.dims[i].name, c->dims[i]);
}
