/* Reads WAV files, and trusts nothing in them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sound.h"

/* Programs that write to a pipe do not know how long the sound will be, and say about 2 or 4 GiB. */
#define OPEN_END 0x7FFF0000u

enum { PCM = 1, FLOAT = 3, EXTENSIBLE = 0xFFFE, FORMAT = 40, MAX_CHANNELS = 1024, BLOCK = 8192 };

#define FAIL(...) return snprintf(message, NPY_MESSAGE, __VA_ARGS__), -1

typedef struct {
    uint32_t format, channels, bits;
    uint32_t rate;
} description;

static uint32_t number(const unsigned char *at, int bytes) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint32_t)at[i] << (8 * i);
    return value;
}

static int skip(FILE *file, uint64_t bytes) {
    unsigned char block[BLOCK];
    while (bytes) {
        size_t step = bytes < BLOCK ? (size_t)bytes : BLOCK;
        if (fread(block, 1, step, file) != step) return -1;
        bytes -= step;
    }
    return 0;
}

static int read_format(FILE *file, uint32_t size, description *what, char message[NPY_MESSAGE]) {
    unsigned char text[FORMAT] = {0};
    uint32_t taken = size < FORMAT ? size : FORMAT;
    if (size < 16) FAIL("its format has %" PRIu32 " bytes; expected at least 16", size);
    if (fread(text, 1, taken, file) != taken || skip(file, (uint64_t)size - taken + (size & 1)))
        FAIL("it ends inside its format");
    what->format = number(text, 2);
    what->channels = number(text + 2, 2);
    what->rate = number(text + 4, 4);
    what->bits = number(text + 14, 2);
    if (what->format == EXTENSIBLE) what->format = taken == FORMAT ? number(text + 24, 2) : 0;
    if (what->format != PCM && what->format != FLOAT) FAIL("its sound is compressed; expected PCM or floats");
    if (what->channels < 1 || what->channels > MAX_CHANNELS) FAIL("it has %" PRIu32 " channels", what->channels);
    int whole = what->bits == 8 || what->bits == 16 || what->bits == 24 || what->bits == 32;
    if (what->format == PCM ? !whole : what->bits != 32 && what->bits != 64)
        FAIL("it has %" PRIu32 " bits per sample; expected 8, 16, 24, 32, or floats of 32 or 64", what->bits);
    return 0;
}

/* Samples as floats; those of whole numbers are fractions of full scale. */
static void convert(const unsigned char *from, const description *what, void *to, size_t at, size_t count, int doubles) {
    size_t width = what->bits / 8;
    for (size_t i = 0; i < count; i++, from += width) {
        double value;
        if (what->format == FLOAT && width == 8) {
            memcpy(&value, from, 8);
        } else if (what->format == FLOAT) {
            float single;
            memcpy(&single, from, 4);
            value = (double)single;
        } else {
            uint32_t bits = number(from, (int)width) << (32 - what->bits);
            int32_t whole;
            if (width == 1) bits ^= 0x80000000u; /* the one width without a sign */
            memcpy(&whole, &bits, 4);
            value = (double)whole / 2147483648.0;
        }
        if (doubles)
            ((double *)to)[at + i] = value;
        else
            ((float *)to)[at + i] = (float)value;
    }
}

static int read_samples(FILE *file, uint32_t size, const description *what, nw_dtype want, sound *into,
                        char message[NPY_MESSAGE]) {
    size_t width = what->bits / 8, wide = (size_t)want.size, done = 0, got = 0;
    size_t count = size / width / what->channels * what->channels;
    int open = size >= OPEN_END;
    /* Memory grows with the data that arrives; the size is not trusted. */
    size_t capacity = count < 65536 ? count : 65536;
    unsigned char block[BLOCK];
    unsigned char *data = malloc(capacity * wide + 1);
    while (data && done < count) {
        if (done == capacity) {
            capacity = capacity > count / 2 ? count : capacity * 2;
            unsigned char *larger = realloc(data, capacity * wide);
            if (!larger) free(data);
            data = larger;
            continue;
        }
        size_t step = sizeof block / width;
        if (step > capacity - done) step = capacity - done;
        got = fread(block, width, step, file);
        convert(block, what, data, done, got, want.size == 8);
        done += got;
        if (got < step) break;
    }
    if (!data) FAIL("out of memory for %zu samples", count);
    if (done < count && !open) {
        free(data);
        FAIL("it is cut short: expected %zu samples, found %zu", count, done);
    }
    into->rate = (int64_t)what->rate;
    into->channels = (int64_t)what->channels;
    into->frames = (int64_t)(done / what->channels);
    into->data = data;
    return 0;
}

int wav_read(FILE *file, nw_dtype want, sound *into, char message[NPY_MESSAGE]) {
    unsigned char head[12];
    description what = {0, 0, 0, 0};
    if (fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4) != 0 || memcmp(head + 8, "WAVE", 4) != 0)
        FAIL("it is neither a .npy nor a WAV file");
    for (;;) {
        if (fread(head, 1, 8, file) != 8) FAIL("it ends before its sound");
        uint32_t size = number(head + 4, 4);
        if (memcmp(head, "fmt ", 4) == 0) {
            if (read_format(file, size, &what, message)) return -1;
        } else if (memcmp(head, "data", 4) == 0) {
            if (!what.format) FAIL("its sound comes before its format");
            return read_samples(file, size, &what, want, into, message);
        } else if (skip(file, (uint64_t)size + (size & 1))) {
            FAIL("it ends before its sound");
        }
    }
}
