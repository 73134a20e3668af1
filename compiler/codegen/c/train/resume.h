/* The parts of reading a checkpoint. */
#ifndef NETWRIGHT_RESUME_H
#define NETWRIGHT_RESUME_H

#include "training.h"

/* 0, or -1 with a message. */
int read_progress(const json *from, progress *into, char message[NPY_MESSAGE]);
/* Whether two trainings are the same; if not, `where` says what differs. */
int same_identity(const json *saved, const json *now, text *where);

#endif
