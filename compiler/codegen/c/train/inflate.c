/* Unpacks what deflate packed (RFC 1951). */
#include <string.h>

#include "npz_read.h"

enum { MOST_BITS = 15, LITERALS = 288, DISTANCES = 32, END_OF_BLOCK = 256 };

typedef struct {
    const unsigned char *at, *end;
    uint32_t held;
    int count; /* how many bits are held */
    unsigned char *to;
    size_t done, size;
    int bad;
} stream;

/* Codes by length: how many there are of each, and the symbols in the order of their codes. */
typedef struct {
    uint16_t counts[MOST_BITS + 1], symbols[LITERALS];
} codes;

static uint32_t bits(stream *s, int count) {
    while (s->count < count) {
        if (s->at == s->end) return s->bad = 1, 0;
        s->held |= (uint32_t)*s->at++ << s->count;
        s->count += 8;
    }
    uint32_t value = s->held & ((1u << count) - 1);
    s->held >>= count;
    s->count -= count;
    return value;
}

/* -1 if there are more codes than can be; incomplete ones are an error only if they are read. */
static int make_codes(codes *made, const unsigned char *lengths, int count) {
    uint16_t starts[MOST_BITS + 2] = {0};
    int left = 1;
    memset(made, 0, sizeof *made);
    for (int i = 0; i < count; i++) made->counts[lengths[i]]++;
    made->counts[0] = 0;
    for (int length = 1; length <= MOST_BITS; length++) {
        left = left * 2 - made->counts[length];
        if (left < 0) return -1;
        starts[length + 1] = (uint16_t)(starts[length] + made->counts[length]);
    }
    for (int i = 0; i < count; i++)
        if (lengths[i]) made->symbols[starts[lengths[i]]++] = (uint16_t)i;
    return 0;
}

static int symbol(stream *s, const codes *of) {
    int code = 0, first = 0, index = 0;
    for (int length = 1; length <= MOST_BITS && !s->bad; length++) {
        code |= (int)bits(s, 1);
        int count = of->counts[length];
        if (code - first < count) return of->symbols[index + code - first];
        index += count;
        first = (first + count) << 1;
        code <<= 1;
    }
    s->bad = 1;
    return 0;
}

static void copy(stream *s, size_t length, size_t distance) {
    if (distance > s->done || length > s->size - s->done) {
        s->bad = 1;
        return;
    }
    for (; length--; s->done++) s->to[s->done] = s->to[s->done - distance];
}

static void block(stream *s, const codes *literals, const codes *distances) {
    static const uint16_t lengths[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                       31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint16_t starts[] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
                                      193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    while (!s->bad) {
        int value = symbol(s, literals);
        if (s->bad || value == END_OF_BLOCK) return;
        if (value < END_OF_BLOCK) {
            if (s->done == s->size)
                s->bad = 1;
            else
                s->to[s->done++] = (unsigned char)value;
            continue;
        }
        value -= END_OF_BLOCK + 1;
        if (value >= 29) break;
        size_t length = lengths[value] + bits(s, value < 8 || value == 28 ? 0 : (value - 4) / 4);
        int far = symbol(s, distances);
        if (s->bad || far >= 30) break;
        copy(s, length, starts[far] + bits(s, far < 4 ? 0 : far / 2 - 1));
    }
    s->bad = 1;
}

static void stored(stream *s) {
    s->held = 0;
    s->count = 0;
    if (s->end - s->at < 4) {
        s->bad = 1;
        return;
    }
    size_t length = (size_t)s->at[0] | (size_t)s->at[1] << 8, inverse = (size_t)s->at[2] | (size_t)s->at[3] << 8;
    s->at += 4;
    if (length != (inverse ^ 0xFFFF) || length > (size_t)(s->end - s->at) || length > s->size - s->done) {
        s->bad = 1;
        return;
    }
    memcpy(s->to + s->done, s->at, length);
    s->done += length;
    s->at += length;
}

static void fixed(stream *s) {
    codes literals, distances;
    unsigned char lengths[LITERALS];
    for (int i = 0; i < LITERALS; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    make_codes(&literals, lengths, LITERALS);
    memset(lengths, 5, DISTANCES);
    make_codes(&distances, lengths, DISTANCES);
    block(s, &literals, &distances);
}

static void dynamic(stream *s) {
    static const unsigned char order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    codes literals, distances;
    unsigned char lengths[LITERALS + DISTANCES] = {0};
    int wide = (int)bits(s, 5) + 257, far = (int)bits(s, 5) + 1, given = (int)bits(s, 4) + 4, count = 0;
    for (int i = 0; i < given; i++) lengths[order[i]] = (unsigned char)bits(s, 3);
    if (wide > 286 || s->bad || make_codes(&literals, lengths, 19)) {
        s->bad = 1;
        return;
    }
    while (count < wide + far && !s->bad) {
        int value = symbol(s, &literals), times = 1;
        unsigned char length = (unsigned char)value;
        if (value >= 16) {
            if (value == 16 && !count) s->bad = 1;
            length = value == 16 && count ? lengths[count - 1] : 0;
            times = value == 16 ? 3 + (int)bits(s, 2) : value == 17 ? 3 + (int)bits(s, 3) : 11 + (int)bits(s, 7);
        }
        if (times > wide + far - count) s->bad = 1;
        for (; times-- && !s->bad; count++) lengths[count] = length;
    }
    if (s->bad || make_codes(&literals, lengths, wide) || make_codes(&distances, lengths + wide, far)) {
        s->bad = 1;
        return;
    }
    block(s, &literals, &distances);
}

int inflate(const unsigned char *from, size_t length, unsigned char *to, size_t size) {
    stream s = {from, from + length, 0, 0, to, 0, size, 0};
    int last = 0;
    while (!last && !s.bad) {
        last = (int)bits(&s, 1);
        uint32_t kind = bits(&s, 2);
        if (s.bad || kind == 3)
            s.bad = 1;
        else if (kind == 0)
            stored(&s);
        else if (kind == 1)
            fixed(&s);
        else
            dynamic(&s);
    }
    return s.bad || s.done != size ? -1 : 0;
}
