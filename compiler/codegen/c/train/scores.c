/* The formulas of runtime/scores.py, with NumPy's order of additions, so that they give the same bits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "training.h"

/* NumPy's sum of contiguous numbers: eight sums side by side in blocks of up to 128, and halves added up. */
static double pairwise(const double *at, int64_t count) {
    if (count < 8) {
        double sum = -0.0;
        for (int64_t i = 0; i < count; i++) sum += at[i];
        return sum;
    }
    if (count <= 128) {
        double r[8];
        int64_t i = 8;
        memcpy(r, at, sizeof r);
        for (; i < count - count % 8; i += 8)
            for (int k = 0; k < 8; k++) r[k] += at[i + k];
        double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
        for (; i < count; i++) sum += at[i];
        return sum;
    }
    int64_t half = count / 2;
    half -= half % 8;
    return pairwise(at, half) + pairwise(at + half, count - half);
}

static double total(const double *at, int64_t count) { return 0 + pairwise(at, count); }

static double mean(const double *at, int64_t count) { return count ? total(at, count) / (double)count : NAN; }

static double mean_of_parts(const nw_score *score, const double *sums) {
    double sum = NAN;
    int any = 0;
    for (int32_t i = 0; i < score->sum_count / 2; i++) {
        if (sums[2 * i + 1] == 0) continue;
        double part = sums[2 * i] / sums[2 * i + 1] * score->weights[i];
        sum = any ? sum + part : part;
        any = 1;
    }
    return sum;
}

/* precision, recall and f1: the mean over the classes that occur. */
static double over_classes(char which, const double *right, const double *answered, const double *meant, int64_t count) {
    double *values = allocate((size_t)count, sizeof *values);
    int64_t occur = 0;
    for (int64_t i = 0; i < count; i++) {
        double above = which == 'f' ? 2 * right[i] : right[i];
        double below = which == 'p' ? answered[i] : which == 'r' ? meant[i] : answered[i] + meant[i];
        if (answered[i] + meant[i] > 0) values[occur++] = below > 0 ? above / below : 0;
    }
    double result = mean(values, occur);
    free(values);
    return result;
}

static double r2(const double *residuals, const double *sum, const double *squares, const double *counted, int64_t count,
                 int64_t counts) {
    double *values = allocate((size_t)count, sizeof *values), result = NAN;
    int all = 1;
    for (int64_t i = 0; i < counts; i++) all &= counted[i] != 0;
    for (int64_t i = 0; i < count; i++) {
        double around = squares[i] - sum[i] * sum[i] / counted[counts == count ? i : 0];
        if (around < 0) around = 0;
        values[i] = around > 0 ? 1 - residuals[i] / around : residuals[i] == 0 ? 1 : 0;
        if (isnan(around)) values[i] = residuals[i] == 0 ? 1 : 0;
    }
    if (all) result = mean(values, count);
    free(values);
    return result;
}

static double auc(const double *meant, const double *others, int64_t classes, int64_t ranges) {
    double *areas = allocate((size_t)classes, sizeof *areas), *row = allocate((size_t)ranges, sizeof *row);
    int64_t occur = 0;
    for (int64_t i = 0; i < classes; i++, meant += ranges, others += ranges) {
        double pairs = total(meant, ranges) * total(others, ranges), so_far = 0;
        for (int64_t k = 0; k < ranges; k++) {
            so_far = k ? so_far + others[k] : others[k];
            row[k] = meant[k] * (so_far - others[k] + others[k] / 2);
        }
        if (pairs > 0) areas[occur++] = total(row, ranges) / pairs;
    }
    double result = mean(areas, occur);
    free(areas);
    free(row);
    return result;
}

double score_of(int32_t number, const totals *of) {
    const nw_score *score = &nw_the_trainer.scores[number];
    const char *formula = score->formula;
    const double *sums = of->sums[number];
    if (!of->known) return NAN;
    if (strcmp(formula, "mean") == 0) return mean_of_parts(score, sums);
    int64_t first = sum_size(number, 0);
    if (strcmp(formula, "r2") == 0)
        return r2(sums, sums + first, sums + 2 * first, sums + 3 * first, first, sum_size(number, 3));
    if (strcmp(formula, "perplexity") == 0) return sums[1] != 0 ? exp(sums[0] / sums[1]) : NAN;
    if (strcmp(formula, "auc") == 0) {
        const nw_buffer *buffer = &nw_the_model.buffers[score->sums[0]];
        int bad = 0;
        int64_t ranges = buffer->rank ? nw_the_model.size(score->sums[0], buffer->rank - 1, NULL, &bad) : 1;
        return ranges ? auc(sums, sums + first, first / ranges, ranges) : NAN;
    }
    return over_classes(formula[0], sums, sums + first, sums + 2 * first, first);
}
