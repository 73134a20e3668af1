
/* @SAME@ */
int32_t @PREFIX@_read(@PREFIX@_model *model, const void *bytes, size_t size);
