/* The parts of the driver: reading inputs, the call, the results. */
#ifndef NETWRIGHT_DRIVER_H
#define NETWRIGHT_DRIVER_H

#include "model.h"
#include "npy.h"
#include "options.h"

/* The data of one call, one slot per model buffer (and dim). */
typedef struct {
    int64_t *dims;
    void **buffers;
    npy_array *arrays;
    int64_t (*shapes)[NPY_MAX_RANK];
} call;

void read_inputs(const options *asked, call *c);
void prepare_buffers(call *c);
void run(call *c, int threads, int pin);
void name_out_of_range(const call *c); /* returns if all are in range */
void write_outputs(const options *asked, call *c);
/* Writes an .npy if the path ends in it, or for one array on standard output (-); otherwise an .npz. */
void write_place(const char *path, const npy_array *arrays, int32_t count);

#endif
