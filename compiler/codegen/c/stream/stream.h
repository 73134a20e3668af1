/* The description of a network that takes steps, and what the command line asks of it. */
#ifndef NETWRIGHT_STREAM_H
#define NETWRIGHT_STREAM_H

#include <stdint.h>

/* An output: with an axis it gives `rate` frames per group of steps, of which the first `delay` of all are no part of
   the sequence; with axis -1 it is the answer so far. */
typedef struct {
    int32_t buffer, axis;
    int64_t rate, delay;
} nw_answers;

typedef struct {
    int32_t input, axis; /* the buffer that takes the steps */
    int32_t chunk;       /* the dim that counts the steps of a call */
    int64_t group;       /* the steps of a call are a multiple of this */
    int32_t output_count;
    const nw_answers *outputs;
    uint64_t identity; /* of the network: a state belongs to one */
} nw_stream;

extern const nw_stream nw_the_stream;

typedef struct {
    const char *state, *save;
    int raw, npy, threads, pin;
} stream_options;

/* Ends the program if there is a mistake, and after --help and --info. */
void parse_stream_options(int argc, char **argv, stream_options *asked);

#endif
