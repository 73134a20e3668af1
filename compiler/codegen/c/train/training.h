/* A training: what it holds, how far it is, and what it does. */
#ifndef NETWRIGHT_TRAINING_H
#define NETWRIGHT_TRAINING_H

#include <stdint.h>

#include "dataset.h"
#include "tensors.h"
#include "text.h"
#include "trainer.h"

typedef struct {
    const char *train, *valid, *weights, *checkpoint, *resume, *init;
    int64_t epochs;
    int threads, pin, quiet, force;
} train_options;

/* Ends the program if there is a mistake, and after --help and --info. */
void parse_train_options(int argc, char **argv, train_options *asked);

/* The sums of each score, one after the other. */
typedef struct {
    int known; /* something was added */
    double **sums;
} totals;

typedef struct {
    int64_t epoch, steps, samples;
    double *train, *valid; /* by score; valid is NULL without validation data */
    double seconds, rate;
} epoch_record;

typedef struct {
    int64_t epoch, batch, step, samples, batch_size, best_epoch; /* best_epoch: 0 for none */
    double seconds;
    totals sums;
    epoch_record *history;
    int64_t finished; /* records in the history */
} progress;

/* The samples of a batch before they are varied, and what is known of each. */
typedef struct {
    unsigned char **plain; /* by variation */
    int64_t *rows, *steps;
    int64_t epoch, batch; /* whose samples were varied last; -1: none */
} variations;

typedef struct {
    train_options asked;
    dataset train, valid;
    int validated;
    variations vary;
    double *row; /* the sums of a step */
    void *parted; /* what batches that are divided need: parts.c */
    call call;
    runner runner;
    unsigned char **weights, **states; /* in the order of the tables */
    int64_t **state_shapes;            /* those of states; one whose size is open has none before its first batch: NULL */
    unsigned char **best, **good;      /* copies of weights: of the best epoch, of the last good one */
    progress at;
    int monitor;       /* the score that decides which epoch is best; -1: none */
    int monitor_valid; /* whether it is that of the validation data */
} training;

/* values.c: the arrays of a training. */
void make_values(training *t);
void make_batch_room(training *t); /* once it is known where the training goes on */
int64_t tensor_bytes(const nw_tensor *of);
int64_t count_updates(const training *t);
/* The weights to keep: averages over the training where there are such. The pointers are those of the arrays. */
void kept_weights(const training *t, const unsigned char **kept);
void copy_weights(unsigned char **into, const unsigned char *const *from);
unsigned char **new_weights(void);
/* Has the entries read these weights. */
void bind_weights(training *t, const unsigned char *const *weights);
void set_scale(training *t, double factor);
void end_group(training *t);

/* vary.c: variations of the training's samples. */
void make_variation_room(training *t, int64_t batch);
void vary_batch(training *t, int64_t number, const int64_t *samples, int64_t count);

/* totals.c */
totals new_totals(void);
void clear_totals(totals *of);
/* The sums of one call, or of the parts of a batch, are a row: those of all scores, one after the other. */
int64_t sums_width(void);
void take_sums(const call *c, double *row);
void add_totals(totals *to, const double *row);
double number_at(const nw_buffer *buffer, const void *data, int64_t i);
int64_t sum_size(int32_t score, int32_t part);
/* The name and value of the first loss whose sum is infinite or NaN; NULL if there is none. */
const char *infinite_loss(const double *row, double *value);

/* scores.c: a score of its sums; NaN if nothing was counted. */
double score_of(int32_t score, const totals *sums);

/* around.c */
/* Runs an entry on scalars; NULL stands for 0. */
void run_around(const nw_around *what, int64_t size, const void *first, const void *second, void *result);
double rate_after(int64_t updates, double scale);

/* checkpoint_write.c, checkpoint_read.c, start.c */
void save_checkpoint(const training *t, const char *path);
void save_weights(const training *t, const unsigned char *const *weights);
void load_checkpoint(training *t, const char *path);
void start_from(training *t, const char *path);
/* What must not change when a training is resumed: a JSON object. */
void identity_text(const training *t, text *into);
char *monitor_name(const training *t); /* NULL if there is none; a new text */

/* watch.c: the numbers that decide. */
void choose_monitor(training *t);
double watched(const epoch_record *record, int score, int valid);
double plateau_scale(const training *t);
int is_better(const training *t, const epoch_record *record);
int ran_out_of_patience(const training *t);

/* stop.c */
extern volatile int stop_signal; /* the signal that asked to stop; 0: none */
void watch_signals(void);
double clock_seconds(void);

/* report.c */
FILE *report_file(const training *t); /* where it goes */
void report_begin(const training *t);
void report_step(const training *t, int64_t batches);
void report_epoch(const training *t, const epoch_record *record, int best);
void report_clear(void);

/* loop.c */
typedef enum { FINISHED, STOPPED_EARLY, INTERRUPTED } ending;
ending run_training(training *t);

#endif
