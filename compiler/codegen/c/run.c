/* Runs the call: allocates the arena, and uses the thread pool. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "driver.h"
#include "failure.h"
#include "processors.h"

/* Page-aligned and, if large, in huge pages where the system has them: streaming is then up to twice as fast. */
static void *make_arena(int64_t bytes) {
    size_t size = (size_t)bytes + 64;
    void *arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED) fail(EXIT_SYSTEM, "out of memory: the arena has %" PRId64 " bytes", bytes);
#ifdef MADV_HUGEPAGE
    if (bytes >= 1 << 24) madvise(arena, size, MADV_HUGEPAGE);
#endif
    return arena;
}

/* Pins this thread to the first processor, the others to those that follow. */
static void keep_apart(int nthreads) {
    int32_t own[MAX_THREADS];
    int count = nw_own_processors(own, MAX_THREADS);
    if (!count) fail(EXIT_INPUT, "--pin: this system does not let threads be kept on processors; leave it out");
    if (nthreads > count) fail(EXIT_INPUT, "--pin: %d threads need as many processors; there are %d", nthreads, count);
    if (nw_keep_on(own[0]) || nw_the_model.pin(own + 1, count - 1))
        fail(EXIT_SYSTEM, "--pin: cannot keep threads on processors");
}

void run(call *c, int threads, int pin) {
    int64_t *offsets = allocate((size_t)nw_the_model.slots, sizeof *offsets);
    int64_t bytes = nw_the_model.plan(c->dims, offsets);
    if (bytes < 0) fail(EXIT_INPUT, "inputs of these shapes need more memory than there can be");
    _Alignas(64) unsigned char barrier[64] = {0};
    netwright_context context = {c->dims, c->buffers, make_arena(bytes), offsets, barrier};
    int nthreads = threads ? threads : nw_processors();
    if (pin && nthreads > 1) keep_apart(nthreads);
    int32_t code = nw_the_model.run(nw_the_model.entry, &context, nthreads, nw_patience(nthreads));
    if (code) {
        name_out_of_range(c);
        fail(EXIT_INPUT, "%s", nw_the_model.error(code));
    }
    free(offsets);
    munmap(context.arena, (size_t)bytes + 64);
}
