#include "remembered.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "stream.h"

enum { WORDS = 3 };

/* The bytes of a state for the sizes at hand; states do not depend on the number of steps. */
static int64_t state_bytes(const call *c, int32_t i) {
    return nw_the_model.buffers[i].use == NW_STATE ? c->arrays[i].bytes : 0;
}

static int64_t all_bytes(const call *c, const remembered *kept) {
    int64_t bytes = WORDS * 8 + kept->group;
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) bytes += state_bytes(c, i);
    return bytes;
}

void recall(const char *path, call *c, remembered *kept) {
    char message[NPY_MESSAGE];
    npy_header header;
    uint64_t words[WORDS];
    FILE *file = fopen(path, "rb");
    if (!file) fail(EXIT_INPUT, "--state %s: %s", path, strerror(errno));
    if (npy_read_header(file, &header, message)) fail(EXIT_INPUT, "--state %s: %s", path, message);
    nw_dtype bytes = {'u', 1};
    if (header.rank != 1 || header.dtype.kind != 'u' || header.dtype.size != 1 || header.count != all_bytes(c, kept))
        fail(EXIT_INPUT, "--state %s is not what this program remembers of steps", path);
    unsigned char *data = npy_read_data(file, &header, bytes, message), *at = data;
    if (!data) fail(EXIT_INPUT, "--state %s: %s", path, message);
    fclose(file);
    memcpy(words, data, sizeof words);
    if (words[0] != nw_the_stream.identity)
        fail(EXIT_INPUT, "--state %s was saved by another network than this", path);
    if (words[1] > INT64_MAX || words[2] >= (uint64_t)kept->group)
        fail(EXIT_INPUT, "--state %s is damaged: it counts %" PRIu64 " steps", path, words[1]);
    kept->groups = (int64_t)words[1];
    kept->waiting = (int64_t)words[2];
    memcpy(kept->steps, at += sizeof words, (size_t)kept->group);
    at += kept->group;
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        memcpy(c->buffers[i] ? c->buffers[i] : at, at, (size_t)state_bytes(c, i));
        at += state_bytes(c, i);
    }
    free(data);
}

void save_remembered(const char *path, const call *c, const remembered *kept) {
    int64_t bytes = all_bytes(c, kept);
    unsigned char *data = allocate((size_t)bytes, 1), *at = data;
    uint64_t words[WORDS] = {nw_the_stream.identity, (uint64_t)kept->groups, (uint64_t)kept->waiting};
    memcpy(at, words, sizeof words);
    memcpy(at += sizeof words, kept->steps, (size_t)kept->waiting);
    at += kept->group;
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        if (!state_bytes(c, i)) continue;
        memcpy(at, c->buffers[i], (size_t)state_bytes(c, i));
        at += state_bytes(c, i);
    }
    npy_array array = {"state", {'u', 1}, 1, &bytes, data, bytes};
    errno = 0;
    write_place(path, &array, 1);
    free(data);
}
