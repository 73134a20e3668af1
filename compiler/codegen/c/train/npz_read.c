/* Reads .npz archives, and trusts nothing in them. */
#include "npz_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"

enum { LOCAL = 30, CENTRAL = 46, END = 22, END64 = 56, LOCATOR = 20, MOST_COMMENT = 65535, MOST_MEMBERS = 65535 };
#define WIDE UINT32_MAX /* the number is in a field of 64 bits */

#define FAIL(...) return snprintf(message, NPY_MESSAGE, __VA_ARGS__), -1

static uint64_t number(const unsigned char *at, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static int read_at(const npz_archive *from, uint64_t offset, void *into, size_t bytes) {
    if (offset > from->length || bytes > from->length - offset) return -1;
    if (fseeko(from->file, (off_t)offset, SEEK_SET)) return -1;
    return fread(into, 1, bytes, from->file) == bytes ? 0 : -1;
}

/* The numbers of 64 bits that stand in for those that are WIDE, in the extra field. */
static int widen(const unsigned char *extra, size_t length, uint64_t *const fields[3]) {
    int wide = 0;
    for (int i = 0; i < 3; i++) wide |= *fields[i] == WIDE;
    while (wide && length >= 4) {
        size_t size = (size_t)number(extra + 2, 2), used = 0;
        if (size > length - 4) return -1;
        if (number(extra, 2) == 1) {
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != WIDE) continue;
                if (size - used < 8) return -1;
                *fields[i] = number(extra + 4 + used, 8);
                used += 8;
            }
            return 0;
        }
        extra += 4 + size;
        length -= 4 + size;
    }
    return wide ? -1 : 0;
}

/* Where the central directory is, and how many members it has. */
static int find_directory(const npz_archive *from, uint64_t *offset, uint64_t *bytes, uint64_t *count,
                          char message[NPY_MESSAGE]) {
    unsigned char wide[END64];
    size_t tail = from->length < END + MOST_COMMENT ? (size_t)from->length : END + MOST_COMMENT;
    unsigned char *data = malloc(tail + 1), *end = NULL;
    if (!data) FAIL("out of memory");
    if (read_at(from, from->length - tail, data, tail)) tail = 0;
    for (size_t i = tail < END ? 0 : tail - END + 1; i-- > 0 && !end;)
        if (memcmp(data + i, "PK\5\6", 4) == 0) end = data + i;
    if (end) {
        uint64_t at = from->length - tail + (uint64_t)(end - data);
        *count = number(end + 10, 2);
        *bytes = number(end + 12, 4);
        *offset = number(end + 16, 4);
        if ((*count == UINT16_MAX || *bytes == WIDE || *offset == WIDE) && at >= LOCATOR &&
            !read_at(from, at - LOCATOR, wide, LOCATOR) && memcmp(wide, "PK\6\7", 4) == 0 &&
            !read_at(from, number(wide + 8, 8), wide, END64) && memcmp(wide, "PK\6\6", 4) == 0) {
            *count = number(wide + 32, 8);
            *bytes = number(wide + 40, 8);
            *offset = number(wide + 48, 8);
        }
    }
    free(data);
    if (!end) FAIL("it is no .npz file, or not a whole one");
    if (*offset > from->length || *bytes > from->length - *offset || *count > MOST_MEMBERS)
        FAIL("its directory is damaged");
    return 0;
}

/* One row of the directory; how long it is, or 0 if it is damaged. */
static size_t read_row(const unsigned char *row, size_t left, npz_member *into) {
    if (left < CENTRAL || memcmp(row, "PK\1\2", 4) != 0) return 0;
    size_t name = (size_t)number(row + 28, 2), extra = (size_t)number(row + 30, 2), comment = (size_t)number(row + 32, 2);
    if (left - CENTRAL < name + extra + comment) return 0;
    into->method = number(row + 8, 2) & 1 ? WIDE : (uint32_t)number(row + 10, 2); /* encrypted: no method */
    into->crc = (uint32_t)number(row + 16, 4);
    into->packed = number(row + 20, 4);
    into->size = number(row + 24, 4);
    into->offset = number(row + 42, 4);
    uint64_t *const fields[3] = {&into->size, &into->packed, &into->offset};
    if (widen(row + CENTRAL + name, extra, fields)) return 0;
    into->name = calloc(name + 1, 1);
    if (!into->name) return 0;
    memcpy(into->name, row + CENTRAL, name);
    if (name > 4 && strcmp(into->name + name - 4, ".npy") == 0) into->name[name - 4] = 0;
    return CENTRAL + name + extra + comment;
}

int npz_open(FILE *file, npz_archive *into, char message[NPY_MESSAGE]) {
    uint64_t offset = 0, bytes = 0, count = 0;
    memset(into, 0, sizeof *into);
    into->file = file;
    if (fseeko(file, 0, SEEK_END) || ftello(file) < 0) FAIL("it can't be read at any place: give a file, not a pipe");
    into->length = (uint64_t)ftello(file);
    if (!into->length) FAIL("it is empty; expected a .npz file");
    if (find_directory(into, &offset, &bytes, &count, message)) return -1;
    unsigned char *rows = malloc((size_t)bytes + 1);
    into->members = calloc((size_t)count + 1, sizeof *into->members);
    int failed = !rows || !into->members || read_at(into, offset, rows, (size_t)bytes);
    for (size_t at = 0, row; !failed && into->count < (int32_t)count; at += row) {
        row = read_row(rows + at, (size_t)bytes - at, &into->members[into->count]);
        failed = !row;
        into->count += !failed;
    }
    free(rows);
    if (failed) FAIL("its directory is damaged");
    return 0;
}

void npz_close(npz_archive *archive) {
    for (int32_t i = 0; i < archive->count; i++) free(archive->members[i].name);
    free(archive->members);
    memset(archive, 0, sizeof *archive);
}

const npz_member *npz_find(const npz_archive *archive, const char *name) {
    for (int32_t i = 0; i < archive->count; i++)
        if (strcmp(archive->members[i].name, name) == 0) return &archive->members[i];
    return NULL;
}

/* The bytes as they lie in the archive. */
static unsigned char *packed_bytes(const npz_archive *from, const npz_member *member, char message[NPY_MESSAGE]) {
    unsigned char header[LOCAL];
    if (read_at(from, member->offset, header, LOCAL) || memcmp(header, "PK\3\4", 4) != 0) {
        snprintf(message, NPY_MESSAGE, "it is damaged where %.100s begins", member->name);
        return NULL;
    }
    uint64_t start = member->offset + LOCAL + number(header + 26, 2) + number(header + 28, 2);
    unsigned char *data = member->packed <= from->length ? malloc((size_t)member->packed + 1) : NULL;
    if (!data || read_at(from, start, data, (size_t)member->packed)) {
        snprintf(message, NPY_MESSAGE, "%.100s is not whole", member->name);
        free(data);
        return NULL;
    }
    return data;
}

unsigned char *npz_bytes(const npz_archive *archive, const npz_member *member, char message[NPY_MESSAGE]) {
    if ((member->method != 0 && member->method != 8) || (!member->method && member->packed != member->size)) {
        snprintf(message, NPY_MESSAGE, "%.100s is packed in a way that this program does not read: write it with numpy.savez",
                 member->name);
        return NULL;
    }
    unsigned char *data = packed_bytes(archive, member, message);
    if (data && member->method) {
        /* Deflate packs 1032 bytes into one at most; a size beyond that is a lie. */
        unsigned char *unpacked = member->size / 1032 <= member->packed ? malloc((size_t)member->size + 1) : NULL;
        int failed = !unpacked || inflate(data, (size_t)member->packed, unpacked, (size_t)member->size);
        free(data);
        data = unpacked;
        if (failed) {
            snprintf(message, NPY_MESSAGE, "%.100s can't be unpacked", member->name);
            free(data);
            return NULL;
        }
    }
    if (data && crc_of(0, data, (size_t)member->size) != member->crc) {
        snprintf(message, NPY_MESSAGE, "%.100s is damaged: its checksum is another one", member->name);
        free(data);
        return NULL;
    }
    return data;
}
