/* The weights that calls read: pointers to contents that stay elsewhere, one per buffer of the general form, or NULL.
   Calls only read it, so any number of calls may share one. */
typedef struct @PREFIX@_model {
    const void *contents[@COUNT@];
    void *mapped; /* by @PREFIX@_open, or NULL */
    size_t mapped_bytes;
} @PREFIX@_model;
