/** CRC-32 of IEEE 802.3 (zlib, PNG): reflected polynomial 0xEDB88320. */
#ifndef K210B_CRC32_H
#define K210B_CRC32_H

#include <stddef.h>
#include <stdint.h>

/** Extends `crc` (0 at the start) by `len` bytes; crc32("123456789") is 0xCBF43926. */
uint32_t k210b_crc32(uint32_t crc, const uint8_t *data, size_t len);

#endif
