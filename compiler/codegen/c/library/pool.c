int32_t @PREFIX@_pool_run(entry_function *, const netwright_context *, int32_t, int32_t);
int32_t @PREFIX@_pool_stop(void);
void @PREFIX@_pool_forked(void);

int32_t @PREFIX@_run(entry_function *entry, const netwright_context *context, int32_t nthreads) {
    int32_t count = nthreads > 0 ? nthreads : nw_processors();
    return @PREFIX@_pool_run(entry, context, count, nw_patience(count));
}

int32_t @PREFIX@_stop(void) {
    return @PREFIX@_pool_stop();
}

__attribute__((constructor)) static void at_start(void) {
    pthread_atfork(NULL, NULL, @PREFIX@_pool_forked);
}

/* The library may be unloaded: no worker may be left in its code. */
__attribute__((destructor)) static void at_end(void) {
    @PREFIX@_pool_stop();
}
