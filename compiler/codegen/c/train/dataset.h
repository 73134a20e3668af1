/* A data set: the arrays that the network takes, in memory, in its types. The first axis counts samples. */
#ifndef NETWRIGHT_DATASET_H
#define NETWRIGHT_DATASET_H

#include <stdint.h>

#include "driver.h"

typedef struct {
    const char *name, *path;
    int64_t samples;
    unsigned char **arrays;  /* by the model's buffers; NULL for those that are no inputs */
    int64_t *row_bytes;
    int64_t *dims;           /* those of its samples; the batch is not known */
    int finite;              /* no float is infinite or NaN */
    const int64_t *rows;     /* the samples that it consists of, `samples` many; NULL: all that the arrays hold */
} dataset;

/* Ends the program with a message if the file can't be read or does not fit the model. */
void load_dataset(const char *name, const char *path, dataset *into);

/* Copies samples into the buffers of a call, and sets its dims. */
void gather(const dataset *from, const int64_t *samples, int64_t count, call *c);
/* Whether the floats of a call's inputs are finite. */
int finite_inputs(const dataset *from, int64_t count, const call *c);
int finite_array(const void *data, nw_dtype dtype, int64_t bytes);

#endif
