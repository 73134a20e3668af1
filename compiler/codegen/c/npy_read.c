/* Reads .npy files, versions 1 to 3, and trusts nothing in them. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "npy.h"

enum { MAX_HEADER = 1 << 16, DESCR = 32 };

#define FAIL(...) return snprintf(message, NPY_MESSAGE, __VA_ARGS__), -1

typedef struct {
    const char *at, *end;
} cursor;

static void skip_blanks(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t')) c->at++;
}

static int accept(cursor *c, const char *word) {
    size_t n = strlen(word);
    skip_blanks(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) return 0;
    c->at += n;
    return 1;
}

static int read_string(cursor *c, char *out, size_t size) {
    skip_blanks(c);
    if (c->at >= c->end || (*c->at != '\'' && *c->at != '"')) return 0;
    char quote = *c->at++;
    size_t n = 0;
    while (c->at < c->end && *c->at != quote) {
        if (n + 1 >= size || !isprint((unsigned char)*c->at) || *c->at == '\\') return 0;
        out[n++] = *c->at++;
    }
    out[n] = 0;
    if (c->at >= c->end) return 0;
    c->at++;
    return 1;
}

static int read_shape(cursor *c, npy_header *header, char message[NPY_MESSAGE]) {
    if (!accept(c, "(")) FAIL("the header's shape is not a tuple");
    header->rank = 0;
    header->count = 1;
    while (!accept(c, ")")) {
        int64_t size = 0;
        const char *first = c->at;
        int bad = 0;
        for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
            size = nw_add(nw_mul(size, 10, &bad), *c->at - '0', &bad);
        if (c->at == first) FAIL("the header's shape holds something that is not a size");
        if (bad) FAIL("the header's shape holds a size beyond 64 bits");
        if (header->rank == NPY_MAX_RANK) FAIL("the header's shape has more than %d axes", NPY_MAX_RANK);
        header->shape[header->rank++] = size;
        if (!accept(c, ",")) {
            if (!accept(c, ")") || header->rank == 1) FAIL("the header's shape is not a tuple of sizes");
            break;
        }
    }
    int bad = 0, empty = 0;
    for (int32_t i = 0; i < header->rank; i++) empty |= header->shape[i] == 0;
    for (int32_t i = 0; i < header->rank && !empty; i++) header->count = nw_mul(header->count, header->shape[i], &bad);
    if (empty) header->count = 0;
    nw_mul(header->count, 16, &bad);
    if (bad) FAIL("the header's shape has more elements than memory has bytes");
    return 0;
}

static int read_descr(const char *descr, nw_dtype *dtype, char message[NPY_MESSAGE]) {
    static const char known[][4] = {"|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(descr, known[i]) == 0) {
            dtype->kind = descr[1];
            dtype->size = descr[2] - '0';
            return 0;
        }
    }
    if (descr[0] == '>')
        FAIL("its dtype is %s, big-endian; expected little-endian: save array.astype('<%s')", descr, descr + 1);
    FAIL("its dtype is %s; expected numbers: |b1 |i1 |u1 <i2 <u2 <i4 <u4 <i8 <u8 <f4 <f8", descr);
}

static int parse_header(const char *text, size_t length, npy_header *header, char message[NPY_MESSAGE]) {
    cursor c = {text, text + length};
    char key[DESCR], descr[DESCR];
    int seen = 0;
    if (!accept(&c, "{")) FAIL("the header is not a dictionary");
    while (!accept(&c, "}")) {
        int which;
        if (!read_string(&c, key, sizeof key) || !accept(&c, ":")) FAIL("the header is not a dictionary of strings");
        if (strcmp(key, "descr") == 0) {
            which = 1;
            if (!read_string(&c, descr, sizeof descr))
                FAIL("the header's descr is not a plain dtype (an array of records?)");
            if (read_descr(descr, &header->dtype, message)) return -1;
        } else if (strcmp(key, "fortran_order") == 0) {
            which = 2;
            if (accept(&c, "True"))
                FAIL("it is in Fortran order; expected C order: save numpy.ascontiguousarray(array)");
            if (!accept(&c, "False")) FAIL("the header's fortran_order is neither True nor False");
        } else if (strcmp(key, "shape") == 0) {
            which = 4;
            if (read_shape(&c, header, message)) return -1;
        } else {
            FAIL("the header has a key '%s'; expected descr, fortran_order and shape", key);
        }
        if (seen & which) FAIL("the header has the key '%s' twice", key);
        seen |= which;
        if (!accept(&c, ",")) {
            if (!accept(&c, "}")) FAIL("the header is not a dictionary");
            break;
        }
    }
    skip_blanks(&c);
    if (c.at != c.end) FAIL("the header has something behind its dictionary");
    if (seen != 7)
        FAIL("the header has no '%s'", seen & 1 ? seen & 2 ? "shape" : "fortran_order" : "descr");
    return 0;
}

int npy_read_header(FILE *file, npy_header *header, char message[NPY_MESSAGE]) {
    unsigned char start[12];
    size_t got = fread(start, 1, 10, file);
    if (got == 0) FAIL("it is empty; expected a .npy file");
    if (got < 10 || memcmp(start, "\x93NUMPY", 6) != 0) {
        int zip = got >= 4 && memcmp(start, "PK\3\4", 4) == 0;
        FAIL("it is not a .npy file%s", zip ? " but a .npz: give one of its arrays" : "");
    }
    size_t length = (size_t)start[8] | (size_t)start[9] << 8;
    if (start[6] < 1 || start[6] > 3) FAIL("its .npy version is %d; expected 1, 2 or 3", start[6]);
    if (start[6] > 1) {
        if (fread(start + 10, 1, 2, file) != 2) FAIL("it ends inside the header");
        length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    }
    if (length >= MAX_HEADER) FAIL("its header has %zu bytes; expected less than %d", length, MAX_HEADER);
    char *text = malloc(length + 1);
    if (!text) FAIL("out of memory");
    int failed = -1;
    if (fread(text, 1, length, file) != length)
        snprintf(message, NPY_MESSAGE, "it ends inside the header");
    else
        failed = parse_header(text, length, header, message);
    free(text);
    return failed;
}

int npy_casts_losslessly(nw_dtype from, nw_dtype to) {
    if (from.kind == 'b' || (from.kind == to.kind && from.size <= to.size)) return 1;
    if (from.kind == 'u' && to.kind == 'i') return from.size < to.size;
    if (to.kind == 'f' && (from.kind == 'i' || from.kind == 'u')) return from.size < to.size;
    return 0;
}

static void cast(const unsigned char *from, nw_dtype source, unsigned char *to, nw_dtype target, size_t count) {
    if (source.kind == target.kind && source.size == target.size && source.kind != 'b') {
        memcpy(to, from, count * (size_t)source.size);
        return;
    }
    for (size_t i = 0; i < count; i++, from += source.size, to += target.size) {
        uint64_t bits = 0; /* of an integer, sign-extended */
        double real = 0;
        memcpy(&bits, from, (size_t)source.size);
        if (source.kind == 'i') {
            int shift = 64 - 8 * source.size;
            int64_t value;
            bits <<= shift;
            memcpy(&value, &bits, 8);
            value >>= shift;
            memcpy(&bits, &value, 8);
            real = (double)value;
        } else if (source.kind == 'f') {
            float single;
            memcpy(&single, from, 4);
            if (source.size == 4)
                real = (double)single;
            else
                memcpy(&real, from, 8);
        } else {
            if (source.kind == 'b') bits = bits != 0;
            real = (double)bits;
        }
        if (target.kind == 'f') {
            float single = (float)real;
            memcpy(to, target.size == 4 ? (const void *)&single : (const void *)&real, (size_t)target.size);
        } else {
            memcpy(to, &bits, (size_t)target.size); /* little-endian: the low bytes */
        }
    }
}

void *npy_read_data(FILE *file, const npy_header *header, nw_dtype want, char message[NPY_MESSAGE]) {
    size_t width = (size_t)header->dtype.size, wanted = (size_t)want.size, count = (size_t)header->count;
    struct stat status;
    long position = ftell(file);
    int regular = position >= 0 && fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode);
    if (regular && (uint64_t)status.st_size - (uint64_t)position != count * width) {
        snprintf(message, NPY_MESSAGE, "expected %zu bytes of data behind the header, found %" PRIu64, count * width,
                 (uint64_t)status.st_size - (uint64_t)position);
        return NULL;
    }
    /* For a pipe, memory grows with the data that arrives; the header's size is not trusted. */
    size_t capacity = regular || count < 65536 ? count : 65536, done = 0;
    unsigned char block[8192];
    unsigned char *data = malloc(capacity * wanted + 1);
    while (data && done < count) {
        if (done == capacity) {
            capacity = capacity > count / 2 ? count : capacity * 2;
            unsigned char *larger = realloc(data, capacity * wanted);
            if (!larger) free(data);
            data = larger;
            continue;
        }
        size_t step = sizeof block / width;
        if (step > capacity - done) step = capacity - done;
        size_t got = fread(block, width, step, file);
        cast(block, header->dtype, data + done * wanted, want, got);
        done += got;
        if (got < step) break;
    }
    if (!data) {
        snprintf(message, NPY_MESSAGE, "out of memory for %zu elements", count);
    } else if (done < count) {
        snprintf(message, NPY_MESSAGE, "expected %zu elements behind the header, found %zu", count, done);
    } else if (getc(file) != EOF) {
        snprintf(message, NPY_MESSAGE, "expected %zu elements behind the header, found more", count);
    } else {
        return data;
    }
    free(data);
    return NULL;
}

const char *npy_dtype_name(nw_dtype dtype) {
    static const char names[4][4][8] = {{"bool", "bool", "bool", "bool"},
                                        {"int8", "int16", "int32", "int64"},
                                        {"uint8", "uint16", "uint32", "uint64"},
                                        {"?", "float16", "float32", "float64"}};
    int row = dtype.kind == 'b' ? 0 : dtype.kind == 'i' ? 1 : dtype.kind == 'u' ? 2 : 3;
    return names[row][dtype.size == 8 ? 3 : dtype.size == 4 ? 2 : dtype.size == 2];
}

const char *npy_shape_text(int32_t rank, const int64_t *shape, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (int32_t i = 0; i < rank && used + 32 < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, i ? ", " : "", shape[i]);
    snprintf(text + used, size - used, "]");
    return text;
}
