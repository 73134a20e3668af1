/* What is around a step: the order of samples and the rate, which compiled code computes. */
#include <stdio.h>
#include <stdlib.h>

#include "failure.h"
#include "training.h"

void run_around(const nw_around *what, int64_t size, const void *first, const void *second, void *result) {
    int64_t *offsets = allocate((size_t)what->entry.slots, sizeof *offsets);
    void **buffers = allocate((size_t)what->buffer_count, sizeof *buffers);
    static const int64_t zero;
    const void *given[] = {first ? first : &zero, second ? second : &zero};
    for (int i = 0; i < 2; i++) {
        union {
            const void *in;
            void *out;
        } data = {given[i]};
        if (what->inputs[i] >= 0) buffers[what->inputs[i]] = data.out;
    }
    buffers[what->output] = result;
    int64_t bytes = what->entry.plan(&size, offsets);
    void *arena = NULL;
    if (bytes < 0 || posix_memalign(&arena, 64, (size_t)bytes + 64)) fail(EXIT_SYSTEM, "out of memory");
    _Alignas(64) unsigned char barrier[64] = {0};
    netwright_context context = {&size, buffers, arena, offsets, barrier, NULL};
    int32_t code = what->entry.run(&context, 0, 1);
    if (code) fail(EXIT_SYSTEM, "%s", nw_the_model.error(code));
    free(arena);
    free(buffers);
    free(offsets);
}

double rate_after(int64_t updates, double scale) {
    double rate = 0;
    char digits[40];
    run_around(&nw_the_trainer.rate, 1, &updates, &scale, &rate);
    snprintf(digits, sizeof digits, "%.9g", rate); /* what is reported has nine digits */
    return strtod(digits, NULL);
}
