/* A training: weights, the optimizer's states, and what the last step reported. */
typedef struct @PREFIX@_training @PREFIX@_training;

/* The bytes of a training@FOR@; 0: sizes that can't be. */
size_t @PREFIX@_training_bytes(@SIZES@);

/* Begins a training with copies of a model's weights. `memory`, of any alignment, belongs to it from then on. */
@BEGIN@

/* The weights that it has learned so far, to write to a file, say. They change with the next step. */
int32_t @PREFIX@_training_weights(const @PREFIX@_training *training, @PREFIX@_weights *weights);

/* A model of them, for predictions until the next step. */
int32_t @PREFIX@_training_model(@PREFIX@_training *training, @PREFIX@_model *model);
