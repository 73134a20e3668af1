#ifndef NETWRIGHT_NAMES_H
#define NETWRIGHT_NAMES_H

#include "dataset.h"
#include "npz_read.h"
#include "tensors.h"

/* The names in an archive: an object of JSON texts, or NULL if it has none. 0, or -1 with a message. */
int read_names(const npz_archive *archive, json **into, char message[NPY_MESSAGE]);
/* The JSON text under "classes" or "vocabularies"; NULL if there is none. */
const json *names_of(const dataset *of, const char *key);
/* Whether a checkpoint has other names than the data. Those of classes may be missing. */
int other_names(const tensor_file *saved, const dataset *of, const char *key);

#endif
