#include "text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

static void make_room(text *to, size_t more) {
    if (to->length + more < to->room) return;
    to->room = (to->length + more) * 2 + 64;
    char *larger = realloc(to->data, to->room);
    if (!larger) fail(EXIT_SYSTEM, "out of memory");
    to->data = larger;
    to->data[to->length] = 0;
}

static void add(text *to, const char *data, size_t length) {
    make_room(to, length);
    memcpy(to->data + to->length, data, length);
    to->data[to->length += length] = 0;
}

void text_add(text *to, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length < 0) fail(EXIT_SYSTEM, "out of memory");
    make_room(to, (size_t)length);
    vsnprintf(to->data + to->length, (size_t)length + 1, format, again);
    to->length += (size_t)length;
    va_end(again);
    va_end(arguments);
}

/* How many of the bytes are one character in UTF-8; 0 if they are none. */
static size_t character(const unsigned char *at, size_t left) {
    size_t length = at[0] < 0x80 ? 1 : at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (length == 1) return 1;
    if (at[0] < 0xC2 || at[0] > 0xF4 || length > left) return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xC0) != 0x80) return 0;
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F)) return 0;
    if ((at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F)) return 0;
    return length;
}

void text_string(text *to, const char *data, size_t length) {
    add(to, "\"", 1);
    for (size_t i = 0; i < length;) {
        unsigned char byte = (unsigned char)data[i];
        size_t count = character((const unsigned char *)data + i, length - i);
        if (byte == '"' || byte == '\\')
            text_add(to, "\\%c", byte);
        else if (byte < 32 || !count)
            text_add(to, "\\u%04x", count ? byte : 0xDC00u + byte);
        else
            add(to, data + i, count);
        i += count ? count : 1;
    }
    add(to, "\"", 1);
}

void text_number(text *to, double value) {
    if (isnan(value)) {
        text_add(to, "NaN");
    } else if (isinf(value)) {
        text_add(to, value < 0 ? "-Infinity" : "Infinity");
    } else {
        size_t before = to->length;
        text_add(to, "%.17g", value);
        if (!strpbrk(to->data + before, ".e")) text_add(to, ".0");
    }
}

void text_free(text *of) {
    free(of->data);
    memset(of, 0, sizeof *of);
}
