/* A network as a WebAssembly module: the calls that loader.js makes. There is no C library. Memory is given out upwards from
   the end of the program's own data, and taken back down to a mark. */
#include <stddef.h>

#include "model.h"

#define EXPORT(name) __attribute__((export_name(#name))) name

enum { ALIGN = 64, PAGE = 65536 };

void nw_make(void); /* computes the constants that the module does not hold */

extern unsigned char __heap_base;
static uintptr_t top;
static int64_t *dims, *offsets;
static void **buffers;

/* NULL: there is no more memory. */
void *EXPORT(nw_allocate)(double bytes) {
    if (!top) top = (uintptr_t)&__heap_base;
    uintptr_t start = (top + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1);
    if (!(bytes >= 0 && bytes < (double)(UINT32_MAX - start - PAGE))) return NULL;
    uintptr_t end = start + (uintptr_t)bytes, pages = (end + PAGE - 1) / PAGE, now = __builtin_wasm_memory_size(0);
    if (pages > now && __builtin_wasm_memory_grow(0, pages - now) == (size_t)-1) return NULL;
    top = end;
    return (void *)start;
}

double EXPORT(nw_mark)(void) { return (double)top; }
void EXPORT(nw_release)(double mark) { top = (uintptr_t)mark; }

/* Once, before other calls: 0, or 1 if there is no memory. */
int EXPORT(nw_begin)(void) {
    const nw_model *m = &nw_the_model;
    dims = nw_allocate(((double)m->dim_count + 1) * sizeof *dims);
    offsets = nw_allocate(((double)m->slots + 1) * sizeof *offsets);
    buffers = nw_allocate(((double)m->buffer_count + 1) * sizeof *buffers);
    if (!dims || !offsets || !buffers) return 1;
    for (int32_t i = 0; i < m->dim_count; i++) dims[i] = m->dims[i].min;
    for (int32_t i = 0; i < m->buffer_count; i++) {
        union {
            const void *in;
            void *out;
        } data = {m->buffers[i].data}; /* one table has the pointers of buffers that are read and of those that are written */
        buffers[i] = m->buffers[i].use == NW_DATA ? data.out : NULL;
    }
    nw_make();
    return 0;
}

const char *EXPORT(nw_manifest)(void) { return nw_the_model.manifest; }
int EXPORT(nw_use)(int buffer) { return nw_the_model.buffers[buffer].use; }
int EXPORT(nw_axis_dim)(int buffer, int axis) { return nw_the_model.buffers[buffer].axes[axis].dim; }
void EXPORT(nw_set_dim)(int dim, double value) { dims[dim] = (int64_t)value; }
void EXPORT(nw_set_buffer)(int buffer, void *data) { buffers[buffer] = data; }

/* The size of an axis for the present dims; negative: too large. */
double EXPORT(nw_size)(int buffer, int axis) {
    int bad = 0;
    int64_t size = nw_the_model.size(buffer, axis, dims, &bad);
    return bad ? -1 : (double)size;
}

/* The bytes of the arena for the present dims; negative: too large. */
double EXPORT(nw_plan)(void) { return (double)nw_the_model.plan(dims, offsets); }

/* 0, or an error code. */
int EXPORT(nw_run)(void *arena) {
    netwright_context context = {dims, buffers, arena, offsets, NULL, NULL};
    return nw_the_model.entry(&context, 0, 1);
}

const char *EXPORT(nw_error)(int code) { return nw_the_model.error(code); }
