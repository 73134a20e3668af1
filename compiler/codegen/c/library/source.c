/* @MODEL@: what the header declares, around the entries' machine code. */
@INCLUDES@
#include <stddef.h>
#include <stdint.h>
#include "library.h"
#include "sizes.h"

enum { ALIGN = 64, HEAD = 64 };

/* Where the caller's memory begins to be aligned. */
static char *aligned(void *memory) {
    return (char *)memory + (ALIGN - (uintptr_t)memory % ALIGN) % ALIGN;
}

/* The tables of buffers have one pointer for what is read and what is written. */
static void *any(const void *pointer) {
    return (void *)(uintptr_t)pointer;
}

const char *@PREFIX@_error(int32_t code) {
    switch (code) {
    case NETWRIGHT_OK:
        return "no error";
@ERRORS@
    default:
        return "an unknown error";
    }
}

int64_t @PREFIX@_bytes(int32_t buffer, const int64_t *d) {
    int overflow = 0, *bad = &overflow;
    int64_t bytes = -1;
    (void)d;
    switch (buffer) {
@BYTES@
    default:
        return -1;
    }
    return *bad || bytes < 0 ? -1 : bytes;
}

int32_t @PREFIX@_admits(const int64_t *dims) {
    (void)dims;
    return @ADMITS@;
}

/* A model without weights: what all of them share. */
@DATA@
typedef int32_t entry_function(const netwright_context *, int32_t, int32_t);
typedef int64_t plan_function(const int64_t *, int64_t *);
@POOL@
/* The bytes of a call's memory: room to align it, offsets, the table of buffers, the arena. 0: sizes that can't be. */
static size_t call_bytes(plan_function *plan, size_t slots, const int64_t *dims, int64_t *offsets) {
    size_t tables = (slots * sizeof(int64_t) + @UPPER@_BUFFERS * sizeof(void *) + ALIGN - 1) / ALIGN * ALIGN;
    int64_t bytes = @PREFIX@_admits(dims) ? plan(dims, offsets) : -1;
    return bytes < 0 || (uint64_t)bytes > SIZE_MAX / 2 - tables ? 0 : ALIGN - 1 + tables + (size_t)bytes;
}

typedef struct {
    netwright_context context;
    void **buffers;
    int64_t barrier[ALIGN / sizeof(int64_t)];
} call;

/* Lays out the caller's memory. */
static int32_t begin(call *c, plan_function *plan, size_t slots, const int64_t *dims, void *memory, size_t bytes) {
    size_t tables = (slots * sizeof(int64_t) + @UPPER@_BUFFERS * sizeof(void *) + ALIGN - 1) / ALIGN * ALIGN;
    if (!memory) return NETWRIGHT_NULL;
    char *start = aligned(memory);
    if (!@PREFIX@_admits(dims)) return NETWRIGHT_SIZE;
    if (bytes < ALIGN - 1 + tables) return NETWRIGHT_SMALL_MEMORY;
    size_t needed = call_bytes(plan, slots, dims, (int64_t *)start);
    if (!needed) return NETWRIGHT_TOO_LARGE;
    if (bytes < needed) return NETWRIGHT_SMALL_MEMORY;
    c->buffers = (void **)(start + slots * sizeof(int64_t));
    for (int i = 0; i < @UPPER@_BUFFERS; i++) c->buffers[i] = NULL;
    for (size_t i = 0; i < ALIGN / sizeof(int64_t); i++) c->barrier[i] = 0;
    c->context.dims = dims;
    c->context.buffers = c->buffers;
    c->context.arena = start + tables;
    c->context.offsets = (const int64_t *)start;
    c->context.barrier = c->barrier;
    return NETWRIGHT_OK;
}

static int32_t run(const call *c, entry_function *entry, int32_t threads) {
    if (threads == 1) return entry(&c->context, 0, 1);
    return @RUN@;
}

static void weights_of(const @PREFIX@_model *model, call *c) {
    for (int i = 0; i < @UPPER@_BUFFERS; i++)
        if (model->contents[i]) c->buffers[i] = any(model->contents[i]);
}
