/* A data set: the arrays that the network takes, in memory, in its types. The first axis counts samples. */
#ifndef NETWRIGHT_DATASET_H
#define NETWRIGHT_DATASET_H

#include <stdint.h>

#include "driver.h"
#include "json.h"

typedef struct {
    const char *name, *path;
    int64_t samples;
    unsigned char **arrays;  /* by the model's buffers; NULL for those that are no inputs */
    nw_dtype *stored;        /* their types in the files; of floats that were rounded, the model's */
    int64_t *row_bytes;
    int64_t *dims;           /* those of its samples; the batch is not known */
    json *about;             /* the names of classes, and vocabularies, as JSON texts; NULL: none */
    int finite;              /* no float is infinite or NaN */
    int windowed;            /* training cuts its sequences into windows, if it does that */
    const int64_t *rows;     /* the samples that it consists of, `samples` many; NULL: all that the arrays hold */
    unsigned char **varied;  /* by buffer, the samples of the batch at hand in place of those of `arrays`, or NULL */
} dataset;

/* Ends the program with a message if the file can't be read or does not fit the model. */
void load_dataset(const char *name, const char *path, dataset *into);

/* Which part of the samples a batch has, by the model's dims: the axes of a dim are cut to `size` from `start` on
   (size -1: whole); of each array only the first such axis, or all. */
typedef struct {
    int64_t *start, *size;
    int first_only;
} cuts;

/* Where in the arrays a sample is. Where samples come several times, n + samples·i is sample n for the i-th time. */
int64_t sample_row(const dataset *of, int64_t sample);
/* Copies `count` samples of a batch, from number `first` on, into the buffers of a call, and sets its dims. */
void gather(const dataset *from, const int64_t *batch, int64_t first, int64_t count, const cuts *cut, call *c);
/* Sets the dims of a call that are the longest of some lengths. */
void set_longest(call *c, int64_t count);
/* Whether the floats of a call's inputs are finite. */
int finite_inputs(const call *c);
/* A whole number in an array, of any type. */
int64_t whole_number(const dataset *of, int32_t buffer, int64_t row);
int finite_array(const void *data, nw_dtype dtype, int64_t bytes);

#endif
