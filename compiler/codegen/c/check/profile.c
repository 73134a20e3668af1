/* How long each kernel takes, as JSON that `netwright profile` reads. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "checks.h"
#include "failure.h"

typedef struct {
    int64_t moment, time;
} event;

static event *events;
static int64_t room, recorded;

static void record(int32_t moment) {
    if (recorded < room) {
        events[recorded].moment = moment;
        events[recorded].time = now();
    }
    recorded++;
}

static void print_text(const char *text) {
    putchar('"');
    for (const char *at = text; *at; at++) {
        if (*at == '"' || *at == '\\') putchar('\\');
        putchar(*at);
    }
    putchar('"');
}

static int in_order(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_calls(const call *c, int64_t *times, const int64_t *counts, int runs) {
    const nw_checks *checks = &nw_the_checks;
    const char *before = "\n";
    printf("\"calls\": [");
    for (int32_t i = 0; i < checks->moment_count; i++) {
        const nw_call *own = &checks->moments[i];
        int bad = 0;
        if (!own->kernel) continue;
        qsort(times + (int64_t)i * runs, (size_t)runs, sizeof *times, in_order);
        printf("%s  {\"moment\": %d, \"kernel\": ", before, (int)i);
        print_text(own->kernel);
        printf(", \"layers\": ");
        print_text(own->layers);
        printf(", \"operations\": ");
        print_text(own->operations);
        printf(", \"tiles\": ");
        print_text(own->tiles);
        printf(", \"count\": %" PRId64 ", \"flops\": %" PRId64 ", \"bytes\": %" PRId64 ", \"ns\": %" PRId64 "}", counts[i],
               checks->flops(i, c->dims, &bad), checks->bytes(i, c->dims, &bad), times[(int64_t)i * runs + runs / 2]);
        before = ",\n";
    }
    printf("],\n");
}

int profile(const options *asked, call *c, runner *r) {
    const nw_checks *checks = &nw_the_checks;
    int runs = asked->profile, before = runs / 10 + 3;
    if (checks->moment_count < 2)
        fail(EXIT_INPUT, "--profile: it was compiled without marks between its kernels; netwright profile SPEC has them");
    int64_t *times = allocate((size_t)checks->moment_count * (size_t)runs, sizeof *times);
    int64_t *counts = allocate((size_t)checks->moment_count, sizeof *counts);
    r->passed = record;
    run(r, c); /* without room, only counts */
    room = recorded;
    events = allocate((size_t)room, sizeof *events);
    for (int i = -before; i < runs; i++) {
        recorded = 0;
        run(r, c);
        if (i < 0) continue;
        for (int64_t k = 1; k < recorded; k++) {
            times[events[k].moment * runs + i] += events[k].time - events[k - 1].time;
            if (!i) counts[events[k].moment]++;
        }
    }
    printf("{\"model\": ");
    print_text(nw_the_model.name);
    printf(", \"runs\": %d, \"threads\": %d, \"dims\": {", runs, r->threads);
    const char *between = "";
    for (int32_t i = 0; i < nw_the_model.dim_count; i++) {
        if (nw_the_model.dims[i].longest_of >= 0) continue;
        printf("%s\"%s\": %" PRId64, between, nw_the_model.dims[i].name, c->dims[i]);
        between = ", ";
    }
    printf("},\n");
    print_calls(c, times, counts, runs);
    printf("\"events\": [");
    for (int64_t k = 1; k < recorded; k++)
        printf("%s[%" PRId64 ", %" PRId64 ", %" PRId64 "]", k > 1 ? ", " : "", events[k].moment,
               events[k - 1].time - events[0].time, events[k].time - events[k - 1].time);
    printf("]}\n");
    end_running(r);
    return 0;
}
