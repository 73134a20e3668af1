/* The kernel of a spectrum, which takes less memory to compute than to hold. */
#ifndef NETWRIGHT_FOURIER_H
#define NETWRIGHT_FOURIER_H

#include <stdint.h>

typedef struct {
    int32_t frame, bins, points;
    const double *turn[2]; /* the cosine and the negated sine of each angle, of which there are so many as points */
    const double *window;
} nw_fourier_table;

/* Writes [frame, 1, 2*bins] numbers: the real parts of all bins, then the imaginary ones, as doubles if wide. */
void nw_fourier(const nw_fourier_table *table, void *numbers, int wide);

#endif
