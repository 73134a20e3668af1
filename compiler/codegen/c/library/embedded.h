
/* The weights that are part of the library. */
const @PREFIX@_model *@PREFIX@_embedded(void);
