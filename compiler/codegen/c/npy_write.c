/* Writes .npy files, and .npz: a zip archive of stored .npy files. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "crc.h"
#include "npy.h"

enum { HEADER = 1024, LOCAL = 30, CENTRAL = 46, END = 22, MAX_FILES = 256 };

/* The header, padded so that the data starts at a multiple of 64; its length. */
static size_t write_header(const npy_array *array, char text[HEADER]) {
    char kind = array->dtype.kind;
    size_t used = 10;
    used += (size_t)snprintf(text + used, HEADER - used, "{'descr': '%c%c%d', 'fortran_order': False, 'shape': (",
                             array->dtype.size == 1 ? '|' : '<', kind, (int)array->dtype.size);
    for (int32_t i = 0; i < array->rank; i++)
        used += (size_t)snprintf(text + used, HEADER - used, "%" PRId64 ",%s", array->shape[i],
                                 i + 1 < array->rank ? " " : "");
    used += (size_t)snprintf(text + used, HEADER - used, "), }");
    size_t length = (used + 1 + 63) / 64 * 64;
    memset(text + used, ' ', length - used - 1);
    text[length - 1] = '\n';
    memcpy(text, "\x93NUMPY\1\0", 8);
    text[8] = (char)((length - 10) & 255);
    text[9] = (char)((length - 10) >> 8);
    return length;
}

static int put(FILE *file, const void *data, size_t bytes) {
    return bytes == 0 || fwrite(data, 1, bytes, file) == bytes ? 0 : -1;
}

int npy_write(FILE *file, const npy_array *array) {
    char text[HEADER];
    size_t length = write_header(array, text);
    return put(file, text, length) || put(file, array->data, (size_t)array->bytes) ? -1 : 0;
}

static unsigned char *number(unsigned char *at, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) *at++ = (unsigned char)(value >> (8 * i));
    return at;
}

/* The fields that a local and a central header share: version, flags, method, time, date, crc, sizes, name, extra. */
static unsigned char *shared(unsigned char *at, uint32_t check, uint64_t size, size_t name) {
    at = number(at, 20, 2);
    at = number(at, 0x800, 2); /* names are UTF-8 */
    at = number(at, 0, 4);
    at = number(at, 0x21, 2); /* 1980-01-01: the same arrays give the same bytes */
    at = number(at, check, 4);
    at = number(at, size, 4);
    at = number(at, size, 4);
    at = number(at, name, 2);
    return number(at, 0, 2);
}

int npz_write(FILE *file, const npy_array *arrays, int32_t count) {
    uint32_t checks[MAX_FILES];
    uint64_t offsets[MAX_FILES], sizes[MAX_FILES], offset = 0;
    char text[HEADER];
    unsigned char fields[CENTRAL];
    if (count > MAX_FILES) return errno = EFBIG, -1;
    for (int32_t i = 0; i < count; i++) {
        const npy_array *array = &arrays[i];
        size_t header = write_header(array, text), name = strlen(array->name) + 4;
        offsets[i] = offset;
        sizes[i] = header + (uint64_t)array->bytes;
        offset += LOCAL + name + sizes[i];
        if (offset >= UINT32_MAX - 65536) return errno = EFBIG, -1;
        checks[i] = crc_of(crc_of(0, text, header), array->data, (size_t)array->bytes);
        shared(number(fields, 0x04034b50, 4), checks[i], sizes[i], name);
        if (put(file, fields, LOCAL) || put(file, array->name, name - 4) || put(file, ".npy", 4) ||
            npy_write(file, array))
            return -1;
    }
    uint64_t start = offset;
    for (int32_t i = 0; i < count; i++) {
        size_t name = strlen(arrays[i].name) + 4;
        unsigned char *at = number(number(fields, 0x02014b50, 4), 20, 2);
        at = shared(at, checks[i], sizes[i], name);
        at = number(at, 0, 8); /* no comment, disk 0, no attributes */
        at = number(at, 0, 2);
        number(at, offsets[i], 4);
        if (put(file, fields, CENTRAL) || put(file, arrays[i].name, name - 4) || put(file, ".npy", 4)) return -1;
        offset += CENTRAL + name;
    }
    unsigned char *at = number(fields, 0x06054b50, 4);
    at = number(at, 0, 4);
    at = number(number(at, (uint64_t)count, 2), (uint64_t)count, 2);
    at = number(at, offset - start, 4);
    at = number(at, start, 4);
    number(at, 0, 2);
    return put(file, fields, END);
}
