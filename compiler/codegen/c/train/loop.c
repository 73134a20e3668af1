/* The training loop (runtime/training/loop.py): epochs of steps, validation, the best weights, checkpoints. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "order.h"
#include "parts.h"
#include "states.h"

static const nw_trainer *const plan = &nw_the_trainer;

typedef struct {
    int64_t epoch, batch;
    double time;
} saved_place;

static saved_place last = {-1, -1, 0};

static void save_now(training *t) {
    if (last.epoch == t->at.epoch && last.batch == t->at.batch) return;
    save_checkpoint(t, t->asked.checkpoint);
    last.epoch = t->at.epoch;
    last.batch = t->at.batch;
    last.time = clock_seconds();
}

static int is_late(void) { return plan->every_minutes > 0 && clock_seconds() - last.time >= 60 * plan->every_minutes; }

/* Says why, writes the last good weights, and ends the program. */
static void diverged(training *t, const char *what, const char *name, double value) {
    const progress *at = &t->at;
    const unsigned char *const *kept = (const unsigned char *const *)(at->best_epoch ? t->best : t->good);
    int64_t epoch = at->best_epoch ? at->best_epoch : at->finished;
    report_clear();
    if (at->finished) save_weights(t, kept);
    text said = {0};
    text_add(&said, "%s", what);
    if (name) text_add(&said, " (%s is %g)", name, value);
    text_add(&said, " at step %" PRId64 " (epoch %" PRId64 ", batch %" PRId64 "); ", at->step, at->epoch + 1, at->batch);
    if (epoch)
        text_add(&said, "the weights after epoch %" PRId64 " are kept", epoch);
    else
        text_add(&said, "the weights are those it began with");
    fail(EXIT_SYSTEM, "%s. If the data are finite, a smaller learning rate or clip_norm may help", said.data);
}

static int all_finite(const nw_tensor *tensors, int32_t count, unsigned char *const *data, const char **name) {
    for (int32_t i = 0; i < count; i++) {
        *name = tensors[i].name;
        if (!finite_array(data[i], tensors[i].dtype, tensor_bytes(&tensors[i]))) return 0;
    }
    return 1;
}

/* An update by data that are not finite may spoil the weights, while the loss is finite. */
static int is_spoiled(const training *t) {
    const char *name;
    return !all_finite(plan->weights, plan->weight_count, t->weights, &name) ||
           !finite_states(t);
}

/* Whether its data are not finite. */
static int whole_step(training *t, const batch_list *list, int64_t number, int64_t window, int64_t count) {
    gather_batch(&t->train, list, number, window, 0, count, &t->call);
    bind_states(t);
    if (window == 0 || !plan->carry_state) reset_carry(t);
    int suspect = !t->train.finite && !finite_inputs(&t->call);
    run_entry(&t->runner, &plan->step, &t->call);
    take_sums(&t->call, t->row);
    return suspect;
}

static void step(training *t, const batch_list *list, int64_t windows) {
    progress *at = &t->at;
    int64_t number = at->batch / windows, window = at->batch % windows, count = 0;
    double value = 0;
    const int64_t *samples = batch_samples(list, number, &count);
    vary_batch(t, number, samples, count);
    if (at->batch == list->count * windows - 1) end_group(t);
    int suspect = plan->parts ? divided_step(t, list, number, count) : whole_step(t, list, number, window, count);
    at->step++;
    at->batch++;
    const char *bad = infinite_loss(t->row, &value);
    if (bad) diverged(t, "the loss is not finite", bad, value);
    if (suspect && is_spoiled(t)) diverged(t, "the update is not finite", NULL, 0);
    add_totals(&at->sums, t->row);
    if (window == 0) at->samples += count;
}

static void run_steps(training *t) {
    progress *at = &t->at;
    double began = clock_seconds(), before = at->seconds;
    int64_t windows = count_windows(&t->train), batches = count_batches(&t->train, at->batch_size) * windows;
    if (at->batch >= batches) return;
    batch_list list = make_batches(&t->train, at->batch_size, plan->shuffle, at->epoch);
    while (at->batch < batches && !stop_signal) {
        step(t, &list, windows);
        at->seconds = before + clock_seconds() - began;
        if ((plan->every_steps && at->step % plan->every_steps == 0) || is_late()) save_now(t);
        report_step(t, batches);
    }
    free_batches(&list);
}

static double *means(const totals *sums) {
    double *values = allocate((size_t)plan->score_count, sizeof *values);
    for (int32_t i = 0; i < plan->score_count; i++) values[i] = score_of(i, sums);
    return values;
}

/* NULL if a signal asked to stop in between. */
static double *validate(training *t, const unsigned char *const *weights) {
    totals sums = new_totals();
    batch_list list = make_batches(&t->valid, plan->batch_size, 0, 0);
    bind_weights(t, weights);
    if (plan->parts) divided_loss(t, &list, &sums);
    for (int64_t number = 0; number < list.count && !plan->parts && !stop_signal; number++) {
        int64_t count = 0;
        batch_samples(&list, number, &count);
        gather_batch(&t->valid, &list, number, -1, 0, count, &t->call);
        run_entry(&t->runner, &plan->loss, &t->call);
        take_sums(&t->call, t->row);
        add_totals(&sums, t->row);
    }
    bind_weights(t, (const unsigned char *const *)t->weights);
    free_batches(&list);
    double *values = stop_signal ? NULL : means(&sums);
    for (int32_t i = 0; i < plan->score_count; i++) free(sums.sums[i]);
    free(sums.sums);
    return values;
}

static void keep_best(training *t, const epoch_record *record, const unsigned char *const *weights) {
    if (!t->best) t->best = new_weights();
    copy_weights(t->best, weights);
    t->at.best_epoch = record->epoch;
}

static void finish_epoch(training *t, const unsigned char *const *weights, double *valid) {
    progress *at = &t->at;
    const char *name = NULL;
    if (valid && !isfinite(valid[0])) diverged(t, "the validation loss is not finite", "loss", valid[0]);
    if (!all_finite(plan->weights, plan->weight_count, (unsigned char *const *)(const void *)weights, &name))
        diverged(t, "weights are not finite", name, NAN);
    copy_weights(t->good, weights);
    double scale = 1;
    if (plan->scale >= 0) memcpy(&scale, t->states[plan->scale], sizeof scale);
    int64_t updates = count_updates(t);
    epoch_record record = {at->epoch + 1, at->step,    at->samples,
                           means(&at->sums), valid, at->seconds,
                           rate_after(updates > 0 ? updates - 1 : 0, scale)};
    epoch_record *longer = realloc(at->history, (size_t)(at->finished + 1) * sizeof *longer);
    if (!longer) fail(EXIT_SYSTEM, "out of memory");
    at->history = longer;
    int best = is_better(t, &record);
    at->history[at->finished++] = record;
    if (plan->drop_patience) set_scale(t, plateau_scale(t));
    if (best) keep_best(t, &record, weights);
    at->epoch++;
    at->batch = at->samples = 0;
    at->seconds = 0;
    at->batch_size = plan->batch_size;
    clear_totals(&at->sums);
    report_epoch(t, &record, best);
}

ending run_training(training *t) {
    const unsigned char **kept = allocate((size_t)plan->weight_count, sizeof *kept);
    ending end = FINISHED;
    last.time = clock_seconds();
    kept_weights(t, kept);
    copy_weights(t->good, kept);
    while (t->at.epoch < t->asked.epochs) {
        if (ran_out_of_patience(t)) {
            end = STOPPED_EARLY;
            break;
        }
        run_steps(t);
        kept_weights(t, kept);
        double *valid = t->validated && !stop_signal ? validate(t, kept) : NULL;
        if (stop_signal) {
            end = INTERRUPTED;
            break;
        }
        finish_epoch(t, kept, valid);
        if ((plan->every_epochs && t->at.epoch % plan->every_epochs == 0) || is_late()) save_now(t);
    }
    save_now(t);
    free(kept);
    return end;
}
