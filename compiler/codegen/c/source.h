/* An input: a .npy file, a WAV file, or bare numbers from standard input. */
#ifndef NETWRIGHT_SOURCE_H
#define NETWRIGHT_SOURCE_H

#include <stdio.h>

#include "npy.h"
#include "options.h"

typedef struct {
    FILE *file;
    npy_header header;
    const char *path;
    void *data; /* read with the header where only the data tell its shape, else NULL */
} source;

/* Opens the input for a buffer and reads its shape. dims: what is known of open sizes, at least their minimum. */
void open_source(const options *asked, int32_t buffer, const int64_t *dims, source *from);

/* The numbers, in the type of the buffer; closes the file. */
void *read_source(const nw_buffer *buffer, source *from);

#endif
