/* What a training prints: a row per epoch, and on a terminal a line within it. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "training.h"

static const nw_trainer *const plan = &nw_the_trainer;
static double shown;
static int line;
static FILE *to; /* standard output, or standard error if the weights go there */

static void number(double value, int width) {
    if (value == 0 || (fabs(value) >= 1e-3 && fabs(value) < 1e4))
        fprintf(to, "  %*.4f", width, value);
    else
        fprintf(to, "  %*.3e", width, value);
}

static int width_of(int32_t score) {
    int width = (int)strlen(plan->scores[score].name);
    return width < 9 ? 9 : width;
}

FILE *report_file(const training *t) { return strcmp(t->asked.weights, "-") ? stdout : stderr; }

void report_begin(const training *t) {
    to = report_file(t);
    if (t->asked.quiet) return;
    int width = 0;
    for (int32_t i = 0; i < plan->score_count; i++) width += 2 + width_of(i);
    if (t->validated) fprintf(to, "%*s  %*s%*s  %*s\n", 9, "", 9, "train", width - 11, "", 9, "valid");
    fprintf(to, "%9s", "epoch");
    for (int part = 0; part < (t->validated ? 2 : 1); part++)
        for (int32_t i = 0; i < plan->score_count; i++) fprintf(to, "  %*s", width_of(i), plan->scores[i].name);
    fprintf(to, "  %9s  %9s  %8s\n", "rate", "samples/s", "time");
    fflush(to);
    shown = clock_seconds();
}

void report_clear(void) {
    if (line) fprintf(to, "\r\033[K");
    line = 0;
    if (to) fflush(to);
}

void report_step(const training *t, int64_t batches) {
    double now = clock_seconds();
    if (t->asked.quiet || now - shown < 0.1 || !isatty(fileno(to))) return;
    shown = now;
    line = 1;
    fprintf(to, "\r\033[Kepoch %" PRId64 "/%" PRId64 "  batch %" PRId64 "/%" PRId64 "  %s %.4f", t->at.epoch + 1, t->asked.epochs,
           t->at.batch, batches, plan->scores[0].name, score_of(0, &t->at.sums));
    if (t->at.seconds > 0) fprintf(to, "  %.0f samples/s", (double)t->at.samples / t->at.seconds);
    fflush(to);
}

static void duration(double seconds) {
    if (seconds < 59.95)
        fprintf(to, "  %6.1f s", seconds);
    else
        fprintf(to, "  %5.0f:%02d", floor(seconds / 60), (int)fmod(seconds, 60));
}

void report_epoch(const training *t, const epoch_record *record, int best) {
    char counted[48];
    if (t->asked.quiet) return;
    report_clear();
    snprintf(counted, sizeof counted, "%" PRId64 "/%" PRId64, record->epoch, t->asked.epochs);
    fprintf(to, "%9s", counted);
    for (int32_t i = 0; i < plan->score_count; i++) number(record->train[i], width_of(i));
    for (int32_t i = 0; i < plan->score_count && record->valid; i++) number(record->valid[i], width_of(i));
    fprintf(to, "  %9.3g", record->rate);
    if (record->seconds > 0)
        fprintf(to, "  %9.0f", (double)record->samples / record->seconds);
    else
        fprintf(to, "  %9s", "");
    duration(record->seconds);
    fprintf(to, "%s\n", best ? "  *" : "");
    fflush(to);
}
