/* Each parser of the C sources on bytes that anybody may have written. */
#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "driver.h"
#include "failure.h"
#include "harness.h"
#include "npz_read.h"
#include "records.h"
#include "remembered.h"
#include "resume.h"
#include "sound.h"
#include "stream.h"
#include "training.h"

static FILE *memory(const uint8_t *data, size_t size) {
    if (!size) return NULL;
    uint8_t *copy = malloc(size);
    memcpy(copy, data, size);
    return fmemopen(copy, size, "rb");
}

void npy(const uint8_t *data, size_t size) {
    static const nw_dtype types[] = {{'f', 4}, {'f', 8}, {'i', 8}, {'u', 1}, {'b', 1}};
    char message[NPY_MESSAGE], shape[64];
    npy_header header;
    FILE *file = memory(data, size);
    if (!file || npy_read_header(file, &header, message)) return;
    npy_shape_text(header.rank, header.shape, shape, sizeof shape);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!npy_casts_losslessly(header.dtype, types[i])) continue;
        free(npy_read_data(file, &header, types[i], message));
        return;
    }
}

void npz(const uint8_t *data, size_t size) {
    char message[NPY_MESSAGE];
    npz_archive archive;
    FILE *file = memory(data, size);
    if (!file || npz_open(file, &archive, message)) return;
    for (int32_t i = 0; i < archive.count && i < 8; i++) {
        const npz_member *member = npz_find(&archive, archive.members[i].name); /* another one of the same name, perhaps */
        unsigned char *bytes = npz_bytes(&archive, member, message);
        if (bytes) npy(bytes, member->size < size * 4 ? (size_t)member->size : 0);
    }
    npz_close(&archive);
}

void tensors(const uint8_t *data, size_t size) {
    char message[NPY_MESSAGE];
    tensor_file file;
    FILE *from = memory(data, size);
    if (!from || tensors_read(from, &file, message)) return;
    int64_t sum = 0;
    for (int32_t i = 0; i < file.count; i++)
        for (int64_t k = 0; k < file.tensors[i].bytes; k++) sum += file.tensors[i].data[k];
    tensors_metadata(&file, sum ? "format" : "training");
    tensors_free(&file);
}

static training whole(void) {
    training t = {0};
    t.asked.train = "train.npz";
    t.asked.weights = "w.safetensors";
    t.asked.checkpoint = "w.checkpoint";
    t.at.sums = new_totals();
    t.at.batch_size = nw_the_trainer.batch_size;
    t.train.samples = 6;
    t.train.dims = allocate((size_t)nw_the_model.dim_count, sizeof *t.train.dims);
    t.train.row_bytes = allocate((size_t)nw_the_model.buffer_count, sizeof *t.train.row_bytes);
    t.monitor = -1;
    make_values(&t);
    return t;
}

void checkpoint(const uint8_t *data, size_t size) {
    training t = whole();
    load_checkpoint(&t, file_of(data, size));
    make_batch_room(&t);
    save_checkpoint(&t, "/dev/null");
}

void dataset_file(const uint8_t *data, size_t size) {
    dataset made;
    int64_t rows[2] = {0, 0};
    call c = {allocate((size_t)nw_the_model.dim_count, sizeof *c.dims), allocate((size_t)nw_the_model.buffer_count, sizeof *c.buffers),
              NULL, NULL};
    load_dataset("train", file_of(data, size), &made);
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) c.buffers[i] = allocate((size_t)made.row_bytes[i] * 2, 1);
    gather(&made, rows, 0, 2, NULL, &c);
}

/* Words that zero bytes end. */
static int split(const uint8_t *data, size_t size, char *words[32]) {
    char *copy = allocate(size, 1);
    int count = 1;
    memcpy(copy, data, size);
    words[0] = copy + size; /* the program's name */
    for (size_t at = 0; at < size && count < 31; at += strlen(copy + at) + 1) words[count++] = copy + at;
    words[count] = NULL;
    return count;
}

void train_words(const uint8_t *data, size_t size) {
    char *words[32];
    train_options asked = {0};
    parse_train_options(split(data, size, words), words, &asked);
}

void predict_words(const uint8_t *data, size_t size) {
    char *words[32];
    options asked = {0};
    parse_options(split(data, size, words), words, &asked);
}

void stream_words(const uint8_t *data, size_t size) {
    char *words[32];
    stream_options asked = {NULL, NULL, 0, 0, 0, 0};
    parse_stream_options(split(data, size, words), words, &asked);
}

void remembered_steps(const uint8_t *data, size_t size) {
    int64_t dims[] = {1, 1};
    unsigned char steps[32];
    remembered kept = {0, 0, steps, sizeof steps};
    call c = {dims, allocate((size_t)nw_the_model.buffer_count, sizeof *c.buffers),
              allocate((size_t)nw_the_model.buffer_count, sizeof *c.arrays),
              allocate((size_t)nw_the_model.buffer_count, sizeof *c.shapes)};
    prepare_buffers(&c);
    recall(file_of(data, size), &c, &kept);
}

void records(const uint8_t *data, size_t size) {
    int64_t dims[] = {1, 1}, left;
    call c = {dims, NULL, NULL, NULL};
    FILE *file = memory(data, size);
    while (file && (left = next_record(file, &c)) >= 0)
        if (fseek(file, left, SEEK_CUR)) return;
}

void wav(const uint8_t *data, size_t size) {
    char message[NPY_MESSAGE];
    nw_dtype types[] = {{'f', 4}, {'f', 8}};
    for (int i = 0; i < 2; i++) {
        sound heard = {0, 0, 0, NULL};
        FILE *file = memory(data, size);
        if (file) wav_read(file, types[i], &heard, message);
    }
}
