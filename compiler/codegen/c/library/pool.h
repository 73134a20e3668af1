
/* Runs an entry on the calling thread and on the library's workers, nthreads in all (0: as many as there are
   processors), but no more than its work pays for; the results are the same on any number. Workers are created when
   they are first called, and shared by all calls of this library: a call that begins while another uses them runs on
   one thread. A forked child creates its own. The context's barrier only has to be zeroed before the first call. */
int32_t @PREFIX@_run(int32_t (*entry)(const netwright_context *, int32_t, int32_t), const netwright_context *context,
                     int32_t nthreads);

/* Ends the workers; the next call that needs them creates new ones. Returns 1, doing nothing, if a call uses them. */
int32_t @PREFIX@_stop(void);
