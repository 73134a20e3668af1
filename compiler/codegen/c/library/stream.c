
struct @PREFIX@_stream {
    kept all;
};
static const int32_t remembered[] = {@STATES@-1};
enum { REMEMBERED = sizeof remembered / sizeof *remembered - 1 };

size_t @PREFIX@_stream_bytes(@SIZES@) {
    const int64_t dims[] = {@DIMS@};
    return @PREFIX@_admits(dims) ? lay_out(remembered, REMEMBERED, dims, 0, NULL, NULL) : 0;
}

int32_t @PREFIX@_stream_begin(@PREFIX@_stream **stream, void *memory, size_t bytes@MORE_SIZES@) {
    const int64_t dims[] = {@DIMS@};
    kept *made = NULL;
    int32_t code = stream ? keep(&made, remembered, REMEMBERED, dims, 0, memory, bytes) : NETWRIGHT_NULL;
    if (!code) *stream = (@PREFIX@_stream *)made;
    return code;
}
