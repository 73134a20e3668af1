#ifndef NETWRIGHT_SPLIT_H
#define NETWRIGHT_SPLIT_H

#include "training.h"

/* Takes the splits of the training or validation data out of them. Whether `valid` is one of them. has_valid: there
   are validation data already, in place of such a split. */
int take_splits(int from_valid, int has_valid, dataset *whole, dataset *valid);

#endif
