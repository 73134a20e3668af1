/* Reads safetensors files, and trusts nothing in them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tensors.h"

enum { MOST_HEADER = 100000000, FIRST = 1 << 16 };

#define FAIL(...) return snprintf(message, NPY_MESSAGE, __VA_ARGS__), -1

static const struct {
    const char *name;
    nw_dtype dtype;
} types[] = {{"BOOL", {'b', 1}}, {"I8", {'i', 1}},  {"I16", {'i', 2}}, {"I32", {'i', 4}}, {"I64", {'i', 8}}, {"U8", {'u', 1}},
             {"U16", {'u', 2}},  {"U32", {'u', 4}}, {"U64", {'u', 8}}, {"F32", {'f', 4}}, {"F64", {'f', 8}}};

/* As many bytes as there are up to `most`; memory grows with what arrives. NULL if there is no memory. */
static unsigned char *read_bytes(FILE *file, size_t most, size_t *length) {
    size_t room = most < FIRST ? most : FIRST;
    unsigned char *data = malloc(room + 1);
    *length = 0;
    while (data) {
        *length += fread(data + *length, 1, room - *length, file);
        if (*length < room || room == most) return data;
        room = room > most / 2 ? most : room * 2;
        unsigned char *larger = realloc(data, room + 1);
        if (!larger) free(data);
        data = larger;
    }
    return NULL;
}

static int read_tensor(const json *item, tensor *into, const unsigned char *data, uint64_t room, char message[NPY_MESSAGE]) {
    const json *dtype = json_member(item, "dtype"), *shape = json_member(item, "shape"),
               *offsets = json_member(item, "data_offsets");
    int64_t start = 0, end = 0, elements = 1;
    int bad = 0;
    into->name = item->name;
    into->name_length = item->name_length;
    if (!dtype || dtype->kind != JSON_STRING || !shape || shape->kind != JSON_LIST || !offsets ||
        offsets->kind != JSON_LIST || offsets->count != 2)
        FAIL("tensor '%.100s' has no dtype, shape and data_offsets", item->name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (json_is(dtype->text, dtype->length, types[i].name)) into->dtype = types[i].dtype;
    if (!into->dtype.kind) FAIL("tensor '%.100s' is %.20s, which this program does not read", item->name, dtype->text);
    if (shape->count > NPY_MAX_RANK) FAIL("tensor '%.100s' has more than %d axes", item->name, NPY_MAX_RANK);
    for (const json *size = shape->first; size; size = size->next) {
        if (!json_whole(size, 0, &into->shape[into->rank])) FAIL("the shape of tensor '%.100s' is none", item->name);
        elements = nw_mul(elements, into->shape[into->rank++], &bad);
    }
    into->bytes = nw_mul(elements, into->dtype.size, &bad);
    if (!json_whole(offsets->first, 0, &start) || !json_whole(offsets->first->next, start, &end) || (uint64_t)end > room)
        FAIL("tensor '%.100s' lies beyond the end of the file", item->name);
    if (bad || end - start != into->bytes)
        FAIL("tensor '%.100s' has %" PRId64 " bytes, which is not the size of its shape", item->name, end - start);
    into->data = data + start;
    return 0;
}

static int read_header(const char *header, size_t length, const unsigned char *data, size_t room, tensor_file *into,
                       char message[NPY_MESSAGE]) {
    char problem[JSON_MESSAGE];
    into->header = json_read(header, length, problem);
    if (!into->header) FAIL("its header can't be read: %.200s", problem);
    if (into->header->kind != JSON_OBJECT) FAIL("its header is no list of tensors");
    into->tensors = calloc(into->header->count + 1, sizeof *into->tensors);
    if (!into->tensors) FAIL("out of memory");
    for (const json *item = into->header->first; item; item = item->next) {
        if (json_is(item->name, item->name_length, "__metadata__")) {
            if (item->kind == JSON_OBJECT) into->metadata = item;
        } else if (read_tensor(item, &into->tensors[into->count], data, room, message)) {
            return -1;
        } else {
            into->count++;
        }
    }
    return 0;
}

int tensors_read(FILE *file, tensor_file *into, char message[NPY_MESSAGE]) {
    size_t length = 0;
    uint64_t header = 0;
    memset(into, 0, sizeof *into);
    into->bytes = read_bytes(file, SIZE_MAX / 4, &length);
    if (!into->bytes) FAIL("out of memory");
    for (int i = 0; i < 8 && length >= 8; i++) header |= (uint64_t)into->bytes[i] << 8 * i;
    if (length < 8 || header < 2) FAIL("it is not a safetensors file: it holds %zu bytes and no header", length);
    if (header > MOST_HEADER || header > length - 8)
        FAIL("it is not a whole safetensors file: its header claims %" PRIu64 " bytes, the file has %zu", header, length);
    const char *text = (const char *)into->bytes + 8;
    return read_header(text, (size_t)header, into->bytes + 8 + header, length - 8 - (size_t)header, into, message);
}

void tensors_free(tensor_file *file) {
    json_free(file->header);
    free(file->tensors);
    free(file->bytes);
    memset(file, 0, sizeof *file);
}

int tensor_begins(const tensor *of, const char *prefix) {
    size_t n = strlen(prefix);
    return of->name_length >= n && memcmp(of->name, prefix, n) == 0;
}

const tensor *tensors_find(const tensor_file *file, const char *prefix, const char *name) {
    size_t n = strlen(prefix);
    for (int32_t i = 0; i < file->count; i++) {
        const tensor *at = &file->tensors[i];
        if (tensor_begins(at, prefix) && json_is(at->name + n, at->name_length - n, name)) return at;
    }
    return NULL;
}

const json *tensors_metadata(const tensor_file *file, const char *key) {
    const json *value = json_member(file->metadata, key);
    return value && value->kind == JSON_STRING ? value : NULL;
}
