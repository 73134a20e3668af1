
/* Weights of one's own: arrays as they are in a weights file (safetensors), by their names. */
typedef struct @PREFIX@_weights {
@FIELDS@
} @PREFIX@_weights;

/* The bytes that @PREFIX@_prepare needs, maybe 0. */
size_t @PREFIX@_prepare_bytes(void);

/* Makes a model of weights, which stay where they are. What calls read in another order is written into `memory`,
   which also stays. Call it again when weights have changed. */
int32_t @PREFIX@_prepare(@PREFIX@_model *model, const @PREFIX@_weights *weights, void *memory, size_t bytes);
