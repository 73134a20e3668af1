/* What stands between a fuzzer and the C sources: memory and files that an error leaves behind are released. */
#ifndef FUZZ_HARNESS_H
#define FUZZ_HARNESS_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A target takes bytes. `fail` and `exit` of the sources lead back to the harness. */
typedef void target(const uint8_t *data, size_t size);

/* The path of a file with these bytes. */
const char *file_of(const uint8_t *data, size_t size);

target npy, npz, tensors, checkpoint, dataset_file, train_words, predict_words, stream_words, remembered_steps, records, wav;

#endif
