/* Writes safetensors files: the bytes that netwright writes of the same tensors. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tensors.h"
#include "text.h"

static int compare(const void *left, const void *right) {
    const tensor_to_write *a = left, *b = right;
    if (a->dtype.size != b->dtype.size) return b->dtype.size - a->dtype.size;
    text x = {0}, y = {0};
    text_add(&x, "%s%s", a->prefix, a->name);
    text_add(&y, "%s%s", b->prefix, b->name);
    int order = strcmp(x.data, y.data);
    text_free(&x);
    text_free(&y);
    return order;
}

static int64_t bytes_of(const tensor_to_write *of) {
    int64_t bytes = of->dtype.size;
    for (int32_t i = 0; i < of->rank; i++) bytes *= of->shape[i];
    return bytes;
}

static void describe(text *header, const tensor_to_write *of, int64_t start) {
    text name = {0};
    text_add(&name, "%s%s", of->prefix, of->name);
    text_string(header, name.data, name.length);
    text_free(&name);
    if (of->dtype.kind == 'b')
        text_add(header, ":{\"dtype\":\"BOOL\"");
    else
        text_add(header, ":{\"dtype\":\"%c%d\"", of->dtype.kind - 'a' + 'A', 8 * of->dtype.size);
    text_add(header, ",\"shape\":[");
    for (int32_t i = 0; i < of->rank; i++) text_add(header, "%s%" PRId64, i ? "," : "", of->shape[i]);
    text_add(header, "],\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", start, start + bytes_of(of));
}

int tensors_write(FILE *file, const char *path, const void *content) {
    const tensors_to_write *all = content;
    text header = {0};
    int64_t end = 0;
    (void)path;
    qsort(all->tensors, (size_t)all->count, sizeof *all->tensors, compare);
    text_add(&header, "{\"__metadata__\":%s", all->metadata);
    for (int32_t i = 0; i < all->count; i++) {
        text_add(&header, ",");
        describe(&header, &all->tensors[i], end);
        end += bytes_of(&all->tensors[i]);
    }
    text_add(&header, "}");
    while (header.length % 8) text_add(&header, " ");
    unsigned char start[8];
    for (int i = 0; i < 8; i++) start[i] = (unsigned char)((uint64_t)header.length >> 8 * i);
    int failed = fwrite(start, 1, 8, file) != 8 || fwrite(header.data, 1, header.length, file) != header.length;
    for (int32_t i = 0; i < all->count && !failed; i++) {
        size_t bytes = (size_t)bytes_of(&all->tensors[i]);
        failed = bytes && fwrite(all->tensors[i].data, 1, bytes, file) != bytes;
    }
    text_free(&header);
    return failed ? -1 : 0;
}
