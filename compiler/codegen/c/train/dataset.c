/* Reads data sets, and compares them with what the network takes. */
#include "dataset.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "failure.h"
#include "names.h"
#include "trainer.h"

typedef struct {
    const char *set, *path;
    const nw_buffer *buffer;
} place;

static void wrong(const place *at, const char *message) {
    fail(EXIT_INPUT, "-d %s=%s: %s: %s", at->set, at->path, at->buffer->name, message);
}

/* Floats are rounded; a finite number that would become infinite is an error. */
static void *round_floats(const place *at, void *data, int64_t count) {
    const double *wide = data;
    float *narrow = allocate((size_t)count, sizeof *narrow);
    for (int64_t i = 0; i < count; i++) {
        narrow[i] = (float)wide[i];
        if (isinf(narrow[i]) && isfinite(wide[i]))
            fail(EXIT_INPUT, "-d %s=%s: %s: %.6g is too large for float32", at->set, at->path, at->buffer->name, wide[i]);
    }
    free(data);
    fprintf(stderr, "note: %s: %s is float64; its numbers are rounded to float32\n", at->path, at->buffer->name);
    return narrow;
}

static unsigned char *read_array(const place *at, FILE *file, npy_header *header) {
    char message[NPY_MESSAGE];
    nw_dtype want = at->buffer->dtype;
    if (npy_read_header(file, header, message)) wrong(at, message);
    int round = header->dtype.kind == 'f' && want.kind == 'f' && header->dtype.size > want.size;
    int wide = want.kind == 'f' && header->dtype.kind != 'f' && header->dtype.size == 8;
    if (wide || (!round && !npy_casts_losslessly(header->dtype, want)))
        fail(EXIT_INPUT, "-d %s=%s: %s is %s, which can't become %s without loss; store it as %s", at->set, at->path,
             at->buffer->name, npy_dtype_name(header->dtype), npy_dtype_name(want), npy_dtype_name(want));
    void *data = npy_read_data(file, header, round ? header->dtype : want, message);
    if (!data) wrong(at, message);
    if (round) header->dtype = want;
    return round ? round_floats(at, data, header->count) : data;
}

static unsigned char *read_member(const place *at, const npz_archive *archive, npy_header *header) {
    char message[NPY_MESSAGE];
    const npz_member *member = npz_find(archive, at->buffer->name);
    if (!member)
        fail(EXIT_INPUT, "-d %s=%s: %s is missing: the network takes %s %s", at->set, at->path, at->buffer->name,
             npy_dtype_name(at->buffer->dtype), at->buffer->shape);
    unsigned char *bytes = npz_bytes(archive, member, message);
    if (!bytes) wrong(at, message);
    FILE *file = member->size ? fmemopen(bytes, (size_t)member->size, "rb") : NULL;
    if (!file) wrong(at, member->size ? strerror(errno) : "it is empty; expected a .npy file");
    unsigned char *data = read_array(at, file, header);
    fclose(file);
    free(bytes);
    return data;
}

static unsigned char *read_file(const place *at, npy_header *header) {
    size_t length = strlen(at->path) + strlen(at->buffer->name) + 8;
    char *path = allocate(length, 1);
    snprintf(path, length, "%s/%s.npy", at->path, at->buffer->name);
    FILE *file = fopen(path, "rb");
    if (!file) wrong(at, strerror(errno));
    unsigned char *data = read_array(at, file, header);
    fclose(file);
    free(path);
    return data;
}

static void check_dim(const place *at, const nw_dim *dim, int64_t size) {
    int admitted = size >= dim->min && (dim->max < 0 || size <= dim->max) && size % dim->multiple == 0;
    if (!admitted)
        fail(EXIT_INPUT, "-d %s=%s: %s %s: %s is %" PRId64 ", and has to be at least %" PRId64 ", at most %" PRId64
             " (-1: any) and a multiple of %" PRId64, at->set, at->path, at->buffer->name, at->buffer->shape, dim->name, size,
             dim->min, dim->max, dim->multiple);
}

/* Of sequences that are cut into windows, the windows have to be as long as the dim wants. */
static void check_steps(const place *at, int32_t which, int64_t size, int windowed) {
    int64_t window = nw_the_trainer.window;
    const nw_dim *dim = &nw_the_model.dims[which];
    if (!windowed || !window || which != nw_the_trainer.time || size <= window) {
        check_dim(at, dim, size);
        return;
    }
    check_dim(at, dim, window);
    if (size % window) check_dim(at, dim, size % window);
}

static void bind(const place *at, const npy_header *header, dataset *into, char *bound) {
    const nw_buffer *buffer = at->buffer;
    char found[256];
    npy_shape_text(header->rank, header->shape, found, sizeof found);
    if (header->rank != buffer->rank)
        fail(EXIT_INPUT, "-d %s=%s: %s must have %d axes: expected %s, found %s", at->set, at->path, buffer->name,
             (int)buffer->rank, buffer->shape, found);
    if (into->samples < 0) into->samples = header->shape[0];
    if (header->shape[0] != into->samples)
        fail(EXIT_INPUT, "-d %s=%s: %s has %" PRId64 " samples, others have %" PRId64, at->set, at->path, buffer->name,
             header->shape[0], into->samples);
    for (int32_t axis = 1; axis < buffer->rank; axis++) {
        int32_t which = buffer->axes[axis].dim;
        if (which < 0 || bound[which]) continue;
        check_steps(at, which, header->shape[axis], into->windowed);
        into->dims[which] = header->shape[axis];
        bound[which] = 1;
    }
}

static void check_sizes(const place *at, int32_t number, const npy_header *header, const int64_t *dims) {
    char found[256];
    for (int32_t axis = 1; axis < header->rank; axis++) {
        int bad = 0;
        int64_t size = nw_the_model.size(number, axis, dims, &bad);
        if (!bad && size == header->shape[axis]) continue;
        npy_shape_text(header->rank, header->shape, found, sizeof found);
        fail(EXIT_INPUT, "-d %s=%s: %s: axis %d must be %" PRId64 ": expected %s, found %s", at->set, at->path,
             at->buffer->name, (int)axis, size, at->buffer->shape, found);
    }
}

/* Classes, indices and lengths out of range, wherever in the data they are. */
static void check_ranges(const dataset *of) {
    call whole = {of->dims, (void **)of->arrays, NULL, NULL};
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        const nw_buffer *buffer = &nw_the_model.buffers[i];
        if (buffer->use == NW_INPUT && buffer->axes[0].dim >= 0) of->dims[buffer->axes[0].dim] = of->samples;
    }
    name_out_of_range(&whole);
}

void load_dataset(const char *name, const char *path, dataset *into) {
    const nw_model *model = &nw_the_model;
    size_t count = (size_t)model->buffer_count;
    npy_header *headers = allocate(count, sizeof *headers);
    char *bound = allocate((size_t)model->dim_count, 1), message[NPY_MESSAGE];
    npz_archive archive = {0};
    struct stat status;
    dataset made = {0};
    made.name = name;
    made.path = path;
    made.samples = -1;
    made.arrays = allocate(count, sizeof *made.arrays);
    made.stored = allocate(count, sizeof *made.stored);
    made.row_bytes = allocate(count, sizeof *made.row_bytes);
    made.dims = allocate((size_t)model->dim_count, sizeof *made.dims);
    made.finite = 1;
    made.windowed = strcmp(name, "train") == 0;
    int folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    FILE *file = folder ? NULL : fopen(path, "rb");
    if (!folder && !file) fail(EXIT_INPUT, "-d %s=%s: %s", name, path, strerror(errno));
    if (file && npz_open(file, &archive, message))
        fail(EXIT_INPUT, "-d %s=%s: %s; `netwright data SPEC -o FOLDER` makes such files of tables, images, sound and text", name,
             path, message);
    for (int32_t i = 0; i < model->dim_count; i++) made.dims[i] = model->dims[i].min;
    for (int32_t i = 0; i < model->buffer_count; i++) {
        place at = {name, path, &model->buffers[i]};
        if (at.buffer->use != NW_INPUT) continue;
        made.arrays[i] = folder ? read_file(&at, &headers[i]) : read_member(&at, &archive, &headers[i]);
        made.stored[i] = headers[i].dtype;
        bind(&at, &headers[i], &made, bound);
    }
    if (made.samples < 1) fail(EXIT_INPUT, "-d %s=%s: it has no samples", name, path);
    for (int32_t i = 0; i < model->buffer_count; i++) {
        place at = {name, path, &model->buffers[i]};
        if (at.buffer->use != NW_INPUT) continue;
        check_sizes(&at, i, &headers[i], made.dims);
        made.row_bytes[i] = headers[i].count / made.samples * at.buffer->dtype.size;
        made.finite &= finite_array(made.arrays[i], at.buffer->dtype, headers[i].count * at.buffer->dtype.size);
    }
    if (file && read_names(&archive, &made.about, message)) fail(EXIT_INPUT, "-d %s=%s: %s", name, path, message);
    if (file) fclose(file);
    npz_close(&archive);
    free(headers);
    free(bound);
    check_ranges(&made);
    *into = made;
}

int finite_array(const void *data, nw_dtype dtype, int64_t bytes) {
    if (dtype.kind != 'f') return 1;
    for (int64_t i = 0; i < bytes / dtype.size; i++)
        if (!isfinite(dtype.size == 8 ? ((const double *)data)[i] : (double)((const float *)data)[i])) return 0;
    return 1;
}
