/* Samples taken out of a set (runtime/data/splits.py): the same ones, in the same order. */
#include "split.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

typedef struct {
    int64_t value, row;
    int64_t place; /* in the drawn order */
} drawn;

static int by_value(const void *left, const void *right) {
    const drawn *a = left, *b = right;
    if (a->value != b->value) return a->value < b->value ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static int by_number(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* The rows that a split takes, in their order; how many there are. */
static int64_t take(const nw_split *split, const dataset *whole, const char *free_rows, int64_t *rows) {
    int64_t count = whole->samples, taken = 0, before = 0, want = 0, dealt = 0;
    int64_t *order = allocate((size_t)count, sizeof *order);
    drawn *sorted = allocate((size_t)count, sizeof *sorted);
    run_around(&split->order, count, NULL, NULL, order);
    for (int64_t i = 0; i < count; i++) {
        drawn each = {split->stratify < 0 ? 0 : whole_number(whole, split->stratify, order[i]), order[i], i};
        sorted[i] = each;
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    for (int64_t start = 0, end; start < count; start = end) {
        for (end = start; end < count && sorted[end].value == sorted[start].value;) end++;
        before += end - start;
        int64_t most = (int64_t)rint(split->share * (double)before) - want, chosen = 0;
        want += most;
        for (int64_t i = start; i < end; i++) {
            if (!free_rows[sorted[i].row]) continue;
            int own = split->folds ? dealt % split->folds == split->fold - 1 : chosen < most;
            dealt++;
            if (!own) continue;
            rows[taken++] = sorted[i].row;
            chosen++;
        }
    }
    qsort(rows, (size_t)taken, sizeof *rows, by_number);
    free(order);
    free(sorted);
    return taken;
}

int take_splits(int from_valid, int has_valid, dataset *whole, dataset *valid) {
    const nw_trainer *plan = &nw_the_trainer;
    char *free_rows = allocate((size_t)whole->samples, 1);
    int made = 0, any = 0;
    memset(free_rows, 1, (size_t)whole->samples);
    for (int32_t i = 0; i < plan->split_count; i++) {
        const nw_split *split = &plan->splits[i];
        if (split->from_valid != from_valid || (split->is_valid && has_valid)) continue;
        int64_t *rows = allocate((size_t)whole->samples, sizeof *rows), count = take(split, whole, free_rows, rows);
        if (!count) fail(EXIT_INPUT, "-d %s=%s: %s would be empty", whole->name, whole->path, split->name);
        for (int64_t k = 0; k < count; k++) free_rows[rows[k]] = 0;
        any = 1;
        if (!split->is_valid) {
            free(rows);
            continue;
        }
        *valid = *whole;
        valid->name = split->name;
        valid->rows = rows;
        valid->samples = count;
        made = 1;
    }
    if (any) {
        int64_t *rest = allocate((size_t)whole->samples, sizeof *rest), count = 0;
        for (int64_t i = 0; i < whole->samples; i++)
            if (free_rows[i]) rest[count++] = i;
        if (!count) fail(EXIT_INPUT, "-d %s=%s: splits take all of its samples", whole->name, whole->path);
        whole->rows = rest;
        whole->samples = count;
    }
    free(free_rows);
    return made;
}
