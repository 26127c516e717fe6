/** Baseline JPEG encoder (ITU T.81), 4:2:0, integer arithmetic only, restartable by rows of 16 pixels. */
#ifndef K210B_JPEG_H
#define K210B_JPEG_H

#include <stdint.h>

#include "k210b/status.h"

/** Huffman code of each symbol. */
typedef struct k210b_huffman {
    uint16_t code[256];
    uint8_t length[256];
} k210b_huffman_t;

/** A picture under way. Plain data, the caller's memory (about 3 KiB). */
typedef struct k210b_jpeg {
    const uint8_t *planes;          /**< R, G, B planes of width * height bytes */
    uint16_t width, height;
    uint16_t next_row;              /**< next row of 16x16 blocks */
    uint8_t *out;
    uint32_t cap, used;
    uint32_t bits;                  /**< bits not yet written, at the low end */
    uint8_t bit_count;
    uint8_t overflow;
    uint8_t bias;                   /**< rounding of AC levels, 1/16 */
    int16_t last_dc[3];
    uint8_t quant[2][64];           /**< luma and chroma steps, zigzag order */
    k210b_huffman_t dc[2], ac[2];
} k210b_jpeg_t;

/** Writes the headers. Quality 10..95 (clamped), on libjpeg's scale. K210B_ERR_SPACE when `cap` is too small. */
int k210b_jpeg_begin(k210b_jpeg_t *jpeg, const uint8_t *planes, uint16_t width, uint16_t height, uint8_t quality,
                     uint8_t *out, uint32_t cap);
/** Encodes up to `count` rows of blocks. 1 = that was the last, 0 = more to come, or K210B_ERR_SPACE. */
int k210b_jpeg_rows(k210b_jpeg_t *jpeg, uint16_t count);
/** Ends the file after the last row; its bytes, or K210B_ERR_SPACE, K210B_ERR_STATE. */
int k210b_jpeg_finish(k210b_jpeg_t *jpeg);
/** All of it at once with a state in the caller's memory. */
int k210b_jpeg_encode(k210b_jpeg_t *jpeg, const uint8_t *planes, uint16_t width, uint16_t height, uint8_t quality,
                      uint8_t *out, uint32_t cap);

#endif
