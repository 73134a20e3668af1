#ifndef NETWRIGHT_PROCESSORS_H
#define NETWRIGHT_PROCESSORS_H

__attribute__((visibility("hidden"))) int nw_processors(void);

/* Turns in which a thread waits for the others before it sleeps: it takes no processor from those that it waits for. */
static inline int nw_patience(int threads) { return threads <= nw_processors() ? 2048 : 1; }

#endif
