/* Steps that come as .npy arrays, one after the other, and answers that go as such: an array per output for each. */
#ifndef NETWRIGHT_RECORDS_H
#define NETWRIGHT_RECORDS_H

#include <stdint.h>
#include <stdio.h>

#include "driver.h"

/* The part of a buffer's bytes that a frame takes. */
int64_t frame_bytes(int32_t buffer, int32_t axis, const int64_t *dims);

/* Reads the head of the next array of steps: the bytes behind it, or -1 where the input ends. Ends the program if it is
   no array of steps. */
int64_t next_record(FILE *from, const call *c);

/* The answers to one array, for an output. Memory grows with the steps that arrive: an array's head is not trusted. */
typedef struct {
    unsigned char *data;
    int64_t frames, room, bytes; /* how many there are, for how many there is room, and the bytes of one */
} gathered;

/* None yet, of each output. */
void begin_answers(gathered *answers, const call *c);
/* Takes over those of a call that follows `groups` groups of steps. */
void gather_answers(gathered *answers, const call *c, int64_t groups);
/* Writes them. */
void send_answers(const gathered *answers, const call *c);
void free_answers(gathered *answers);

#endif
