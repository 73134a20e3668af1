/* Replays the reference's results: the first value that differs names the layers that computed it. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "crc.h"
#include "failure.h"

enum { MOST_SUMS = 64, AT_THE_END = -1 };

static const call *running;
static const runner *with;
static double *differences; /* by probe, in ulp; infinite until it is compared */

static double element(const unsigned char *at, nw_dtype dtype) {
    int64_t whole = 0;
    double real;
    float single;
    if (dtype.kind == 'f') {
        memcpy(&real, at, dtype.size == 8 ? 8 : 4);
        memcpy(&single, at, 4);
        return dtype.size == 8 ? real : (double)single;
    }
    memcpy(&whole, at, (size_t)dtype.size);
    if (dtype.kind == 'i' && dtype.size < 8) {
        int unused = 64 - 8 * dtype.size;
        whole = (int64_t)((uint64_t)whole << unused) >> unused;
    }
    return (double)whole;
}

/* Element number i counts for sum number i % n, with a weight that is 1 for the first n and from 1 to 4 for the others:
   few elements are their own sums, and elements that changed places change the sums of many. */
static int sum_up(const nw_probe *probe, const unsigned char *data, double *sums) {
    int n = (int)nw_min(probe->count, nw_the_checks.sums_per_probe);
    for (int i = 0; i < n; i++) sums[i] = 0;
    for (int64_t i = 0; i < probe->count; i++) {
        uint32_t weight = 1 + ((uint32_t)(i / n) * UINT32_C(2654435761) >> 30);
        sums[i % n] += weight * element(data + i * probe->dtype.size, probe->dtype);
    }
    return n;
}

static double difference(const nw_probe *probe) {
    double sums[MOST_SUMS], most = 0;
    const unsigned char *data = probe->buffer < 0
                                    ? (const unsigned char *)with->arena + with->offsets[-1 - probe->buffer]
                                    : (const unsigned char *)running->buffers[probe->buffer];
    int n = sum_up(probe, data + probe->offset * probe->dtype.size, sums);
    for (int i = 0; i < n; i++) {
        double expected = nw_the_checks.sums[probe->first + i];
        if (sums[i] == expected || (isnan(sums[i]) && isnan(expected))) continue;
        double own = fabs(sums[i] - expected) / probe->ulp;
        if (!(own <= most)) most = isnan(own) ? INFINITY : own;
    }
    return most;
}

static void compare(int32_t moment) {
    for (int32_t i = 0; i < nw_the_checks.probe_count; i++)
        if (nw_the_checks.probes[i].moment == moment) differences[i] = difference(&nw_the_checks.probes[i]);
}

static int is_damaged(const nw_contents *contents) {
    return crc_of(0, nw_the_model.buffers[contents->buffer].data, (size_t)contents->bytes) != contents->crc;
}

static void tell_damage(const char *layers) {
    for (int32_t i = 0; i < nw_the_checks.contents_count; i++) {
        const nw_contents *contents = &nw_the_checks.contents[i];
        if (strcmp(contents->layers, layers) == 0 && is_damaged(contents))
            fprintf(stderr, "; its weights in %s are damaged", nw_the_model.buffers[contents->buffer].name);
    }
}

static int check_contents(void) {
    for (int32_t i = 0; i < nw_the_checks.contents_count; i++) {
        const nw_contents *contents = &nw_the_checks.contents[i];
        if (!is_damaged(contents)) continue;
        fprintf(stderr, "%s: the self-test fails: weights of %s, in %s, are not those that were compiled in, although no "
                "result of the self-test differs by more than rounding\n",
                nw_the_model.name, contents->layers, nw_the_model.buffers[contents->buffer].name);
        return EXIT_DIFFERS;
    }
    return 0;
}

/* Results have the same bits on any number of threads. The output that has not, or NULL. */
static const char *differs_on_threads(call *c, runner *r, int threads) {
    void **first = allocate((size_t)nw_the_model.buffer_count, sizeof *first);
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        if (nw_the_model.buffers[i].use != NW_OUTPUT) continue;
        first[i] = allocate((size_t)c->arrays[i].bytes + 1, 1);
        memcpy(first[i], c->arrays[i].data, (size_t)c->arrays[i].bytes);
        memset(c->buffers[i], 0xFF, (size_t)c->arrays[i].bytes);
    }
    r->threads = threads;
    r->passed = NULL;
    run(r, c);
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++)
        if (first[i] && memcmp(first[i], c->arrays[i].data, (size_t)c->arrays[i].bytes))
            return nw_the_model.buffers[i].name;
    return NULL;
}

int self_test(const options *asked, call *c, runner *r) {
    const nw_checks *checks = &nw_the_checks;
    int32_t worst = 0;
    if (!checks->probe_count)
        fail(EXIT_INPUT, "--selftest: there is nothing to compare with: the interpreter had no results, or the program is for several CPUs");
    for (int32_t i = 0; i < nw_the_model.dim_count; i++) c->dims[i] = checks->dims[i];
    generate_inputs(c, 0);
    prepare_buffers(c);
    differences = allocate((size_t)checks->probe_count, sizeof *differences);
    for (int32_t i = 0; i < checks->probe_count; i++) differences[i] = INFINITY;
    begin_running(r, asked->threads, asked->pin);
    int threads = r->threads;
    running = c;
    with = r;
    /* While thread 0 compares, others would go on, and use the memory of values again. */
    r->threads = 1;
    r->passed = compare;
    run(r, c);
    compare(AT_THE_END);
    for (int32_t i = 0; i < checks->probe_count; i++) {
        const nw_probe *probe = &checks->probes[i];
        if (differences[i] <= probe->allowed) {
            if (differences[i] * checks->probes[worst].allowed > differences[worst] * probe->allowed) worst = i;
            continue;
        }
        fprintf(stderr, "%s: the self-test fails: %s differs from the reference by %.3g ulp, where rounding explains %.3g",
                nw_the_model.name, probe->layers, differences[i], probe->allowed);
        tell_damage(probe->layers);
        fputc('\n', stderr);
        return EXIT_DIFFERS;
    }
    if (check_contents()) return EXIT_DIFFERS;
    const char *other = threads > 1 ? differs_on_threads(c, r, threads) : NULL;
    if (other) {
        fprintf(stderr, "%s: the self-test fails: %s has other bits on %d threads than on one\n", nw_the_model.name, other,
                threads);
        return EXIT_DIFFERS;
    }
    const nw_probe *nearest = &checks->probes[worst]; /* to its limit */
    printf("%s: the self-test passes: %d values as the reference computes them, %s within %.3g ulp, where rounding explains "
           "%.3g\n",
           nw_the_model.name, (int)checks->probe_count, nearest->layers, differences[worst], nearest->allowed);
    return 0;
}
