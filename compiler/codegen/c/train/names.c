/* What data know beside their samples and weights keep: the names of classes, and the vocabularies of texts
   (runtime/data/archives.py). */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#define FAIL(...) return snprintf(message, NPY_MESSAGE, __VA_ARGS__), -1

static const char *const MEMBER = "netwright.metadata";

static int parse(unsigned char *bytes, size_t length, json **into, char message[NPY_MESSAGE]) {
    npy_header header;
    const nw_dtype byte = {'u', 1};
    char problem[NPY_MESSAGE];
    FILE *file = length ? fmemopen(bytes, length, "rb") : NULL;
    if (!file) FAIL("%s can't be read", MEMBER);
    char *text = NULL;
    if (!npy_read_header(file, &header, problem) && header.dtype.kind == 'u' && header.dtype.size == 1)
        text = npy_read_data(file, &header, byte, problem);
    fclose(file);
    if (!text) FAIL("%s can't be read: expected an array of bytes", MEMBER);
    *into = json_read(text, (size_t)header.count, problem);
    free(text);
    if (!*into) FAIL("%s can't be read: %.300s", MEMBER, problem);
    int bad = (*into)->kind != JSON_OBJECT;
    for (const json *each = (*into)->first; each; each = each->next) bad |= each->kind != JSON_STRING;
    if (bad) FAIL("%s can't be read: it is no object of texts", MEMBER);
    return 0;
}

int read_names(const npz_archive *archive, json **into, char message[NPY_MESSAGE]) {
    const npz_member *member = npz_find(archive, MEMBER);
    if (!member) return 0;
    unsigned char *bytes = npz_bytes(archive, member, message);
    if (!bytes) return -1;
    int failed = parse(bytes, (size_t)member->size, into, message);
    free(bytes);
    return failed;
}

const json *names_of(const dataset *of, const char *key) { return of->about ? json_member(of->about, key) : NULL; }

int other_names(const tensor_file *saved, const dataset *of, const char *key) {
    const json *before = tensors_metadata(saved, key), *now = names_of(of, key);
    if (!before || !now) return before != now && strcmp(key, "vocabularies") == 0;
    return before->length != now->length || memcmp(before->text, now->text, now->length) != 0;
}
