
/* What is kept from call to call in the caller's memory: sizes, and the buffers of a list. */
typedef struct {
    int64_t dims[@UPPER@_DIMS + 1];
    void *buffers[@UPPER@_BUFFERS];
    void *more;
} kept;

/* The bytes for these buffers, with room to align them and `more` behind them; 0: sizes that can't be. If there is
   memory, the pointers are set. */
static size_t lay_out(const int32_t *which, int count, const int64_t *dims, size_t more, char *memory,
                      void **buffers) {
    size_t total = (sizeof(kept) + ALIGN - 1) / ALIGN * ALIGN;
    for (int i = 0; i < count; i++) {
        int64_t bytes = @PREFIX@_bytes(which[i], dims);
        if (bytes < 0 || (uint64_t)bytes > SIZE_MAX / 4 - total) return 0;
        if (memory) buffers[which[i]] = memory + total;
        total += ((size_t)bytes + ALIGN - 1) / ALIGN * ALIGN;
    }
    return total + more + ALIGN - 1;
}

/* Lays out the memory, with zeros in all buffers. */
static int32_t keep(kept **made, const int32_t *which, int count, const int64_t *dims, size_t more, void *memory,
                    size_t bytes) {
    if (!made || !memory) return NETWRIGHT_NULL;
    if (!@PREFIX@_admits(dims)) return NETWRIGHT_SIZE;
    size_t needed = lay_out(which, count, dims, more, NULL, NULL);
    if (!needed) return NETWRIGHT_TOO_LARGE;
    if (bytes < needed) return NETWRIGHT_SMALL_MEMORY;
    kept *k = (kept *)aligned(memory);
    for (int i = 0; i < @UPPER@_DIMS; i++) k->dims[i] = dims[i];
    for (int i = 0; i < @UPPER@_BUFFERS; i++) k->buffers[i] = NULL;
    lay_out(which, count, dims, more, (char *)k, k->buffers);
    for (int i = 0; i < count; i++) {
        int64_t size = @PREFIX@_bytes(which[i], dims);
        for (int64_t at = 0; at < size; at++) ((char *)k->buffers[which[i]])[at] = 0;
    }
    k->more = (char *)k + needed - (ALIGN - 1) - more;
    *made = k;
    return NETWRIGHT_OK;
}
