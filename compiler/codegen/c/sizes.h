/* Arithmetic on sizes that records overflow. */
#ifndef NETWRIGHT_SIZES_H
#define NETWRIGHT_SIZES_H

#include <stdint.h>

static inline int64_t nw_add(int64_t a, int64_t b, int *bad) {
    int64_t r = 0;
    *bad |= __builtin_add_overflow(a, b, &r);
    return r;
}

static inline int64_t nw_mul(int64_t a, int64_t b, int *bad) {
    int64_t r = 0;
    *bad |= __builtin_mul_overflow(a, b, &r);
    return r;
}

static inline int64_t nw_floordiv(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static inline int64_t nw_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t nw_max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

#endif
