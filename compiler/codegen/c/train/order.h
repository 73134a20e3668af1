/* The batches of an epoch. */
#ifndef NETWRIGHT_ORDER_H
#define NETWRIGHT_ORDER_H

#include "training.h"

typedef struct {
    int64_t count, size, samples;
    int64_t *order;   /* of the samples; see sample_row */
    int64_t *numbers; /* of the batches: where each begins in the order, in batches */
} batch_list;

/* Has an order go through as many samples of each class. */
void balance_samples(const dataset *of, int64_t epoch, int64_t *order);
batch_list make_batches(const dataset *of, int64_t size, int shuffle, int64_t epoch);
void free_batches(batch_list *of);
int64_t count_batches(const dataset *of, int64_t size);
/* How many windows a batch has that is cut into such; else 1. */
int64_t count_windows(const dataset *of);
const int64_t *batch_samples(const batch_list *of, int64_t number, int64_t *count);
/* Copies `count` samples of a batch, from number `first` on, into the buffers of a call; a window of them, or (window -1)
   whole sequences. */
void gather_batch(const dataset *of, const batch_list *list, int64_t number, int64_t window, int64_t first, int64_t count, call *c);

#endif
