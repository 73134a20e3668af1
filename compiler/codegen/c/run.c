/* Runs calls: allocates the arena, and uses the thread pool. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#endif

#include "driver.h"
#include "failure.h"
#include "processors.h"

#if defined(__unix__) || defined(__APPLE__)
/* Page-aligned and, if large, in huge pages where the system has them: streaming is then up to twice as fast. */
static void *make_arena(runner *r, int64_t bytes) {
    size_t size = (size_t)bytes + 64;
    r->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (r->memory == MAP_FAILED) fail(EXIT_SYSTEM, "out of memory: the arena has %" PRId64 " bytes", bytes);
#ifdef MADV_HUGEPAGE
    if (bytes >= 1 << 22) madvise(r->memory, size, MADV_HUGEPAGE);
#endif
    return r->memory;
}

static void free_arena(runner *r) { munmap(r->memory, (size_t)r->room + 64); }
#else
static void *make_arena(runner *r, int64_t bytes) {
    r->memory = malloc((size_t)bytes + 64);
    if (!r->memory) fail(EXIT_SYSTEM, "out of memory: the arena has %" PRId64 " bytes", bytes);
    return (void *)(((uintptr_t)r->memory + 63) & ~(uintptr_t)63);
}

static void free_arena(runner *r) { free(r->memory); }
#endif

/* Pins this thread to the first processor, the others to those that follow. */
static void keep_apart(int nthreads) {
    int32_t own[MAX_THREADS];
    int count = nw_own_processors(own, MAX_THREADS);
    if (!count) fail(EXIT_INPUT, "--pin: this system does not let threads be kept on processors; leave it out");
    if (nthreads > count) fail(EXIT_INPUT, "--pin: %d threads need as many processors; there are %d", nthreads, count);
    if (nw_keep_on(own[0]) || nw_the_model.pin(own + 1, count - 1))
        fail(EXIT_SYSTEM, "--pin: cannot keep threads on processors");
}

void begin_running(runner *r, int threads, int pin) {
    r->offsets = allocate((size_t)nw_the_model.slots, sizeof *r->offsets);
    r->arena = NULL;
    r->room = -1;
    r->passed = NULL;
    r->threads = threads ? threads : nw_processors();
    if (pin && r->threads > 1) keep_apart(r->threads);
}

void run(runner *r, call *c) {
    nw_entry entry = {nw_the_model.entry, nw_the_model.plan, nw_the_model.slots};
    run_entry(r, &entry, c);
}

int32_t try_entry(runner *r, const nw_entry *entry, const call *c) {
    int64_t bytes = entry->plan(c->dims, r->offsets);
    if (bytes < 0) fail(EXIT_INPUT, "inputs of these shapes need more memory than there can be");
    if (bytes > r->room) {
        end_running(r);
        r->arena = make_arena(r, bytes);
        r->room = bytes;
    }
    _Alignas(64) unsigned char barrier[64] = {0};
    netwright_context context = {c->dims, c->buffers, r->arena, r->offsets, barrier, r->passed};
    return nw_the_model.run(entry->run, &context, r->threads, nw_patience(r->threads));
}

void run_entry(runner *r, const nw_entry *entry, call *c) {
    int32_t code = try_entry(r, entry, c);
    if (code) {
        name_out_of_range(c);
        fail(EXIT_INPUT, "%s", nw_the_model.error(code));
    }
}

void end_running(runner *r) {
    if (r->arena) free_arena(r);
    r->arena = NULL;
}
