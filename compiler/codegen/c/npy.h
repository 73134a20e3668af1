/* NumPy's files: .npy read strictly and written, .npz written (a zip of stored .npy files). */
#ifndef NETWRIGHT_NPY_H
#define NETWRIGHT_NPY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "model.h"

enum { NPY_MAX_RANK = 32, NPY_MESSAGE = 512 };

typedef struct {
    nw_dtype dtype;
    int32_t rank;
    int64_t shape[NPY_MAX_RANK];
    int64_t count; /* the product of shape */
} npy_header;

/* 0, or -1 with a message that says what was expected and what was found. */
int npy_read_header(FILE *file, npy_header *header, char message[NPY_MESSAGE]);

/* Whether every value of dtype `from` is a value of dtype `to`. */
int npy_casts_losslessly(nw_dtype from, nw_dtype to);

/* Reads the elements behind a header, cast to `want`; the file must end there. NULL with a message on failure. */
void *npy_read_data(FILE *file, const npy_header *header, nw_dtype want, char message[NPY_MESSAGE]);

/* A dtype as NumPy's users know it: "float32". */
const char *npy_dtype_name(nw_dtype dtype);

/* "[3, 4]"; long shapes are cut. */
const char *npy_shape_text(int32_t rank, const int64_t *shape, char *text, size_t size);

typedef struct {
    const char *name;
    nw_dtype dtype;
    int32_t rank;
    const int64_t *shape;
    const void *data;
    int64_t bytes;
} npy_array;

/* 0, or -1 with errno set. */
int npy_write(FILE *file, const npy_array *array);
int npz_write(FILE *file, const npy_array *arrays, int32_t count);

#endif
