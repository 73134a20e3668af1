
static void copy(void *to, const void *from, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) ((char *)to)[i] = ((const char *)from)[i];
}

struct @PREFIX@_training {
    kept all;
};
static const int32_t trained[] = {@TRAINED@-1};
static const int32_t learned[] = {@WEIGHTS@-1};
static const int32_t initial_states[] = {@INITIAL@-1};
enum { TRAINED = sizeof trained / sizeof *trained - 1 };

size_t @PREFIX@_training_bytes(@SIZES@) {
    const int64_t dims[] = {@DIMS@};
    return @PREFIX@_admits(dims) ? lay_out(trained, TRAINED, dims, @PREFIX@_prepare_bytes(), NULL, NULL) : 0;
}

int32_t @PREFIX@_training_begin(@PREFIX@_training **training, const @PREFIX@_model *initial, void *memory,
                                size_t bytes@MORE_SIZES@) {
    const int64_t dims[] = {@DIMS@};
    kept *made = NULL;
    if (!training || !initial || !complete(initial)) return NETWRIGHT_NULL;
    int32_t code = keep(&made, trained, TRAINED, dims, @PREFIX@_prepare_bytes(), memory, bytes);
    if (code) return code;
    for (int i = 0; learned[i] >= 0; i++)
        copy(made->buffers[learned[i]], initial->contents[learned[i]], (size_t)@PREFIX@_bytes(learned[i], dims));
    for (int i = 0; initial_states[i] >= 0; i++)
        copy(made->buffers[initial_states[i]], constants.contents[initial_states[i]],
             (size_t)@PREFIX@_bytes(initial_states[i], dims));
    *training = (@PREFIX@_training *)made;
    return NETWRIGHT_OK;
}

int32_t @PREFIX@_training_weights(const @PREFIX@_training *training, @PREFIX@_weights *weights) {
    if (!training || !weights) return NETWRIGHT_NULL;
@GIVE@
    return NETWRIGHT_OK;
}

int32_t @PREFIX@_training_model(@PREFIX@_training *training, @PREFIX@_model *model) {
    @PREFIX@_weights weights;
    int32_t code = model ? @PREFIX@_training_weights(training, &weights) : NETWRIGHT_NULL;
    return code ? code : @PREFIX@_prepare(model, &weights, training->all.more, @PREFIX@_prepare_bytes());
}
