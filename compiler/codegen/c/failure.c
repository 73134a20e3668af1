/* Ends the program with a message: for what is wrong with the inputs, and where the system has no more. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "failure.h"
#include "model.h"

void fail(int status, const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "%s: ", nw_the_model.name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(status);
}

void *allocate(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    if (!memory) fail(EXIT_SYSTEM, "out of memory");
    return memory;
}
