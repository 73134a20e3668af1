
/* A file of weights: its first HEAD bytes say for what, the contents follow where the table says. */
static const unsigned char mark[] = {@MARK@};
static const struct {
    int32_t buffer;
    uint64_t offset;
} places[] = {
@PLACES@
};

int32_t @PREFIX@_read(@PREFIX@_model *model, const void *bytes, size_t size) {
    const unsigned char *at = (const unsigned char *)bytes;
    if (!model || !bytes) return NETWRIGHT_NULL;
    if ((uintptr_t)bytes % ALIGN || size < HEAD) return NETWRIGHT_NO_WEIGHTS;
    for (size_t i = 0; i < 16; i++)
        if (at[i] != mark[i]) return NETWRIGHT_NO_WEIGHTS;
    for (size_t i = 16; i < sizeof mark; i++)
        if (at[i] != mark[i]) return NETWRIGHT_OTHER_WEIGHTS;
    if (size != HEAD + UINT64_C(@PAYLOAD@)) return NETWRIGHT_NO_WEIGHTS;
    *model = constants;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        model->contents[places[i].buffer] = at + HEAD + places[i].offset;
    return NETWRIGHT_OK;
}
