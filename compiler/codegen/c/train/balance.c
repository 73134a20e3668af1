/* Epochs with as many samples of each class (runtime/batches/balance.py): the same ones, in the same order. */
#include <inttypes.h>
#include <stdlib.h>

#include "failure.h"
#include "order.h"

static const nw_trainer *const plan = &nw_the_trainer;

typedef struct {
    int64_t count, *members; /* the samples of a class */
} class_samples;

/* The samples of each class, in their order; how many classes have some. */
static int64_t sort_samples(const dataset *of, class_samples *sorted) {
    int64_t *numbers = allocate((size_t)of->samples, sizeof *numbers), present = 0;
    for (int64_t i = 0; i < of->samples; i++) {
        int64_t number = whole_number(of, plan->balanced, of->rows ? of->rows[i] : i);
        if (number < 0 || number >= plan->class_count)
            fail(EXIT_INPUT, "samples are balanced by %s, which is %" PRId64 " for one of them: there are classes 0 to %" PRId32,
                 nw_the_model.buffers[plan->balanced].name, number, plan->class_count - 1);
        sorted[number].count++;
        numbers[i] = number;
    }
    for (int32_t k = 0; k < plan->class_count; k++) {
        present += sorted[k].count > 0;
        sorted[k].members = allocate((size_t)sorted[k].count, sizeof *sorted[k].members);
        sorted[k].count = 0;
    }
    for (int64_t i = 0; i < of->samples; i++) {
        class_samples *own = &sorted[numbers[i]];
        own->members[own->count++] = i;
    }
    free(numbers);
    return present;
}

/* So many samples of a class, after those that were taken before: all of them in a drawn order, then in another. */
static int64_t *draw(int32_t number, const class_samples *own, int64_t before, int64_t wanted, int64_t *to) {
    int64_t *order = allocate((size_t)own->count, sizeof *order);
    for (int64_t at = before, end = before + wanted; at < end; at++) {
        int64_t round = at / own->count, place = at % own->count;
        if (at == before || place == 0) run_around(&plan->classes[number], own->count, &round, NULL, order);
        *to++ = own->members[order[place]];
    }
    free(order);
    return to;
}

void balance_samples(const dataset *of, int64_t epoch, int64_t *order) {
    class_samples *sorted = allocate((size_t)plan->class_count, sizeof *sorted);
    int64_t *drawn = allocate((size_t)of->samples, sizeof *drawn), *end = drawn;
    int64_t present = sort_samples(of, sorted), position = 0;
    int64_t size = present ? of->samples / present : 0, rest = present ? of->samples % present : 0;
    for (int32_t k = 0; k < plan->class_count; k++) {
        if (!sorted[k].count) continue;
        int64_t turn = ((position++ - epoch) % present + present) % present;
        end = draw(k, &sorted[k], epoch * (size + (rest > 0)), size + (turn < rest), end);
    }
    int64_t *times = allocate((size_t)of->samples, sizeof *times); /* that a sample came before */
    for (int64_t i = 0; i < of->samples; i++) drawn[i] += of->samples * times[drawn[i]]++;
    for (int64_t i = 0; i < of->samples; i++) order[i] = drawn[order[i]];
    free(times);
    for (int32_t k = 0; k < plan->class_count; k++) free(sorted[k].members);
    free(sorted);
    free(drawn);
}
