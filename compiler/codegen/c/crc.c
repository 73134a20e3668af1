#include "crc.h"

uint32_t crc_of(uint32_t before, const void *data, size_t bytes) {
    const unsigned char *at = data;
    uint32_t table[256], value = ~before;
    for (uint32_t n = 0; n < 256; n++) {
        table[n] = n;
        for (int k = 0; k < 8; k++) table[n] = table[n] & 1 ? UINT32_C(0xEDB88320) ^ (table[n] >> 1) : table[n] >> 1;
    }
    for (size_t i = 0; i < bytes; i++) value = table[(value ^ at[i]) & 255] ^ (value >> 8);
    return ~value;
}
