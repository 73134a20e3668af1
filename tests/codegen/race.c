/* Callers that share one pool, and entries as the compiler writes them: regions of shares, each of which reads what other
   shares wrote in the region before. Built with ThreadSanitizer. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct {
    const int64_t *dims;
    void *const *buffers;
    void *arena;
    const int64_t *offsets;
    void *barrier;
} context;
typedef int32_t entry(const context *, int32_t, int32_t);

int32_t race_run(entry *, const context *, int32_t, int32_t);
int32_t race_stop(void);
int32_t share(void *block, int32_t *alone, int32_t region, int32_t tid, int32_t shares) __asm__("netwright.share");
void shared(void *block, int32_t region, int32_t shares, int32_t code) __asm__("netwright.shared");

enum { CELLS = 64, REGIONS = 12 };

static void part(const context *c, int region, int mine, int shares) {
    int64_t *from = c->buffers[region % 2], *to = c->buffers[1 - region % 2];
    for (int i = CELLS * mine / shares; i < CELLS * (mine + 1) / shares; i++) to[i] = from[(i + 7) % CELLS] + 1;
}

/* dims: the region that fails, or -1. */
static int32_t work(const context *c, int32_t tid, int32_t nthreads) {
    void *summon = nthreads > 1 ? *(void **)((char *)c->barrier + 32) : NULL;
    int32_t alone = nthreads <= 1 || (tid == 0 && summon);
    for (int region = 0; region < REGIONS; region++) {
        int shares = nthreads == 1 || region % 5 == 0 ? 1 : nthreads;
        int32_t fails = c->dims[0] == region ? 3 : 0;
        if (alone && shares == 1) {
            part(c, region, 0, 1);
            if (fails) return fails;
            continue;
        }
        for (int32_t mine; (mine = share(c->barrier, &alone, region, tid, shares)) >= 0;) {
            part(c, region, mine, shares);
            if (mine == tid && region % 3 == 1) usleep(20); /* so that others come, on a busy machine, too */
            shared(c->barrier, region, shares, fails);
        }
        int32_t latched = __atomic_load_n((int32_t *)c->barrier + 4, __ATOMIC_RELAXED);
        if (latched) return latched;
    }
    return 0;
}

static void *call(void *argument) {
    int number = (int)(intptr_t)argument;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t a[CELLS], b[CELLS] = {0}, fails = round % 7 == 3 ? round % REGIONS : -1;
        for (int i = 0; i < CELLS; i++) a[i] = i;
        void *buffers[] = {a, b};
        _Alignas(64) unsigned char block[64] = {0};
        context c = {&fails, buffers, NULL, NULL, block};
        int32_t code = race_run(work, &c, 2 + (round + number) % 4, round % 2 ? 64 : 1);
        if (code != (fails < 0 ? 0 : 3)) exit(fprintf(stderr, "code %d\n", code));
        for (int i = 0; fails < 0 && i < CELLS; i++)
            if (a[i] != (i + 7 * REGIONS) % CELLS + REGIONS) exit(fprintf(stderr, "cell %d\n", i));
        if (round % 50 == 49) race_stop();
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
    if (work(mine->c, mine->tid, 3) != 0) exit(5);
    return NULL;
}

int main(void) {
    pthread_t ids[3];
    for (intptr_t i = 0; i < 3; i++) pthread_create(&ids[i], NULL, call, (void *)i);
    for (int i = 0; i < 3; i++) pthread_join(ids[i], NULL);
    for (int round = 0; round < ROUNDS / 10; round++) {
        int64_t a[CELLS] = {0}, b[CELLS] = {0}, fails = -1;
        void *buffers[] = {a, b};
        _Alignas(64) unsigned char block[64] = {0};
        context c = {&fails, buffers, NULL, NULL, block};
        own mine[3] = {{&c, 0}, {&c, 1}, {&c, 2}};
        for (int i = 0; i < 3; i++) pthread_create(&ids[i], NULL, join, &mine[i]);
        for (int i = 0; i < 3; i++) pthread_join(ids[i], NULL);
        for (int i = 0; i < CELLS; i++)
            if (a[i] != REGIONS) exit(6);
    }
    race_stop();
    puts("well");
    return 0;
}
