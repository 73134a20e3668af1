/* @MODEL@ as a library for C. Made by Netwright @VERSION@ for @TARGET@.

@USE@ */
#ifndef @UPPER@_H
#define @UPPER@_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef NETWRIGHT_CODES
#define NETWRIGHT_CODES
/* What functions return; @PREFIX@_error has the texts. */
enum {
@CODES@
};
#endif

/* What a code means, in English. */
const char *@PREFIX@_error(int32_t code);

/* 0 if this CPU can run the code, otherwise bits that say what it lacks: bit 0 is the first of
   @FEATURES@.
   Then every call returns NETWRIGHT_CPU_LACKS. */
int64_t @PREFIX@_missing(void);

@SIZES@
@WEIGHTS@
@FUNCTIONS@
/* -- the general form: every entry with one table of buffers ---------------------------------------------------- */

#ifndef NETWRIGHT_CONTEXT
#define NETWRIGHT_CONTEXT
/* One call. All memory is the caller's; nothing is kept between calls, so calls may run at the same time. */
typedef struct {
    const int64_t *dims;    /* one value per dim, in the order below */
    void *const *buffers;   /* one pointer per buffer, in the order below; NULL if the entry does not use it */
    void *arena;            /* aligned to 64 bytes, as large as the entry's plan says */
    const int64_t *offsets; /* as the entry's plan wrote them */
    void *barrier;          /* 64 zeroed bytes, aligned to 8, that the threads of one call share; NULL for one thread */
} netwright_context;
#endif

/* Dims: @DIMS@ */
enum {
@DIM_NUMBERS@
};

/* Buffers: dense, row-major. Where a line gives a range, an integer outside it is an error: the entry returns
   NETWRIGHT_INDEX or NETWRIGHT_LENGTH. States begin as zeros. */
enum {
@BUFFER_NUMBERS@
};

/* An entry's plan writes @UPPER@_ENTRY_SLOTS offsets for values of the dims, and returns the arena's bytes (negative:
   too large). Then call the entry on one thread (tid 0, nthreads 1), or at the same time on all threads from tid 0 to
   nthreads - 1 with one context and a barrier that is zeroed before each call. It returns the same code on each. */
@ENTRIES@
@POOL@
/* The bytes of a buffer for values of the dims; negative: no such buffer, or too large for this machine. */
int64_t @PREFIX@_bytes(int32_t buffer, const int64_t *dims);

/* Whether the model admits these sizes, in the order above: 1 or 0. */
int32_t @PREFIX@_admits(const int64_t *dims);

/* The entries, buffers and dims, as JSON. */
extern const char @PREFIX@_manifest[];

#ifdef __cplusplus
}
#endif

#endif
