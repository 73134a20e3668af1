/* A sequence that comes step by step: what the network remembers of it. */
typedef struct @PREFIX@_stream @PREFIX@_stream;

/* The bytes of a stream@FOR@; 0: sizes that can't be. */
size_t @PREFIX@_stream_bytes(@SIZES@);

/* Begins a sequence in `memory`, of any alignment, which belongs to the stream from then on and has to stay where it
   is: a copy of the bytes elsewhere is no stream. */
@BEGIN@
