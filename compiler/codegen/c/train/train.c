/* Trains a compiled model on data in files: the program around the object code. */
#include <inttypes.h>
#include <stdlib.h>

#include "failure.h"
#include "split.h"

static void tell(const training *t, int64_t before) {
    const progress *at = &t->at;
    int64_t count = 0;
    for (int32_t i = 0; i < nw_the_trainer.weight_count; i++)
        count += tensor_bytes(&nw_the_trainer.weights[i]) / nw_the_trainer.weights[i].dtype.size;
    if (t->asked.resume && at->finished == before)
        fprintf(stderr, "nothing was left to do after %" PRId64 " of %" PRId64 " epochs; --epochs MORE goes on\n", before,
                t->asked.epochs);
    if (t->asked.quiet) return;
    FILE *to = report_file(t);
    fprintf(to, "wrote %s: %" PRId64 " weights", t->asked.weights, count);
    if (at->best_epoch) fprintf(to, " of epoch %" PRId64 ", the best", at->best_epoch);
    fputc('\n', to);
}

int main(int argc, char **argv) {
    training t = {0};
    parse_train_options(argc, argv, &t.asked);
    check_cpu();
    nw_make();
    t.at.sums = new_totals();
    t.at.batch_size = nw_the_trainer.batch_size;
    load_dataset("train", t.asked.train, &t.train);
    t.validated = t.asked.valid != NULL;
    if (t.validated) {
        load_dataset("valid", t.asked.valid, &t.valid);
        take_splits(1, 1, &t.valid, NULL);
    }
    t.validated |= take_splits(0, t.validated, &t.train, &t.valid);
    choose_monitor(&t);
    make_values(&t);
    if (t.asked.init) start_from(&t, t.asked.init);
    if (t.asked.resume) load_checkpoint(&t, t.asked.resume);
    make_batch_room(&t);
    int64_t before = t.at.finished;
    begin_running(&t.runner, t.asked.threads, t.asked.pin);
    watch_signals();
    report_begin(&t);
    ending end = run_training(&t);
    end_running(&t.runner);
    report_clear();
    if (end == INTERRUPTED) {
        fprintf(stderr, "stopped; add  --resume %s  to go on\n", t.asked.checkpoint);
        return 128 + stop_signal;
    }
    const unsigned char **kept = allocate((size_t)nw_the_trainer.weight_count, sizeof *kept);
    kept_weights(&t, kept);
    save_weights(&t, t.at.best_epoch ? (const unsigned char *const *)t.best : kept);
    if (end == STOPPED_EARLY && !t.asked.quiet)
        fprintf(report_file(&t), "stopped early after %" PRId64 " of %" PRId64 " epochs\n", t.at.finished, t.asked.epochs);
    tell(&t, before);
    return stop_signal ? 128 + stop_signal : 0;
}
