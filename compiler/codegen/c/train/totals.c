/* Sums of losses and metrics over batches (runtime/totals.py). */
#include <math.h>
#include <string.h>

#include "failure.h"
#include "training.h"

double number_at(const nw_buffer *buffer, const void *data, int64_t i) {
    if (buffer->dtype.kind == 'f') return buffer->dtype.size == 8 ? ((const double *)data)[i] : (double)((const float *)data)[i];
    if (buffer->dtype.kind == 'b') return ((const unsigned char *)data)[i] != 0;
    if (buffer->dtype.size == 8) return (double)((const int64_t *)data)[i];
    return (double)((const int32_t *)data)[i];
}

int64_t sum_size(int32_t score, int32_t part) {
    int32_t number = nw_the_trainer.scores[score].sums[part];
    int64_t count = 1;
    int bad = 0;
    for (int32_t axis = 0; axis < nw_the_model.buffers[number].rank; axis++)
        count *= nw_the_model.size(number, axis, NULL, &bad);
    return count;
}

totals new_totals(void) {
    const nw_trainer *plan = &nw_the_trainer;
    totals made = {0, allocate((size_t)plan->score_count, sizeof *made.sums)};
    for (int32_t i = 0; i < plan->score_count; i++) {
        int64_t count = 0;
        for (int32_t k = 0; k < plan->scores[i].sum_count; k++) count += sum_size(i, k);
        made.sums[i] = allocate((size_t)count, sizeof **made.sums);
    }
    return made;
}

void clear_totals(totals *of) {
    of->known = 0; /* what is added first replaces the sums */
}

int64_t sums_width(void) {
    int64_t width = 0;
    for (int32_t i = 0; i < nw_the_trainer.score_count; i++)
        for (int32_t k = 0; k < nw_the_trainer.scores[i].sum_count; k++) width += sum_size(i, k);
    return width;
}

void take_sums(const call *c, double *row) {
    const nw_trainer *plan = &nw_the_trainer;
    for (int32_t i = 0; i < plan->score_count; i++)
        for (int32_t k = 0; k < plan->scores[i].sum_count; k++) {
            int32_t number = plan->scores[i].sums[k];
            for (int64_t j = 0, count = sum_size(i, k); j < count; j++)
                *row++ = number_at(&nw_the_model.buffers[number], c->buffers[number], j);
        }
}

void add_totals(totals *to, const double *row) {
    const nw_trainer *plan = &nw_the_trainer;
    for (int32_t i = 0; i < plan->score_count; i++) {
        double *sum = to->sums[i];
        for (int32_t k = 0; k < plan->scores[i].sum_count; k++)
            for (int64_t j = 0, count = sum_size(i, k); j < count; j++, sum++, row++) *sum = to->known ? *sum + *row : *row;
    }
    to->known = 1;
}

const char *infinite_loss(const double *row, double *value) {
    const nw_trainer *plan = &nw_the_trainer;
    for (int32_t k = 0; k < plan->scores[0].sum_count; row += sum_size(0, k++)) {
        int32_t number = plan->scores[0].sums[k];
        *value = *row;
        if (k % 2 || isfinite(*value)) continue;
        for (int32_t i = 1; i < plan->score_count; i++)
            if (plan->scores[i].sum_count && plan->scores[i].sums[0] == number) return plan->scores[i].name;
        return plan->scores[0].name;
    }
    return NULL;
}
