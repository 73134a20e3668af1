/* Opens inputs, whatever kind of file they are in. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "failure.h"
#include "sound.h"
#include "source.h"

/* A recording is a sample: [1, frames], or [1, frames, channels]. */
static void take_sound(const nw_buffer *buffer, source *from) {
    if (buffer->dtype.kind != 'f' || buffer->rank < 2 || buffer->rank > 3)
        fail(EXIT_INPUT, "input '%s': %s: a WAV file fills floats [N, T] or [N, T, channels], this takes %s %s",
             buffer->name, from->path, npy_dtype_name(buffer->dtype), buffer->shape);
#ifndef NETWRIGHT_NO_SOUND /* no input is of floats like these */
    char message[NPY_MESSAGE];
    sound heard = {0, 0, 0, NULL};
    if (wav_read(from->file, buffer->dtype, &heard, message))
        fail(EXIT_INPUT, "input '%s': %s: %s", buffer->name, from->path, message);
    if (buffer->rate && heard.rate != buffer->rate)
        fail(EXIT_INPUT, "input '%s': %s: expected %" PRId64 " samples per second, found %" PRId64, buffer->name,
             from->path, buffer->rate, heard.rate);
    if (buffer->rank == 2 && heard.channels != 1)
        fail(EXIT_INPUT, "input '%s': %s: expected one channel, found %" PRId64, buffer->name, from->path, heard.channels);
    from->header.dtype = buffer->dtype;
    from->header.rank = buffer->rank;
    from->header.shape[0] = 1;
    from->header.shape[1] = heard.frames;
    from->header.shape[2] = heard.channels;
    from->header.count = heard.frames * heard.channels;
    from->data = heard.data;
#endif
}

/* All bytes up to the end. */
static unsigned char *read_all(const nw_buffer *buffer, const source *from, size_t *length) {
    size_t capacity = 65536, got;
    unsigned char *data = malloc(capacity);
    *length = 0;
    while (data && (got = fread(data + *length, 1, capacity - *length, from->file)) > 0) {
        *length += got;
        if (*length < capacity) continue;
        unsigned char *larger = capacity < SIZE_MAX / 2 ? realloc(data, capacity *= 2) : NULL;
        if (!larger) free(data);
        data = larger;
    }
    if (!data) fail(EXIT_SYSTEM, "input '%s': %s: out of memory", buffer->name, from->path);
    return data;
}

/* Bare numbers: with one open size, it follows from how many there are; with two, there is one sample. */
static void take_numbers(int32_t number, const int64_t *dims, source *from) {
    const nw_buffer *buffer = &nw_the_model.buffers[number];
    int32_t open[NPY_MAX_RANK], count = 0;
    int64_t known = 1;
    int bad = 0;
    size_t length, width = (size_t)buffer->dtype.size;
    for (int32_t axis = 0; axis < buffer->rank; axis++) {
        from->header.shape[axis] = 1;
        if (buffer->axes[axis].dim >= 0)
            open[count++] = axis;
        else
            known = nw_mul(known, from->header.shape[axis] = nw_the_model.size(number, axis, dims, &bad), &bad);
    }
    if (count > 2 || (count == 2 && open[0] != 0) || bad || known < 1)
        fail(EXIT_INPUT, "input '%s': %s has several open sizes, which numbers alone do not tell: give a .npy file",
             buffer->name, buffer->shape);
    unsigned char *data = read_all(buffer, from, &length);
    if (length % width || length / width % (uint64_t)known || (!count && length / width != (uint64_t)known))
        fail(EXIT_INPUT, "input '%s': %s: expected numbers of %d bytes, %s%" PRId64 " of them, found %zu bytes",
             buffer->name, from->path, (int)width, count ? "a multiple of " : "", known, length);
    from->header.dtype = buffer->dtype;
    from->header.rank = buffer->rank;
    from->header.count = (int64_t)(length / width);
    if (count) from->header.shape[open[count - 1]] = from->header.count / known;
    for (size_t i = 0; buffer->dtype.kind == 'b' && i < length; i++) data[i] = data[i] != 0;
    from->data = data;
}

void open_source(const options *asked, int32_t number, const int64_t *dims, source *from) {
    const nw_buffer *buffer = &nw_the_model.buffers[number];
    char message[NPY_MESSAGE];
    from->path = asked->inputs[number];
    int piped = strcmp(from->path, "-") == 0;
    from->file = piped ? stdin : fopen(from->path, "rb");
    if (piped) from->path = "standard input";
    if (!from->file) fail(EXIT_INPUT, "input '%s': %s: %s", buffer->name, from->path, strerror(errno));
    if (piped && asked->raw) {
        take_numbers(number, dims, from);
        return;
    }
    int first = ungetc(getc(from->file), from->file);
    if (first == 'R') {
        take_sound(buffer, from);
        return;
    }
    if (npy_read_header(from->file, &from->header, message))
        fail(EXIT_INPUT, "input '%s': %s: %s", buffer->name, from->path, message);
    if (!npy_casts_losslessly(from->header.dtype, buffer->dtype))
        fail(EXIT_INPUT, "input '%s': %s: expected dtype %s, found %s, which does not convert without loss", buffer->name,
             from->path, npy_dtype_name(buffer->dtype), npy_dtype_name(from->header.dtype));
}

void *read_source(const nw_buffer *buffer, source *from) {
    char message[NPY_MESSAGE];
    if (!from->data) from->data = npy_read_data(from->file, &from->header, buffer->dtype, message);
    if (!from->data) fail(EXIT_INPUT, "input '%s': %s: %s", buffer->name, from->path, message);
    if (from->file != stdin) fclose(from->file);
    return from->data;
}
