/* What the pool learns: an entry of one region that takes as long as it is told, alone and together. Prints of how many of a
   hundred calls it had workers. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pool.h"

/* The pool's clock, which goes on by what calls are told to take: what it learns does not depend on the machine. */
static int64_t passed;

int clock_gettime(clockid_t clock, struct timespec *time) {
    (void)clock;
    time->tv_sec = passed / 1000000000;
    time->tv_nsec = passed % 1000000000;
    return 0;
}

static int together, refused;

/* dims: operations, nanoseconds alone, nanoseconds together. Workers come, and have nothing to do. */
static int32_t work(const context *c, int32_t tid, int32_t nthreads) {
    unsigned char own[64] = {0}, *block = nthreads > 1 ? c->barrier : own;
    walk here = {nthreads <= 1 || tid == 0, 0, 0, 0};
    if (tid) return 0;
    *(int64_t *)(block + 56) = c->dims[0];
    int32_t region = begin(block, &here, tid, 16);
    passed += c->dims[region < 0 ? 1 : 2];
    *(region < 0 ? &refused : &together) += 1;
    while (region >= 0 && share(block, region, tid, 1, 1) >= 0) shared(block, region, 1, 0);
    return end(block, &here, tid, 0, 0);
}

/* Calls of so many operations, each after a pause; how many in a hundred of their second half had workers. */
static int calls(int count, int64_t operations, int64_t alone, int64_t several, int64_t pause) {
    _Alignas(64) unsigned char block[64] = {0};
    int64_t dims[] = {operations, alone, several};
    context c = {dims, NULL, NULL, NULL, block};
    for (int i = 0; i < count; i++) {
        if (i == count / 2) together = refused = 0;
        passed += pause;
        if (pool_run(work, &c, 2, 64)) exit(1);
    }
    return together * 100 / (together + refused);
}

int main(int count, char **texts) {
    for (int i = 1; i + 4 < count; i += 5) {
        int64_t numbers[5];
        for (int k = 0; k < 5; k++) numbers[k] = atoll(texts[i + k]);
        printf("%d ", calls((int)numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]));
    }
    puts("");
    return pool_stop();
}
