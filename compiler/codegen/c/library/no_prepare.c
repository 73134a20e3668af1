
size_t @PREFIX@_prepare_bytes(void) {
    return 0;
}

int32_t @PREFIX@_prepare(@PREFIX@_model *model, const @PREFIX@_weights *weights, void *memory, size_t bytes) {
    (void)memory, (void)bytes;
    if (!model || !weights) return NETWRIGHT_NULL;
    *model = constants;
    take(weights, model);
    return complete(model) ? NETWRIGHT_OK : NETWRIGHT_NULL;
}
