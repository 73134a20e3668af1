
int32_t @ENTERED@(const void *const *, void *@TYPES@) __asm__("@SYMBOL@");

@HEAD@ {
    (void)threads;
    if (@MISSING@) return NETWRIGHT_NULL;
    if (arena_bytes < ALIGN - 1 + (size_t)@ARENA@) return NETWRIGHT_SMALL_MEMORY;
    return @ENTERED@(model->contents, aligned(arena)@GIVEN@);
}
