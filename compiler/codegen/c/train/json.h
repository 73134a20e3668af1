/* JSON as a tree. */
#ifndef NETWRIGHT_JSON_H
#define NETWRIGHT_JSON_H

#include <stddef.h>
#include <stdint.h>

enum { JSON_MESSAGE = 512 };

typedef enum { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_LIST, JSON_OBJECT } json_kind;

typedef struct json json;
struct json {
    json_kind kind;
    const char *text; /* a string, or a number as it is written; ends with a zero byte */
    size_t length;
    double number;
    const char *name; /* of a member of an object */
    size_t name_length;
    json *first, *next; /* members or items */
    size_t count;
};

/* NULL with a message if the text is no JSON. NaN, Infinity and -Infinity are numbers; of members with one name the
   first one counts. */
json *json_read(const char *data, size_t length, char message[JSON_MESSAGE]);
void json_free(json *root);

/* A member of an object; NULL if it is none, or has no such member. */
const json *json_member(const json *object, const char *name);
/* Whether it is a whole number of at least this, and which. */
int json_whole(const json *value, int64_t least, int64_t *number);
/* Whether a string or name is this text. */
int json_is(const char *text, size_t length, const char *other);

#endif
