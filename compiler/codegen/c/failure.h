/* How the program ends if it cannot do what is asked. */
#ifndef NETWRIGHT_FAILURE_H
#define NETWRIGHT_FAILURE_H

#include <stddef.h>

enum { EXIT_SYSTEM = 1, EXIT_INPUT = 2, EXIT_CPU = 3, EXIT_DIFFERS = 4 };

/* Ends the program with a message on stderr. */
void fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* Zeroed memory; ends the program if there is none. */
void *allocate(size_t count, size_t size);

#endif
