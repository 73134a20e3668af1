/* mark FILE.wav: where somebody speaks, as the network in libvoice.so hears it.

   The network takes 512 new samples of 16 kHz, with the 64 before them, and a state; it gives the probability that
   there is speech, and the next state. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvoice.h"

enum { RATE = 16000, CHUNK = 512, CONTEXT = 64 };

/* Speech begins at the one probability and ends where it stays below the other for so many chunks. */
static const float BEGINS = 0.5f, ENDS = 0.35f;
enum { PAUSE = 10 };

static void fail(const char *message) {
    fprintf(stderr, "mark: %s\n", message);
    exit(1);
}

static unsigned little(const unsigned char *bytes, int count) {
    unsigned value = 0;
    while (count--) value = value << 8 | bytes[count];
    return value;
}

/* The samples of a WAV file of 16-bit PCM, the mean of its channels, and their rate. */
static float *read_wav(const char *path, size_t *count, unsigned *rate) {
    FILE *file = fopen(path, "rb");
    unsigned char head[12], format[16] = {0}, chunk[8];
    unsigned channels = 0;
    if (!file) fail("the file can't be opened");
    if (fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4) || memcmp(head + 8, "WAVE", 4)) fail("no WAV file");
    while (fread(chunk, 1, 8, file) == 8) {
        size_t size = little(chunk + 4, 4);
        if (!memcmp(chunk, "fmt ", 4) && size >= 16) {
            if (fread(format, 1, 16, file) != 16) fail("the file ends in its format");
            channels = little(format + 2, 2);
            *rate = little(format + 4, 4);
            if (little(format, 2) != 1 || little(format + 14, 2) != 16 || !channels || !*rate) fail("not 16-bit PCM");
            size -= 16;
        } else if (!memcmp(chunk, "data", 4) && channels) {
            unsigned char *bytes = malloc(size + 1);
            if (!bytes) fail("out of memory");
            *count = fread(bytes, 1, size, file) / (2 * channels); /* a file that is cut off gives what there is */
            float *samples = malloc((*count + 1) * sizeof *samples);
            if (!samples) fail("out of memory");
            for (size_t i = 0; i < *count; i++) {
                float sum = 0;
                for (unsigned c = 0; c < channels; c++) sum += (int16_t)little(bytes + 2 * (i * channels + c), 2);
                samples[i] = sum / (32768.0f * channels);
            }
            free(bytes);
            fclose(file);
            return samples;
        }
        if (fseek(file, (long)(size + (size & 1)), SEEK_CUR)) break;
    }
    fail("no samples");
    return NULL;
}

/* Sample i at 16 kHz, between the two nearest ones; silence past the end. */
static float sample_at(const float *samples, size_t count, unsigned rate, size_t i) {
    double at = (double)i * rate / RATE;
    size_t left = (size_t)at;
    if (left + 1 >= count) return 0;
    return (float)(samples[left] + (at - (double)left) * (samples[left + 1] - samples[left]));
}

int main(int argc, char **argv) {
    if (argc != 2) fail("usage: mark FILE.wav");
    size_t count = 0;
    unsigned rate = 0;
    float *samples = read_wav(argv[1], &count, &rate);

    float input[CONTEXT + CHUNK] = {0}, state[2 * 128] = {0}, next[2 * 128], speech;
    size_t bytes = voice_arena_bytes(1);
    void *arena = malloc(bytes);
    if (!arena) fail("out of memory");

    size_t total = (size_t)((double)count * RATE / rate);
    double since = -1;
    int quiet = 0;
    for (size_t start = 0; start < total; start += CHUNK) {
        memmove(input, input + CHUNK, CONTEXT * sizeof *input);
        for (size_t i = 0; i < CHUNK; i++) input[CONTEXT + i] = sample_at(samples, count, rate, start + i);
        int32_t code = voice_predict(voice_embedded(), input, state, &speech, next, 1, arena, bytes, 1);
        if (code) fail(voice_error(code));
        memcpy(state, next, sizeof state);
        quiet = speech < ENDS ? quiet + 1 : 0;
        if (since < 0 && speech >= BEGINS) since = (double)start / RATE;
        int last = start + CHUNK >= total;
        if (since >= 0 && (quiet == PAUSE || last)) {
            double until = (double)(start + CHUNK - (size_t)quiet * CHUNK) / RATE;
            printf("%.2f s to %.2f s\n", since, until);
            since = -1;
        }
    }
    free(arena);
    free(samples);
    return 0;
}
