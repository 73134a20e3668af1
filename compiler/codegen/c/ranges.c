/* Finds integers out of range: which input, which sample, which value. The entry only reports that there is one. */
#include <inttypes.h>

#include "driver.h"
#include "failure.h"

static int64_t integer_at(const nw_buffer *buffer, const void *data, int64_t position) {
    if (buffer->dtype.size == 8) return ((const int64_t *)data)[position];
    if (buffer->dtype.size == 4) return ((const int32_t *)data)[position];
    return ((const uint8_t *)data)[position];
}

static void check_range(const call *c, int32_t number) {
    const nw_range *range = &nw_the_model.ranges[number];
    const nw_buffer *buffer = &nw_the_model.buffers[range->buffer];
    int bad = 0;
    int64_t high = nw_the_model.high(number, c->dims, &bad), count = 1, rows = 1, steps = 1;
    for (int32_t axis = 0; axis < buffer->rank; axis++) {
        int64_t size = nw_the_model.size(range->buffer, axis, c->dims, &bad);
        count *= size;
        if (axis > 0) rows *= size;
        if (axis == 1) steps = size;
    }
    if (bad || count <= 0) return;
    for (int64_t i = 0; i < count; i++) {
        int64_t value = integer_at(buffer, c->buffers[range->buffer], i), sample = i / rows;
        if (range->low <= value && value <= high) continue;
        if (range->lengths >= 0) {
            const nw_buffer *lengths = &nw_the_model.buffers[range->lengths];
            int64_t step = i % rows / (rows / steps);
            if (step >= integer_at(lengths, c->buffers[range->lengths], sample)) continue;
        }
        fail(EXIT_INPUT, "input '%s': sample %" PRId64 " has the %s %" PRId64 "; the least is %" PRId64 ", the largest %" PRId64,
             buffer->name, sample, range->what, value, range->low, high);
    }
}

void name_out_of_range(const call *c) {
    for (int32_t i = 0; i < nw_the_model.range_count; i++) check_range(c, i);
}
