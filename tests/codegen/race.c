/* Callers that share one pool, and entries as the compiler writes them: regions of shares, each of which reads what other
   shares wrote in the region before. Built with ThreadSanitizer. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pool.h"

/* Every thread seems to be on one processor: so workers are sent away whenever they are woken. */
int sched_getcpu(void) { return 0; }

enum { CELLS = 64, REGIONS = 12 };

static void part(const context *c, int region, int mine, int shares) {
    int64_t *from = c->buffers[region % 2], *to = c->buffers[1 - region % 2];
    for (int i = CELLS * mine / shares; i < CELLS * (mine + 1) / shares; i++) to[i] = from[(i + 7) % CELLS] + 1;
}

/* Whether a call is too small to divide: stretches of one and two of them, and one at the end. */
static int small(int region) { return region % 5 == 0 || region % 7 == 1 || region == REGIONS - 1; }

/* dims: the region that fails, or -1. */
static int32_t work(const context *c, int32_t tid, int32_t nthreads) {
    unsigned char own[64] = {0}, *block = nthreads > 1 ? c->barrier : own;
    void *summon = *(void **)(block + 32);
    walk here = {nthreads <= 1 || (tid == 0 && summon), 0, 0, 0};
    for (int region = 0; region < REGIONS; region++) {
        int32_t fails = c->dims[0] == region ? 3 : 0, number = -1;
        if (nthreads == 1 || small(region)) {
            here.stretch = 1;
            if (tid) continue;
        } else {
            number = begin(block, &here, tid, region % 3 ? 3 : 8);
        }
        if (number < 0) {
            part(c, region, 0, 1);
            if (small(region) && region % 2) usleep(20); /* so that others wait, and sleep */
            if (fails) return end(block, &here, tid, fails, 1);
            continue;
        }
        int32_t each = 1 + region % 3, shares = nthreads * each;
        for (int32_t mine; (mine = share(block, number, tid, shares, each)) >= 0;) {
            part(c, region, mine, shares);
            if (mine / each == tid && region % 3 == 1) usleep(20); /* so that others come, on a busy machine, too */
            shared(block, number, shares, fails);
        }
        int32_t latched = __atomic_load_n((int32_t *)block + 4, __ATOMIC_RELAXED);
        if (latched) return end(block, &here, tid, latched, 1);
    }
    return end(block, &here, tid, 0, 1);
}

static void *call(void *argument) {
    int number = (int)(intptr_t)argument;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t a[CELLS], b[CELLS] = {0}, fails = round % 7 == 3 ? round % REGIONS : -1;
        for (int i = 0; i < CELLS; i++) a[i] = i;
        void *buffers[] = {a, b};
        _Alignas(64) unsigned char block[64] = {0};
        context c = {&fails, buffers, NULL, NULL, block};
        int32_t code = pool_run(work, &c, 2 + (round + number) % 4, round % 2 ? 64 : 1);
        if (code != (fails < 0 ? 0 : 3)) exit(fprintf(stderr, "code %d\n", code));
        for (int i = 0; fails < 0 && i < CELLS; i++)
            if (a[i] != (i + 7 * REGIONS) % CELLS + REGIONS) exit(fprintf(stderr, "cell %d\n", i));
        if (round % 50 == 49) pool_stop();
    }
    return NULL;
}

/* The same entry on threads of the host's own, all at once. */
typedef struct {
    const context *c;
    int32_t tid;
} own;

static void *join(void *argument) {
    own *mine = argument;
    if (work(mine->c, mine->tid, 3) != (mine->c->dims[0] < 0 ? 0 : 3)) exit(5);
    return NULL;
}

int main(void) {
    pthread_t ids[3];
    for (intptr_t i = 0; i < 3; i++) pthread_create(&ids[i], NULL, call, (void *)i);
    for (int i = 0; i < 3; i++) pthread_join(ids[i], NULL);
    for (int round = 0; round < ROUNDS / 10; round++) {
        int64_t a[CELLS] = {0}, b[CELLS] = {0}, fails = round % 3 ? -1 : round % REGIONS;
        void *buffers[] = {a, b};
        _Alignas(64) unsigned char block[64] = {0};
        context c = {&fails, buffers, NULL, NULL, block};
        own mine[3] = {{&c, 0}, {&c, 1}, {&c, 2}};
        for (int i = 0; i < 3; i++) pthread_create(&ids[i], NULL, join, &mine[i]);
        for (int i = 0; i < 3; i++) pthread_join(ids[i], NULL);
        for (int i = 0; fails < 0 && i < CELLS; i++)
            if (a[i] != REGIONS) exit(6);
    }
    pool_stop();
    puts("well");
    return 0;
}
