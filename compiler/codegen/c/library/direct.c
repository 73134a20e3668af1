
int32_t @ENTERED@(const netwright_context *, int32_t, int32_t) __asm__("@SYMBOL@");

@HEAD@ {
    enum { TABLE = (@UPPER@_BUFFERS * sizeof(void *) + ALIGN - 1) / ALIGN * ALIGN };
    (void)threads;
    if (@MISSING@) return NETWRIGHT_NULL;
    if (arena_bytes < ALIGN - 1 + TABLE + (size_t)@ARENA@) return NETWRIGHT_SMALL_MEMORY;
    void **buffers = (void **)aligned(arena);
    for (int i = 0; i < @UPPER@_BUFFERS; i++) buffers[i] = any(model->contents[i]);
@GIVE@
    @CHECK@
    netwright_context context = {NULL, buffers, (char *)buffers + TABLE, NULL, NULL};
    return @ENTERED@(&context, 0, 1);
}
