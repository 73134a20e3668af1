/* The states of a training: those of the optimizer, and recurrent ones, which have a row per sequence of a batch. */
#ifndef NETWRIGHT_STATES_H
#define NETWRIGHT_STATES_H

#include "training.h"

void make_states(training *t);
/* A state of a size; zeros, unless it has that size already. */
void size_state(training *t, int32_t number, const int64_t *shape);
int64_t state_bytes(const training *t, int32_t number);
/* Gives states of open sizes those of the batch at hand. */
void bind_states(training *t);
/* A sequence starts: nothing is carried into it. */
void reset_carry(training *t);
int finite_states(const training *t);

#endif
