/* The driver's description of a model: constant tables, generated with the object code. */
#ifndef NETWRIGHT_MODEL_H
#define NETWRIGHT_MODEL_H

#include <stdint.h>

#include "sizes.h"

typedef struct {
    const int64_t *dims;
    void *const *buffers;
    void *arena;
    const int64_t *offsets;
    void *barrier;
    void (*passed)(int32_t moment);
} netwright_context;

enum { NW_OTHER, NW_INPUT, NW_OUTPUT, NW_DATA, NW_STATE };

/* kind: b (truth value), i, u (integers) or f (float); size in bytes. */
typedef struct {
    char kind;
    int32_t size;
} nw_dtype;

typedef struct {
    const char *name;
    int64_t min, max; /* max < 0: none */
    int64_t multiple; /* the dim is a multiple of this */
    int32_t longest_of; /* the dim is the largest number in this buffer of lengths (int64), or -1 */
} nw_dim;

/* An axis is exactly one dim, or (dim < 0) a size that the model's shape function computes. */
typedef struct {
    int32_t dim;
    const char *text;
} nw_axis;

typedef struct {
    const char *name;
    int32_t use;
    nw_dtype dtype;
    int32_t rank;
    const nw_axis *axes;
    const char *shape;
    const unsigned char *data;
    int32_t label_count;
    const char *const *labels;
    int32_t whole; /* an input of lengths: the range whose largest number it holds if it is not given; else -1 */
    int64_t rate;  /* an input of sound: samples per second; 0: not known */
} nw_buffer;

/* The integers that an input may hold; any past the end of sequences, whose lengths are in a buffer (-1: none). */
typedef struct {
    int32_t buffer, lengths;
    int64_t low;
    const char *what;
} nw_range;

/* An entry, the function that plans its memory, and how many numbers this writes. */
typedef struct {
    int32_t (*run)(const netwright_context *, int32_t tid, int32_t nthreads);
    int64_t (*plan)(const int64_t *dims, int64_t *offsets);
    int32_t slots;
} nw_entry;

typedef struct {
    const char *name;
    const char *manifest;
    int32_t dim_count, buffer_count, slots, range_count;
    const nw_dim *dims;
    const nw_buffer *buffers;
    const nw_range *ranges;
    /* One size of a buffer's shape; sets *bad if it overflows. */
    int64_t (*size)(int32_t buffer, int32_t axis, const int64_t *dims, int *bad);
    int64_t (*high)(int32_t range, const int64_t *dims, int *bad);
    int32_t (*entry)(const netwright_context *, int32_t tid, int32_t nthreads);
    /* Runs an entry on up to nthreads threads, which spin for this many turns before they sleep. */
    int32_t (*run)(int32_t (*entry)(const netwright_context *, int32_t, int32_t), const netwright_context *,
                   int32_t nthreads, int32_t patience);
    /* Pins the other threads to these processors. */
    int32_t (*pin)(const int32_t *processors, int32_t count);
    int64_t (*plan)(const int64_t *dims, int64_t *offsets);
    const char *(*error)(int32_t code);
    /* The CPU features that the code requires, one string after the other and an empty one at the end, and which are
       missing: bit i is that of number i. */
    const char *features;
    int64_t (*missing)(void);
    int64_t always; /* the bits of those that programs for any CPU of the target require */
} nw_model;

/* The versions of the program for several CPUs, the best first, ended by NULL; and the one that runs. */
extern const nw_model *const nw_versions[];
extern const nw_model *nw_chosen;
#define nw_the_model (*nw_chosen)

#endif
