/* What a program knows about its own calls and about the results that they have to have. */
#ifndef NETWRIGHT_CHECKS_H
#define NETWRIGHT_CHECKS_H

#include "driver.h"

/* A value that is whole in memory at a moment of the entry: `count` elements from number `offset` on. Its elements are
   added up, with weights, to as many sums as there are, at most `sums_per_probe` (see sum_up). */
typedef struct {
    int32_t moment; /* -1: the end of the call */
    int32_t buffer; /* of the model's table; or, if negative, -1 - a slot of the arena */
    int64_t offset, count;
    nw_dtype dtype;
    int32_t first; /* where its sums are */
    const char *layers;
    double ulp;     /* one unit in the last place of the largest sum; 1 for integers */
    double allowed; /* by how many of them rounding alone may change a sum */
} nw_probe;

/* The call that ends at a moment; its kernel is NULL where none does. */
typedef struct {
    const char *kernel, *layers, *operations, *tiles;
} nw_call;

/* The contents of a buffer: their CRC-32, and the layers that read them. */
typedef struct {
    int32_t buffer;
    uint32_t crc;
    int64_t bytes;
    const char *layers;
} nw_contents;

typedef struct {
    int32_t probe_count, sums_per_probe, moment_count, contents_count;
    const int64_t *dims; /* the sizes that the sums are for */
    const nw_probe *probes; /* in the order of their moments */
    const double *sums;
    const nw_call *moments;
    const nw_contents *contents;
    /* The floating-point operations of a call, and the bytes that it reads and writes. */
    int64_t (*flops)(int32_t moment, const int64_t *dims, int *bad);
    int64_t (*bytes)(int32_t moment, const int64_t *dims, int *bad);
} nw_checks;

extern const nw_checks nw_the_checks;

/* Fills the inputs with numbers that follow from their positions; whole: sequences have all of their steps. */
void generate_inputs(call *c, int whole);
/* The smallest sizes, but for those that are asked for, each NAME=SIZE. */
void choose_sizes(const options *asked, call *c);
/* Prints what the sizes are: " N=1 T=5". */
void print_sizes(const call *c);

/* Each is all that the program does then; they return its exit status. */
int self_test(const options *asked, call *c, runner *r);
int bench(const options *asked, call *c, runner *r);
int profile(const options *asked, call *c, runner *r);

int64_t now(void); /* nanoseconds */

#endif
