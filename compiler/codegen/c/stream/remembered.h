/* What is remembered of the steps so far, in a file: a .npy of bytes, of this network only. */
#ifndef NETWRIGHT_REMEMBERED_H
#define NETWRIGHT_REMEMBERED_H

#include <stdint.h>

#include "driver.h"

typedef struct {
    int64_t groups, waiting; /* groups of steps computed; bytes of steps that do not fill a group */
    unsigned char *steps;    /* the steps that wait */
    int64_t group;           /* bytes of a group */
} remembered;

/* Both end the program with a message if it can't be done. */
void recall(const char *path, call *c, remembered *kept);
void save_remembered(const char *path, const call *c, const remembered *kept);

#endif
