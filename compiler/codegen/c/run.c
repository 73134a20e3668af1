/* The call itself: the arena, and the threads that run the entry together. */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "driver.h"

typedef struct {
    const netwright_context *context;
    int32_t tid, nthreads, code;
} worker;

static void *work(void *argument) {
    worker *own = argument;
    own->code = nw_the_model.run(own->context, own->tid, own->nthreads);
    return NULL;
}

/* Page-aligned, and in huge pages where it is large and the system has them: streaming is up to twice as fast. */
static void *make_arena(int64_t bytes) {
    size_t size = (size_t)bytes + 64;
    void *arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED) fail(EXIT_SYSTEM, "out of memory: the arena has %" PRId64 " bytes", bytes);
#ifdef MADV_HUGEPAGE
    if (bytes >= 1 << 24) madvise(arena, size, MADV_HUGEPAGE);
#endif
    return arena;
}

void run(call *c, int threads) {
    int64_t *offsets = allocate((size_t)nw_the_model.slots, sizeof *offsets);
    int64_t bytes = nw_the_model.plan(c->dims, offsets);
    if (bytes < 0) fail(EXIT_INPUT, "inputs of these shapes need more memory than there can be");
    _Alignas(64) unsigned char barrier[64] = {0};
    netwright_context context = {c->dims, c->buffers, make_arena(bytes), offsets, barrier};
    pthread_t ids[MAX_THREADS];
    worker workers[MAX_THREADS];
    for (int i = 0; i < threads; i++) {
        worker own = {&context, i, threads, 0};
        workers[i] = own;
    }
    for (int i = 1; i < threads; i++)
        if (pthread_create(&ids[i], NULL, work, &workers[i])) fail(EXIT_SYSTEM, "cannot start %d threads", threads);
    work(&workers[0]);
    for (int i = 1; i < threads; i++) pthread_join(ids[i], NULL);
    if (workers[0].code) {
        name_out_of_range(c);
        fail(EXIT_INPUT, "%s", nw_the_model.error(workers[0].code));
    }
    free(offsets);
    munmap(context.arena, (size_t)bytes + 64);
}
