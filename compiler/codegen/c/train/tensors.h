/* safetensors: read whole and checked, and written. */
#ifndef NETWRIGHT_TENSORS_H
#define NETWRIGHT_TENSORS_H

#include <stdio.h>

#include "json.h"
#include "npy.h"

typedef struct {
    const char *name;
    size_t name_length;
    nw_dtype dtype;
    int32_t rank;
    int64_t shape[NPY_MAX_RANK];
    const unsigned char *data; /* not aligned */
    int64_t bytes;
} tensor;

typedef struct {
    unsigned char *bytes;
    json *header;
    const json *metadata; /* an object of strings, or NULL */
    tensor *tensors;
    int32_t count;
} tensor_file;

/* 0, or -1 with a message. */
int tensors_read(FILE *file, tensor_file *into, char message[NPY_MESSAGE]);
void tensors_free(tensor_file *file);
/* The tensor of a name behind a prefix; NULL if there is none. */
const tensor *tensors_find(const tensor_file *file, const char *prefix, const char *name);
/* Whether the name of a tensor begins so. */
int tensor_begins(const tensor *of, const char *prefix);
/* The text of the metadata under a key; NULL if there is none. */
const json *tensors_metadata(const tensor_file *file, const char *key);

typedef struct {
    const char *prefix, *name;
    nw_dtype dtype;
    int32_t rank;
    const int64_t *shape;
    const void *data;
} tensor_to_write;

typedef struct {
    const char *metadata; /* a JSON object of strings */
    tensor_to_write *tensors; /* sorted while they are written */
    int32_t count;
} tensors_to_write;

/* A place_writer of tensors_to_write. */
int tensors_write(FILE *file, const char *path, const void *content);

#endif
