#ifndef NETWRIGHT_PROCESSORS_H
#define NETWRIGHT_PROCESSORS_H

#include <stdint.h>

__attribute__((visibility("hidden"))) int nw_processors(void);

/* Writes the numbers of the processors that this process may run on, as many as fit; returns how many. */
__attribute__((visibility("hidden"))) int nw_own_processors(int32_t *numbers, int room);
/* Pins the calling thread to one of them. */
__attribute__((visibility("hidden"))) int nw_keep_on(int32_t processor);

/* For how many turns a thread spins before it sleeps: none if it would take a processor from a thread that it waits for. */
static inline int nw_patience(int threads) { return threads <= nw_processors() ? 2048 : 1; }

#endif
