#include "records.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "stream.h"

int64_t frame_bytes(int32_t number, int32_t axis, const int64_t *dims) {
    const nw_buffer *buffer = &nw_the_model.buffers[number];
    int64_t bytes = buffer->dtype.size;
    int bad = 0;
    for (int32_t i = 0; i < buffer->rank; i++)
        if (i != axis) bytes = nw_mul(bytes, nw_the_model.size(number, i, dims, &bad), &bad);
    if (bad || bytes < 0 || bytes > INT32_MAX) fail(EXIT_INPUT, "a step of '%s' would be too large", buffer->name);
    return bytes;
}

/* Whether an array of the header's shape is steps of the input: of its own shape, or without the axes before the
   steps. */
static int is_steps(const npy_header *header, const call *c) {
    int32_t input = nw_the_stream.input, axis = nw_the_stream.axis, bad = 0;
    int32_t rank = nw_the_model.buffers[input].rank, left_out = rank - header->rank;
    if (left_out != 0 && left_out != axis) return 0;
    for (int32_t i = left_out; i < rank; i++)
        if (i != axis && header->shape[i - left_out] != nw_the_model.size(input, i, c->dims, &bad)) return 0;
    return !bad;
}

int64_t next_record(FILE *from, const call *c) {
    const nw_buffer *buffer = &nw_the_model.buffers[nw_the_stream.input];
    char message[NPY_MESSAGE], shape[NPY_MESSAGE];
    npy_header header = {0};
    int first = getc(from);
    if (first == EOF && ferror(from)) fail(EXIT_SYSTEM, "cannot read standard input: %s", strerror(errno));
    if (first == EOF) return -1;
    ungetc(first, from);
    if (npy_read_header(from, &header, message)) fail(EXIT_INPUT, "an array on standard input: %s", message);
    if (header.dtype.kind != buffer->dtype.kind || header.dtype.size != buffer->dtype.size)
        fail(EXIT_INPUT, "an array on standard input is %s; '%s' takes %s", npy_dtype_name(header.dtype), buffer->name,
             npy_dtype_name(buffer->dtype));
    if (!is_steps(&header, c))
        fail(EXIT_INPUT, "an array on standard input has the shape %s; '%s' takes %s",
             npy_shape_text(header.rank, header.shape, shape, sizeof shape), buffer->name, buffer->shape);
    return header.count * header.dtype.size;
}

/* How many frames of an output with an axis are known after so many groups of steps. */
static int64_t known(const nw_answers *output, int64_t groups) {
    int bad = 0;
    int64_t frames = nw_mul(groups, output->rate, &bad) - output->delay;
    if (bad) fail(EXIT_INPUT, "there are too many steps");
    return frames > 0 ? frames : 0;
}

void begin_answers(gathered *answers, const call *c) {
    for (int32_t i = 0; i < nw_the_stream.output_count; i++) {
        answers[i].frames = 0;
        answers[i].bytes = frame_bytes(nw_the_stream.outputs[i].buffer, nw_the_stream.outputs[i].axis, c->dims);
    }
}

/* Room for some more frames. */
static void make_room(gathered *own, int64_t frames) {
    int bad = 0;
    int64_t needed = nw_add(own->frames, frames, &bad);
    if (own->data && needed <= own->room) return;
    own->room = nw_add(nw_mul(needed, 2, &bad), 1, &bad);
    int64_t bytes = nw_add(nw_mul(own->room, own->bytes, &bad), 1, &bad);
    unsigned char *larger = bad ? NULL : realloc(own->data, (size_t)bytes);
    if (!larger) fail(EXIT_SYSTEM, "out of memory for the answers to an array");
    own->data = larger;
}

void gather_answers(gathered *answers, const call *c, int64_t groups) {
    int64_t more = c->dims[nw_the_stream.chunk] / nw_the_stream.group;
    for (int32_t i = 0; i < nw_the_stream.output_count; i++) {
        const nw_answers *output = &nw_the_stream.outputs[i];
        const unsigned char *at = c->buffers[output->buffer];
        gathered *own = &answers[i];
        int64_t frames = 1;
        if (output->axis < 0) {
            own->frames = 0; /* the answer so far takes the place of the last one */
        } else {
            frames = known(output, groups + more) - known(output, groups);
            at += (more * output->rate - frames) * own->bytes;
        }
        make_room(own, frames);
        memcpy(own->data + own->frames * own->bytes, at, (size_t)(frames * own->bytes));
        own->frames += frames;
    }
}

void send_answers(const gathered *answers, const call *c) {
    for (int32_t i = 0; i < nw_the_stream.output_count; i++) {
        const nw_answers *output = &nw_the_stream.outputs[i];
        const nw_buffer *buffer = &nw_the_model.buffers[output->buffer];
        const gathered *own = &answers[i];
        int64_t shape[NPY_MAX_RANK];
        int32_t rank = buffer->rank;
        int bad = 0;
        for (int32_t axis = 0; axis < rank; axis++)
            shape[axis] = axis == output->axis ? own->frames : nw_the_model.size(output->buffer, axis, c->dims, &bad);
        if (output->axis < 0 && !own->frames) { /* no answer yet */
            if (rank == 0) rank = 1;
            shape[0] = 0;
        }
        npy_array array = {buffer->name, buffer->dtype, rank, shape, own->data, own->frames * own->bytes};
        errno = 0;
        if (npy_write(stdout, &array)) fail(EXIT_SYSTEM, "cannot write to standard output: %s", strerror(errno));
    }
    if (fflush(stdout)) fail(EXIT_SYSTEM, "cannot write to standard output: %s", strerror(errno));
}

void free_answers(gathered *answers) {
    for (int32_t i = 0; i < nw_the_stream.output_count; i++) free(answers[i].data);
    free(answers);
}
