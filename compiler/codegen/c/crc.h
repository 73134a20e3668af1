/* CRC-32 as zip and PNG files have it. */
#ifndef NETWRIGHT_CRC_H
#define NETWRIGHT_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Of data that follow others, whose CRC is `before`; 0 if there are none. */
uint32_t crc_of(uint32_t before, const void *data, size_t bytes);

#endif
