/* The description of a training: constant tables, generated with the object code. */
#ifndef NETWRIGHT_TRAINER_H
#define NETWRIGHT_TRAINER_H

#include <stdint.h>

#include "model.h"

/* An entry of a second program, which computes what is around a step: the order of samples, and the rate. Its inputs are
   scalars; a size `samples` is its only dim. */
typedef struct {
    nw_entry entry;
    int32_t buffer_count, inputs[2], output; /* places in its table of buffers; -1: none */
} nw_around;

/* A weight or a state. */
typedef struct {
    const char *name;
    int32_t buffer; /* -1: no entry reads it */
    nw_dtype dtype;
    int32_t rank;
    const int64_t *shape;
    const unsigned char *initial; /* NULL: zeros */
    int32_t average;              /* of a weight: the state that holds its average; -1: none */
} nw_tensor;

/* A number that is reported: a formula of sums, which are outputs of the entries (see runtime/scores.py). */
typedef struct {
    const char *name, *formula;
    int32_t sum_count;
    const int32_t *sums;
    const double *weights;
    int32_t rises;
} nw_score;

/* An input that holds the lengths of sequences along a dim. */
typedef struct {
    int32_t buffer, dim;
} nw_length;

/* Samples taken out of the training or validation data: a share of them, or (folds > 0) one of several folds. */
typedef struct {
    const char *name;
    int32_t from_valid, is_valid;
    double share;
    int64_t folds, fold;
    int32_t stratify; /* an array each of whose values is split in the same proportion; -1: none */
    nw_around order;
} nw_split;

/* The changes of a sample, for data that were stored in a type. */
typedef struct {
    nw_dtype stored;
    nw_entry entry;
} nw_variant;

/* How the samples of an input are varied: the entries of a program of their own. Its dims are the number of samples, and
   then some of the model's. */
typedef struct {
    int32_t input, lengths; /* buffers; lengths -1: all steps of a sample count */
    int32_t variant_count;
    const nw_variant *variants; /* the first is for data of the input's own type, and of types that have none */
    int32_t dim_count;
    const int32_t *dims;
    int32_t buffer_count, plain, rows, epoch, steps, varied; /* places in the program's table of buffers */
} nw_variation;

/* How many elements a loss is a mean of: an output of a part, and the input for that of the whole batch. */
typedef struct {
    int32_t own, whole;
} nw_count;

/* Batches that are divided: each part has its gradients, and the sum of all gives the update. */
typedef struct {
    int64_t count;
    nw_entry counts, gradients, update;
    int32_t loss_count;
    const nw_count *losses;
    int32_t rows, first_row; /* the input for the number of the batch's samples (-1: none), and the dim that says where in
                                the batch a part begins, from 1 */
    int32_t gradient_count;
    const int32_t *gradient; /* buffers, all of one type */
} nw_parts;

typedef struct {
    const char *version, *model;
    const char *identity; /* what must not change when a training is resumed: members of a JSON object */
    const char *settings; /* those of the spec: a JSON list */
    nw_entry step, loss;
    nw_around order, batches, rate; /* batches: the order of the batches, where samples are grouped by length */
    int32_t weight_count, state_count, score_count;
    const nw_tensor *weights, *states;
    const nw_score *scores;
    int64_t epochs, batch_size;
    int32_t shuffle;
    const char *monitor; /* NULL: the default */
    int64_t patience;    /* 0: no early stopping */
    double min_delta;
    int64_t drop_patience; /* of a rate that drops where a number stops improving; 0: it does not */
    double drop_factor, drop_delta;
    const char *drop_monitor;
    int64_t every_epochs, every_steps; /* how often a checkpoint is written; 0: not by this */
    double every_minutes;
    int32_t updates, gathered, scale; /* states; -1: none */
    int64_t window; /* truncated backpropagation: so many steps of the dim `time` per update; 0: whole sequences */
    int32_t time, carry_state;
    int32_t grouped; /* samples of similar lengths share batches, which are cut to their longest sequence */
    int32_t length_count;
    const nw_length *lengths;
    int32_t split_count;
    const nw_split *splits;
    int32_t balanced, class_count; /* the array of classes that each epoch has equally many samples of; -1: none */
    const nw_around *classes;      /* the orders of each class's samples */
    int32_t variation_count;
    const nw_variation *variations;
    const nw_parts *parts; /* NULL: batches are whole */
} nw_trainer;

extern const nw_trainer nw_the_trainer;

#endif
