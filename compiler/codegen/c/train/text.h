/* Text that grows. */
#ifndef NETWRIGHT_TEXT_H
#define NETWRIGHT_TEXT_H

#include <stddef.h>

typedef struct {
    char *data; /* ends with a zero byte; NULL while there is none */
    size_t length, room;
} text;

void text_add(text *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string; bytes that are no UTF-8 become surrogates, as Python reads file names. */
void text_string(text *to, const char *data, size_t length);
/* A JSON number that reads as the same double, or NaN, Infinity and -Infinity, which Python reads, too. */
void text_number(text *to, double value);
void text_free(text *of);

#endif
