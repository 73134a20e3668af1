/* .npz: zip archives of .npy files, stored or deflated. */
#ifndef NETWRIGHT_NPZ_READ_H
#define NETWRIGHT_NPZ_READ_H

#include <stdio.h>

#include "npy.h"

typedef struct {
    char *name; /* of the array: without .npy */
    uint32_t method, crc;
    uint64_t packed, size, offset;
} npz_member;

typedef struct {
    FILE *file;
    uint64_t length;
    npz_member *members;
    int32_t count;
} npz_archive;

/* 0, or -1 with a message. The file stays open, and the caller's. */
int npz_open(FILE *file, npz_archive *into, char message[NPY_MESSAGE]);
void npz_close(npz_archive *archive);
/* The member of an array; NULL if there is none. */
const npz_member *npz_find(const npz_archive *archive, const char *name);
/* The bytes of a member, checked against its checksum. NULL with a message. */
unsigned char *npz_bytes(const npz_archive *archive, const npz_member *member, char message[NPY_MESSAGE]);

/* Unpacks deflated data (RFC 1951) that are exactly so large. 0, or -1 if they are none. */
int inflate(const unsigned char *from, size_t length, unsigned char *to, size_t size);

#endif
