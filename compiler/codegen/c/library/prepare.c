
static const int32_t packed[] = {@PACKED@};
enum { PACKED = sizeof packed / sizeof *packed };

static size_t packing_bytes(size_t *calling) {
    int64_t offsets[@UPPER@_PREPARE_SLOTS + 1];
    size_t total = ALIGN - 1;
    *calling = call_bytes(@PREFIX@_prepare_plan, @UPPER@_PREPARE_SLOTS, least, offsets);
    for (int i = 0; i < PACKED; i++) total += ((size_t)@PREFIX@_bytes(packed[i], least) + ALIGN - 1) / ALIGN * ALIGN;
    return total;
}

/* Packs the weights of a model into memory behind `at`, and has the model point there. */
static int32_t pack(@PREFIX@_model *model, void *memory, size_t bytes) {
    size_t room, total = packing_bytes(&room);
    call c;
    if (!memory) return NETWRIGHT_NULL;
    if (bytes < total + room) return NETWRIGHT_SMALL_MEMORY;
    int32_t code = begin(&c, @PREFIX@_prepare_plan, @UPPER@_PREPARE_SLOTS, least, (char *)memory + total, room);
    if (code) return code;
    weights_of(model, &c);
    char *at = aligned(memory);
    for (int i = 0; i < PACKED; i++) {
        c.buffers[packed[i]] = at;
        at += ((size_t)@PREFIX@_bytes(packed[i], least) + ALIGN - 1) / ALIGN * ALIGN;
    }
    code = run(&c, @PREFIX@_prepare_entry, 1);
    for (int i = 0; i < PACKED && !code; i++) model->contents[packed[i]] = c.buffers[packed[i]];
    return code;
}

size_t @PREFIX@_prepare_bytes(void) {
    size_t room, total = packing_bytes(&room);
    return total + room;
}

int32_t @PREFIX@_prepare(@PREFIX@_model *model, const @PREFIX@_weights *weights, void *memory, size_t bytes) {
    if (!model || !weights) return NETWRIGHT_NULL;
    *model = constants;
    take(weights, model);
    return complete(model) ? pack(model, memory, bytes) : NETWRIGHT_NULL;
}
