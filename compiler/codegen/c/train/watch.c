/* The numbers that a training watches: which epoch is best, when it ends early, when its rate drops. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "training.h"

/* The score behind valid_ or train_; the compiler has checked that there is one. */
static int find(const char *name, int *valid) {
    *valid = strncmp(name, "valid_", 6) == 0;
    for (int i = 0; i < nw_the_trainer.score_count; i++)
        if (strcmp(nw_the_trainer.scores[i].name, name + 6) == 0) return i;
    fail(EXIT_INPUT, "%s can't be monitored: there is no such number", name);
}

void choose_monitor(training *t) {
    const nw_trainer *plan = &nw_the_trainer;
    const char *name = plan->monitor ? plan->monitor : t->validated ? "valid_loss" : NULL;
    t->monitor = -1;
    if (plan->patience && !name)
        fail(EXIT_INPUT, "early stopping needs validation data, -d valid=FILE, or a monitor such as train_loss");
    if (!name) return;
    t->monitor = find(name, &t->monitor_valid);
    if (t->monitor_valid && !t->validated)
        fail(EXIT_INPUT, "%s can't be monitored: there are no validation data; add -d valid=FILE", name);
}

char *monitor_name(const training *t) {
    if (t->monitor < 0) return NULL;
    text name = {0};
    text_add(&name, "%s_%s", t->monitor_valid ? "valid" : "train", nw_the_trainer.scores[t->monitor].name);
    return name.data;
}

double watched(const epoch_record *record, int score, int valid) {
    return valid ? record->valid ? record->valid[score] : NAN : record->train[score];
}

/* As runtime/training/plateau.py: a function of the epochs so far alone. */
double plateau_scale(const training *t) {
    const nw_trainer *plan = &nw_the_trainer;
    int valid = t->monitor_valid, score = t->monitor;
    if (plan->drop_monitor)
        score = find(plan->drop_monitor, &valid);
    else if (score < 0)
        score = valid = 0;
    if (valid && !t->validated) fail(EXIT_INPUT, "%s can't be monitored: add -d valid=FILE", plan->drop_monitor);
    double sign = nw_the_trainer.scores[score].rises ? 1 : -1, best = 0;
    int64_t waited = 0, drops = 0;
    for (int64_t i = 0; i < t->at.finished; i++) {
        double value = watched(&t->at.history[i], score, valid);
        if (i == 0) {
            best = value;
            continue;
        }
        if (sign * (value - best) > plan->drop_delta) {
            best = value;
            waited = 0;
        } else {
            waited++;
        }
        if (waited == plan->drop_patience) {
            waited = 0;
            drops++;
        }
    }
    return pow(plan->drop_factor, (double)drops);
}

int is_better(const training *t, const epoch_record *record) {
    const nw_trainer *plan = &nw_the_trainer;
    if (t->monitor < 0) return 0;
    if (!t->at.best_epoch) return 1;
    double sign = plan->scores[t->monitor].rises ? 1 : -1;
    double now = watched(record, t->monitor, t->monitor_valid);
    double before = watched(&t->at.history[t->at.best_epoch - 1], t->monitor, t->monitor_valid);
    return sign * (now - before) > plan->min_delta;
}

int ran_out_of_patience(const training *t) {
    const nw_trainer *plan = &nw_the_trainer;
    return plan->patience && t->at.best_epoch && t->at.epoch - t->at.best_epoch >= plan->patience;
}
