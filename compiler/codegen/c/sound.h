/* WAV files (RIFF): whole numbers of 8 to 32 bits, or floats. */
#ifndef NETWRIGHT_SOUND_H
#define NETWRIGHT_SOUND_H

#include <stdio.h>

#include "npy.h"

typedef struct {
    int64_t rate; /* samples per second */
    int64_t channels, frames;
    void *data; /* [frames, channels] from -1 to 1 */
} sound;

/* Reads a WAV file, of which nothing was read yet, as floats of `want`. 0, or -1 with a message. */
int wav_read(FILE *file, nw_dtype want, sound *into, char message[NPY_MESSAGE]);

#endif
