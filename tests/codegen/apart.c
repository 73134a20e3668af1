/* Where a worker wakes, on a system that this program plays: four processors, of which the caller has the third. The worker
   sleeps before each of four calls. Prints how often it was sent away, and as bits of a number: where to, what it may use in
   the end, and what once the system has two processors more. Arguments: what the worker may use, where it wakes, where it is
   pinned (-1: nowhere), and what a user lets it use while it is away (0: as before). */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pool.h"

enum { CALLER = 2, CALLS = 4 };
static uint64_t system_has = 15, asked, sent, changed; /* bits of processors */
static int where, times, arrived, worker;
static _Thread_local int calls;

/* Time stands still: no pause between calls is so long that the pool calls no workers after it. */
int clock_gettime(clockid_t clock, struct timespec *time) {
    (void)clock;
    *time = (struct timespec){0, 0};
    return 0;
}

int sched_getcpu(void) { return calls ? CALLER : where; }

static int tell(size_t size, cpu_set_t *set) {
    memset(set, 0, size);
    uint64_t mask = system_has & asked;
    memcpy(set, &mask, sizeof mask);
    return 0;
}

int pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *set) {
    (void)thread;
    return tell(size, set);
}

/* Called by the worker alone, before it takes back what it may use; a user may have changed that. */
int sched_getaffinity(pid_t thread, size_t size, cpu_set_t *set) {
    (void)thread;
    sent = system_has & asked, times++;
    if (changed) asked = changed;
    return tell(size, set);
}

static int limit(const cpu_set_t *set) {
    uint64_t mask;
    memcpy(&mask, set, sizeof mask);
    if (!(mask & system_has)) return EINVAL;
    asked = mask;
    return 0;
}

int pthread_setaffinity_np(pthread_t thread, size_t size, const cpu_set_t *set) {
    (void)thread, (void)size;
    return limit(set);
}

int sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *set) {
    (void)thread, (void)size;
    return limit(set) ? -1 : 0;
}

/* A region which the caller leaves to the worker. */
static int32_t work(const context *c, int32_t tid, int32_t nthreads) {
    unsigned char own[64] = {0}, *block = nthreads > 1 ? c->barrier : own;
    walk here = {nthreads <= 1 || tid == 0, 0, 0, 0};
    int32_t region = begin(block, &here, tid, 16);
    if (tid) {
        worker = (int)syscall(SYS_gettid);
        __atomic_store_n(&arrived, 1, __ATOMIC_RELEASE);
    }
    while (!tid && region >= 0 && !__atomic_load_n(&arrived, __ATOMIC_ACQUIRE)) sched_yield();
    while (region >= 0 && share(block, region, tid, 2, 1) >= 0) shared(block, region, 2, 0);
    return end(block, &here, tid, 0, 0);
}

static int asleep(int thread) {
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1) exit(2);
    fclose(file);
    return state == 'S';
}

int main(int count, char **texts) {
    if (count != 5) return 1;
    asked = strtoull(texts[1], NULL, 0);
    where = atoi(texts[2]);
    int32_t pinned = atoi(texts[3]);
    changed = strtoull(texts[4], NULL, 0);
    if (pinned >= 0 && pool_pin(&pinned, 1)) return 3;
    calls = 1;
    _Alignas(64) unsigned char block[64] = {0};
    context c = {NULL, NULL, NULL, NULL, block};
    for (int i = 0; i < CALLS; i++) {
        arrived = 0;
        if (pool_run(work, &c, 2, 1)) return 4;
        while (!asleep(worker)) usleep(100);
    }
    printf("%d %d %d ", times, (int)sent, (int)(system_has & asked));
    system_has = 63;
    printf("%d\n", (int)(system_has & asked));
    return pool_stop();
}
