/* The thread pool, and the regions of entries, as C sees them. */
#include <stdint.h>

typedef struct {
    const int64_t *dims;
    void *const *buffers;
    void *arena;
    const int64_t *offsets;
    void *barrier;
} context;
typedef struct {
    int32_t alone, number, stretch, missed;
} walk;
typedef int32_t entry(const context *, int32_t, int32_t);

int32_t pool_run(entry *, const context *, int32_t, int32_t);
int32_t pool_stop(void);
int32_t pool_pin(const int32_t *, int32_t);
int32_t begin(void *block, walk *own, int32_t tid, int32_t worth) __asm__("netwright.begin");
int32_t share(void *block, int32_t region, int32_t tid, int32_t shares, int32_t each) __asm__("netwright.share");
void shared(void *block, int32_t region, int32_t shares, int32_t code) __asm__("netwright.shared");
int32_t end(void *block, walk *own, int32_t tid, int32_t code, _Bool waits) __asm__("netwright.end");
