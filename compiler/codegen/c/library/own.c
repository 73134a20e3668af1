
/* The least sizes, for what depends on none. */
static const int64_t least[] = {@LEAST@};

static void take(const @PREFIX@_weights *weights, @PREFIX@_model *model) {
    (void)weights, (void)model;
@TAKE@
}

static int complete(const @PREFIX@_model *model) {
    static const int32_t needed[] = {@WEIGHTS@-1};
    for (int i = 0; needed[i] >= 0; i++)
        if (!model->contents[needed[i]] && @PREFIX@_bytes(needed[i], least)) return 0;
    return 1;
}
