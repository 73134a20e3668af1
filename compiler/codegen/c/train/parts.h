/* Batches that are divided into parts (runtime/training/distributed): the same sums, in the same order. */
#ifndef NETWRIGHT_PARTS_H
#define NETWRIGHT_PARTS_H

#include "order.h"

/* Memory for gradients and for numbers of whole batches; nothing if batches are whole. */
void make_parts(training *t);
/* Trains on a batch of `count` samples. Whether its data are not finite. */
int divided_step(training *t, const batch_list *list, int64_t number, int64_t count);
/* The sums of all validation data, or of those before a signal. */
void divided_loss(training *t, const batch_list *list, totals *sums);

#endif
