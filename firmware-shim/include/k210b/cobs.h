/**
 * Consistent Overhead Byte Stuffing, byte by byte in both directions: no buffer but the caller's, no second pass.
 * A block of 254 bytes (code 0xFF) has no zero after it; data that end right there get no empty block.
 */
#ifndef K210B_COBS_H
#define K210B_COBS_H

#include <stddef.h>
#include <stdint.h>

/** Bytes that `length` bytes take at most. */
#define K210B_COBS_MAX(length) ((length) + (length) / 254u + 1u)

/** Encoder; `out` must have room for K210B_COBS_MAX of what will be put. */
typedef struct k210b_cobs_writer {
    uint8_t *out;
    size_t used;
    size_t code_at;     /**< where the code of the open block goes */
    uint8_t full;       /**< the last block is closed and no new one open */
} k210b_cobs_writer_t;

void k210b_cobs_begin(k210b_cobs_writer_t *writer, uint8_t *out);
void k210b_cobs_put(k210b_cobs_writer_t *writer, const uint8_t *data, size_t len);
/** Closes the last block; returns the encoded length. */
size_t k210b_cobs_end(k210b_cobs_writer_t *writer);

/** Decoder of one segment; `out` has `cap` bytes. */
typedef struct k210b_cobs_reader {
    uint8_t *out;
    size_t cap, used;
    uint8_t code;       /**< code of the present block, 0 before the first */
    uint8_t left;       /**< bytes of it still to come */
    uint8_t bad;        /**< more than `cap` bytes came */
} k210b_cobs_reader_t;

void k210b_cobs_restart(k210b_cobs_reader_t *reader);
/** Takes one byte that is no delimiter. */
void k210b_cobs_take(k210b_cobs_reader_t *reader, uint8_t byte);
/** 1 when the segment may end here; the data are then out[0..used). */
int k210b_cobs_complete(const k210b_cobs_reader_t *reader);

#endif
