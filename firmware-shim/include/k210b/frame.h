/** Frames of the link: 0x00, COBS(header + payload + CRC-32), 0x00. Fields: protocol/README.md. */
#ifndef K210B_FRAME_H
#define K210B_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "k210b/cobs.h"

enum {
    K210B_FRAME_HEADER = 8,
    K210B_FRAME_CRC = 4,
    K210B_FRAME_LAST = 0x80,            /**< bit of `fragment` */
    K210B_FRAME_UNIT = 16,              /**< bytes that `budget` counts in */
    K210B_FRAME_PAYLOAD = 4096,         /**< most that a session may agree on */
    K210B_FRAME_RAW = K210B_FRAME_HEADER + K210B_FRAME_PAYLOAD + K210B_FRAME_CRC,
    K210B_FRAME_WIRE = K210B_COBS_MAX(K210B_FRAME_RAW) + 2
};

/** Header byte 0. */
enum { K210B_REQUEST = 0, K210B_RESPONSE = 1, K210B_DATAGRAM = 2, K210B_BLOCK = 3, K210B_STATUS = 4, K210B_KINDS = 5 };

typedef struct k210b_frame {
    uint8_t kind;
    uint8_t id;
    uint16_t number;        /**< request number, or a counter of this message */
    uint8_t epoch;
    uint8_t fragment;       /**< index, K210B_FRAME_LAST on the last */
    uint16_t budget;        /**< bytes / 16 that the sender can still take */
} k210b_frame_t;

/** Writes a frame with both delimiters to `out` (K210B_FRAME_WIRE bytes); returns its length. */
size_t k210b_frame_write(const k210b_frame_t *frame, const uint8_t *payload, size_t len, uint8_t *out);
/** Reads header and CRC of a decoded segment: 0 with the length of the payload at raw + 8, or K210B_ERR_BAD_REQUEST. */
int k210b_frame_read(const uint8_t *raw, size_t raw_len, k210b_frame_t *frame, size_t *len);

#endif
