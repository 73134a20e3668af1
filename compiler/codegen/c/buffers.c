/* Memory for outputs and states, and the places of contents. */
#include <inttypes.h>
#include <stdlib.h>

#include "driver.h"
#include "failure.h"

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
