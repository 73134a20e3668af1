/* The parts of the driver: reading inputs, the call, the results. */
#ifndef NETWRIGHT_DRIVER_H
#define NETWRIGHT_DRIVER_H

#include "model.h"
#include "npy.h"
#include "options.h"

/* Whether the program can test and time itself: smaller ones are compiled without. */
#ifdef NETWRIGHT_NO_CHECKS
enum { CHECKS = 0 };
#else
enum { CHECKS = 1 };
#endif

/* The data of one call, one slot per model buffer (and dim). */
typedef struct {
    int64_t *dims;
    void **buffers;
    npy_array *arrays;
    int64_t (*shapes)[NPY_MAX_RANK];
} call;

void read_inputs(const options *asked, call *c);
void prepare_buffers(call *c);

/* What calls share: the arena, which grows if a call needs more, and the threads. */
typedef struct {
    int64_t *offsets;
    void *arena, *memory; /* aligned, and where its memory begins */
    int64_t room; /* bytes of the arena; -1 before there is one */
    int threads;
    void (*passed)(int32_t moment); /* called at the moments of an entry that has marks; or NULL */
} runner;

void begin_running(runner *r, int threads, int pin); /* threads: 0 for as many as there are processors */
void run(runner *r, call *c);
/* Runs another entry than the model's, of at most as many slots. */
void run_entry(runner *r, const nw_entry *entry, call *c);
/* The same for an entry of another program, whose dims and buffers are its own: returns its error code. */
int32_t try_entry(runner *r, const nw_entry *entry, const call *c);
void end_running(runner *r);

void name_out_of_range(const call *c); /* returns if all are in range */
void write_outputs(const options *asked, call *c);
/* Some elements on a line, with labels where there are any. */
void print_row(const nw_buffer *buffer, const unsigned char *at, int64_t count);
/* Chooses the first version of the program that the CPU can run, else the last, before anything asks about the model. */
void choose_version(void);
/* Ends the program with a message if the CPU can't run the network's code. */
void check_cpu(void);
/* Computes the constants that the program does not hold; before anything reads them. */
void nw_make(void);
/* Has bytes of standard input and output go through as they are. */
void begin_streams(void);
int is_same_file(const char *one, const char *other);
/* Writes an .npy if the path ends in it, or for one array on standard output (-); otherwise an .npz. */
void write_place(const char *path, const npy_array *arrays, int32_t count);

#endif
