#include "states.h"

#include <stdlib.h>
#include <string.h>

#include "failure.h"

static const nw_trainer *const plan = &nw_the_trainer;

static int is_open(const nw_tensor *of) {
    for (int32_t i = 0; i < of->rank; i++)
        if (of->shape[i] < 0) return 1;
    return 0;
}

static int64_t bytes_of(const nw_tensor *of, const int64_t *shape) {
    int64_t bytes = of->dtype.size;
    int bad = 0;
    for (int32_t i = 0; i < of->rank; i++) bytes = nw_mul(bytes, shape[i], &bad);
    if (bad || bytes < 0) fail(EXIT_INPUT, "'%s' would be too large", of->name);
    return bytes;
}

int64_t state_bytes(const training *t, int32_t number) {
    return t->state_shapes[number] ? bytes_of(&plan->states[number], t->state_shapes[number]) : 0;
}

void size_state(training *t, int32_t number, const int64_t *shape) {
    const nw_tensor *of = &plan->states[number];
    size_t axes = (size_t)of->rank * sizeof *shape;
    if (t->state_shapes[number] && memcmp(t->state_shapes[number], shape, axes) == 0) return;
    int64_t bytes = bytes_of(of, shape);
    void *memory = NULL;
    if (posix_memalign(&memory, 64, (size_t)bytes + 64)) fail(EXIT_SYSTEM, "out of memory");
    memset(memory, 0, (size_t)bytes + 64);
    free(t->states[number]);
    free(t->state_shapes[number]);
    t->states[number] = memory;
    t->state_shapes[number] = allocate((size_t)of->rank, sizeof *shape);
    memcpy(t->state_shapes[number], shape, axes);
    if (of->buffer >= 0) t->call.buffers[of->buffer] = memory;
}

void make_states(training *t) {
    t->states = allocate((size_t)plan->state_count, sizeof *t->states);
    t->state_shapes = allocate((size_t)plan->state_count, sizeof *t->state_shapes);
    for (int32_t i = 0; i < plan->state_count; i++) {
        if (is_open(&plan->states[i])) continue;
        size_state(t, i, plan->states[i].shape);
        if (plan->states[i].initial) memcpy(t->states[i], plan->states[i].initial, (size_t)state_bytes(t, i));
    }
}

void bind_states(training *t) {
    int64_t shape[NPY_MAX_RANK];
    for (int32_t i = 0; i < plan->state_count; i++) {
        const nw_tensor *of = &plan->states[i];
        int bad = 0;
        if (!is_open(of)) continue;
        for (int32_t axis = 0; axis < of->rank; axis++) shape[axis] = nw_the_model.size(of->buffer, axis, t->call.dims, &bad);
        size_state(t, i, shape);
    }
}

void reset_carry(training *t) {
    for (int32_t i = 0; i < plan->state_count; i++)
        if (strncmp(plan->states[i].name, "carry.", 6) == 0 && t->states[i]) memset(t->states[i], 0, (size_t)state_bytes(t, i));
}

int finite_states(const training *t) {
    for (int32_t i = 0; i < plan->state_count; i++)
        if (!finite_array(t->states[i], plan->states[i].dtype, state_bytes(t, i))) return 0;
    return 1;
}
