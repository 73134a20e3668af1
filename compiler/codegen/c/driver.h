/* The parts of the driver: the command line's options, the call, the results. */
#ifndef NETWRIGHT_DRIVER_H
#define NETWRIGHT_DRIVER_H

#include "model.h"
#include "npy.h"

enum { EXIT_SYSTEM = 1, EXIT_INPUT = 2, EXIT_CPU = 3, MAX_THREADS = 1024 };

typedef struct {
    const char **inputs; /* one path per model buffer, NULL if none was given */
    const char *output;
    int print, threads, pin; /* threads: 0 for as many as there are processors */
} options;

/* The data of one call, one slot per model buffer (and dim). */
typedef struct {
    int64_t *dims;
    void **buffers;
    npy_array *arrays;
    int64_t (*shapes)[NPY_MAX_RANK];
} call;

/* Ends the program with a message on stderr. */
void fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
void *allocate(size_t count, size_t size);

void parse_options(int argc, char **argv, options *asked);
void read_inputs(const options *asked, call *c);
void prepare_buffers(call *c);
void run(call *c, int threads, int pin);
void name_out_of_range(const call *c); /* returns if all are in range */
void write_outputs(const options *asked, call *c);
/* Writes an .npy if the path ends in it, or for one array on standard output (-); otherwise an .npz. */
void write_place(const char *path, const npy_array *arrays, int32_t count);

#endif
