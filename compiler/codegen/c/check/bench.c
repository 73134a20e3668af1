/* How long calls take. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "checks.h"
#include "failure.h"

static int64_t clock_time(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t now(void) { return clock_time(CLOCK_MONOTONIC); }

static int64_t work_time(void) {
#ifdef CLOCK_PROCESS_CPUTIME_ID
    return clock_time(CLOCK_PROCESS_CPUTIME_ID);
#else /* WASI has one thread, and no such clock. */
    return now();
#endif
}

static int in_order(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The least duration that is not exceeded by so many of a thousand calls. */
static double percentile(const int64_t *sorted, int count, int of_thousand) {
    int64_t rank = ((int64_t)count * of_thousand + 999) / 1000;
    return (double)sorted[rank ? rank - 1 : 0] / 1e6;
}

int bench(const options *asked, call *c, runner *r) {
    int count = asked->bench, before = count / 10 + 3;
    int64_t *times = allocate((size_t)count, sizeof *times), total = 0;
    for (int i = 0; i < before; i++) run(r, c);
    int64_t work = work_time();
    for (int i = 0; i < count; i++) {
        int64_t start = now();
        run(r, c);
        times[i] = now() - start;
        total += times[i];
    }
    work = work_time() - work;
    qsort(times, (size_t)count, sizeof *times, in_order);
    printf("%s:", nw_the_model.name);
    print_sizes(c);
    printf(", %d calls after %d to warm up, at most %d thread%s\n", count, before, r->threads, r->threads > 1 ? "s" : "");
    printf("p50  %10.6f ms\np90  %10.6f ms\np99  %10.6f ms\nmax  %10.6f ms\nmean %10.6f ms\nCPU  %10.6f ms\n",
           percentile(times, count, 500), percentile(times, count, 900), percentile(times, count, 990),
           (double)times[count - 1] / 1e6, (double)total / 1e6 / count, (double)work / 1e6 / count);
    free(times);
    end_running(r);
    return 0;
}
