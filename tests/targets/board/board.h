#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

void write_file(const char *path, uint32_t length, const void *data, uint32_t bytes);
int32_t run_network(void); /* 0, or an error code */

#endif
