#ifndef NETWRIGHT_PROCESSORS_H
#define NETWRIGHT_PROCESSORS_H

#include <stdint.h>

__attribute__((visibility("hidden"))) int nw_processors(void);

/* The numbers of the processors that this process may run on, as many as there is room for: how many. */
__attribute__((visibility("hidden"))) int nw_own_processors(int32_t *numbers, int room);
/* Keeps the calling thread on one of them. */
__attribute__((visibility("hidden"))) int nw_keep_on(int32_t processor);

/* Turns in which a thread waits for the others before it sleeps: it takes no processor from those that it waits for. */
static inline int nw_patience(int threads) { return threads <= nw_processors() ? 2048 : 1; }

#endif
