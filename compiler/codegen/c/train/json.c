/* Reads JSON, and trusts nothing in it. */
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 60 };

typedef struct block block;
struct block {
    block *next;
    _Alignas(16) unsigned char data[];
};

/* The root lies in the first block of the list that holds all of the tree. */
typedef struct {
    json value;
    block *blocks;
} document;

typedef struct {
    const char *start, *at, *end;
    document *made;
    const char *problem;
} reader;

static void *wrong(reader *r, const char *problem) {
    if (!r->problem) r->problem = problem;
    return NULL;
}

static void *take(reader *r, size_t size) {
    block *made = calloc(1, sizeof(block) + size);
    if (!made) return wrong(r, "there is not enough memory for it");
    made->next = r->made->blocks;
    r->made->blocks = made;
    return made->data;
}

static void skip_blanks(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')) r->at++;
}

static int accept(reader *r, const char *word) {
    size_t n = strlen(word);
    skip_blanks(r);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0) return 0;
    r->at += n;
    return 1;
}

static int hex(reader *r, uint32_t *code) {
    if (r->end - r->at < 4) return 0;
    *code = 0;
    for (int i = 0; i < 4; i++) {
        char c = *r->at++;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return 0;
        *code = *code << 4 | (uint32_t)digit;
    }
    return 1;
}

static char *encode(char *to, uint32_t code) {
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *to++ = (char)((more == 1 ? 0xC0u : more == 2 ? 0xE0u : 0xF0u) | code >> (6 * more));
    while (more--) *to++ = (char)(0x80u | (code >> (6 * more) & 0x3Fu));
    return to;
}

static char *escape(reader *r, char *to) {
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    char c = *r->at++;
    const char *which = c ? strchr(plain, c) : NULL;
    if (which) {
        *to++ = meant[which - plain];
        return to;
    }
    uint32_t code = 0, low = 0;
    if (c != 'u' || !hex(r, &code)) return wrong(r, "it has an escape that is none");
    if (code >= 0xDC80 && code <= 0xDCFF) { /* a byte of a file name that is no character */
        *to++ = (char)(code & 0xFF);
        return to;
    }
    if (code >= 0xD800 && code < 0xDC00 && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
        const char *before = r->at;
        r->at += 2;
        if (hex(r, &low) && low >= 0xDC00 && low < 0xE000)
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        else
            r->at = before;
    }
    return encode(to, code);
}

/* Behind the first quote. An escape is never shorter than what it stands for. */
static const char *string(reader *r, size_t *length) {
    const char *end = r->at;
    while (end < r->end && *end != '"') end += *end == '\\' && r->end - end > 1 ? 2 : 1;
    if (end >= r->end) return wrong(r, "a string does not end");
    char *made = take(r, (size_t)(end - r->at) + 1), *to = made;
    while (made && to && r->at < end) {
        if ((unsigned char)*r->at < 32) return wrong(r, "a string has a character that has to be escaped");
        if (*r->at != '\\')
            *to++ = *r->at++;
        else if (r->at++, !(to = escape(r, to)))
            return NULL;
    }
    if (!made || r->at != end) return wrong(r, "it has an escape that is none");
    r->at++;
    *length = (size_t)(to - made);
    return made;
}

static json *number(reader *r, json *made) {
    const char *first = r->at;
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    static const double values[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        if (!accept(r, words[i])) continue;
        made->number = values[i];
        made->text = words[i];
        made->length = strlen(words[i]);
        return made;
    }
    while (r->at < r->end && *r->at && strchr("+-.0123456789eE", *r->at)) r->at++;
    made->length = (size_t)(r->at - first);
    if (!made->length || made->length > 64) return wrong(r, "something in it is no value");
    char *copy = take(r, made->length + 1), *end = copy;
    if (!copy) return NULL;
    memcpy(copy, first, made->length);
    made->text = copy;
    made->number = strtod(copy, &end);
    return *end ? wrong(r, "something in it is no value") : made;
}

static json *value(reader *r, json *made, int depth);

static json *members(reader *r, json *made, int depth) {
    int object = made->kind == JSON_OBJECT;
    const char *close = object ? "}" : "]";
    json **last = &made->first;
    if (depth == MOST_DEPTH) return wrong(r, "it is nested too deep");
    if (accept(r, close)) return made;
    do {
        json *item = take(r, sizeof *item);
        if (!item) return NULL;
        if (object) {
            if (!accept(r, "\"") || !(item->name = string(r, &item->name_length)) || !accept(r, ":"))
                return wrong(r, "an object is no list of names and values");
        }
        if (!value(r, item, depth + 1)) return NULL;
        *last = item;
        last = &item->next;
        made->count++;
    } while (accept(r, ","));
    return accept(r, close) ? made : wrong(r, "a list or an object does not end");
}

static json *value(reader *r, json *made, int depth) {
    skip_blanks(r);
    made->kind = JSON_NUMBER;
    if (accept(r, "{") || accept(r, "[")) {
        made->kind = r->at[-1] == '{' ? JSON_OBJECT : JSON_LIST;
        return members(r, made, depth);
    }
    if (accept(r, "\"")) {
        made->kind = JSON_STRING;
        return (made->text = string(r, &made->length)) ? made : NULL;
    }
    if (accept(r, "null")) return made->kind = JSON_NULL, made;
    if (accept(r, "true")) return made->kind = JSON_TRUE, made;
    if (accept(r, "false")) return made->kind = JSON_FALSE, made;
    return number(r, made);
}

json *json_read(const char *data, size_t length, char message[JSON_MESSAGE]) {
    reader r = {data, data, data + length, calloc(1, sizeof(document)), NULL};
    if (!r.made) return snprintf(message, JSON_MESSAGE, "there is not enough memory for it"), NULL;
    json *root = value(&r, &r.made->value, 0);
    skip_blanks(&r);
    if (root && r.at == r.end) return root;
    wrong(&r, "something is behind its end");
    snprintf(message, JSON_MESSAGE, "%s (byte %zu)", r.problem, (size_t)(r.at - r.start));
    json_free(&r.made->value);
    return NULL;
}

void json_free(json *root) {
    document *made = (document *)root; /* the root is its first member */
    if (!made) return;
    for (block *next, *at = made->blocks; at; at = next) {
        next = at->next;
        free(at);
    }
    free(made);
}

const json *json_member(const json *object, const char *name) {
    if (!object || object->kind != JSON_OBJECT) return NULL;
    for (const json *at = object->first; at; at = at->next)
        if (json_is(at->name, at->name_length, name)) return at;
    return NULL;
}

int json_whole(const json *value, int64_t least, int64_t *number) {
    if (!value || value->kind != JSON_NUMBER) return 0;
    char *end;
    errno = 0;
    long long read = strtoll(value->text, &end, 10);
    if (errno || *end || end == value->text || read < least) return 0;
    *number = read;
    return 1;
}

int json_is(const char *text, size_t length, const char *other) {
    return length == strlen(other) && memcmp(text, other, length) == 0;
}
