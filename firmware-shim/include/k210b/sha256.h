/** SHA-256 (FIPS 180-4), incremental. */
#ifndef K210B_SHA256_H
#define K210B_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct k210b_sha256 {
    uint32_t state[8];
    uint64_t bytes;     /**< message length so far */
    uint8_t block[64];  /**< bytes not yet worked in: bytes % 64 of them */
} k210b_sha256_t;

void k210b_sha256_init(k210b_sha256_t *hash);
void k210b_sha256_update(k210b_sha256_t *hash, const uint8_t *data, size_t len);
/** Writes the digest; the struct is used up. */
void k210b_sha256_final(k210b_sha256_t *hash, uint8_t digest[32]);
/** The three calls above for data at hand. */
void k210b_sha256(const uint8_t *data, size_t len, uint8_t digest[32]);

#endif
