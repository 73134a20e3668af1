/* Results: arrays in files and pipes, or text. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "failure.h"

static int is_no_label(const nw_buffer *buffer, const unsigned char *at) {
    static const unsigned char minus_one[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    return buffer->label_count && buffer->dtype.kind == 'i' && memcmp(at, minus_one, (size_t)buffer->dtype.size) == 0;
}

static void print_element(const nw_buffer *buffer, const unsigned char *at) {
    int64_t whole = 0;
    double real;
    float single;
    if (buffer->dtype.kind == 'f') {
        memcpy(&single, at, 4);
        memcpy(&real, at, buffer->dtype.size == 8 ? 8 : 4);
        if (buffer->dtype.size == 8)
            printf("%.17g", real);
        else
            printf("%.9g", (double)single);
        return;
    }
    memcpy(&whole, at, (size_t)buffer->dtype.size);
    if (buffer->dtype.kind == 'i') {
        int unused = 64 - 8 * buffer->dtype.size;
        whole = (int64_t)((uint64_t)whole << unused) >> unused;
    }
    if (whole >= 0 && whole < buffer->label_count)
        fputs(buffer->labels[whole], stdout);
    else if (buffer->dtype.kind == 'u')
        printf("%" PRIu64, (uint64_t)whole);
    else
        printf("%" PRId64, whole);
}

/* One line per row of the last axis; for a vector, one line per element. Where numbers stand for labels, -1 stands for
   none, as after the last label of a sequence. */
static void print_array(const nw_buffer *buffer, const npy_array *array) {
    int64_t count = array->bytes / buffer->dtype.size;
    int64_t row = array->rank > 1 ? array->shape[array->rank - 1] : 1;
    char text[256];
    printf("%s %s %s\n", buffer->name, npy_dtype_name(buffer->dtype),
           npy_shape_text(array->rank, array->shape, text, sizeof text));
    for (int64_t i = 0, shown = 0; i < count; i++) {
        const unsigned char *at = (const unsigned char *)array->data + i * buffer->dtype.size;
        if (!is_no_label(buffer, at)) {
            if (shown++) putchar(' ');
            print_element(buffer, at);
        }
        if ((i + 1) % row == 0) {
            putchar('\n');
            shown = 0;
        }
    }
}

void write_outputs(const options *asked, call *c) {
    npy_array *outputs = allocate((size_t)nw_the_model.buffer_count, sizeof *outputs);
    int32_t count = 0;
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        if (nw_the_model.buffers[i].use != NW_OUTPUT) continue;
        outputs[count++] = c->arrays[i];
        if (asked->print) print_array(&nw_the_model.buffers[i], &c->arrays[i]);
    }
    errno = 0;
    if (asked->output || !asked->print) write_place(asked->output ? asked->output : "-", outputs, count);
    if (fflush(stdout) || ferror(stdout)) fail(EXIT_SYSTEM, "cannot write to standard output: %s", strerror(errno));
    free(outputs);
}
