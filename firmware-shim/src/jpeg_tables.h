/** Constant tables of the JPEG encoder. */
#ifndef K210B_JPEG_TABLES_H
#define K210B_JPEG_TABLES_H

#include <stdint.h>

/** Huffman table as ITU T.81 transmits it: how many codes of each length 1..16, then the symbols in code order. */
typedef struct k210b_huffman_spec {
    uint8_t counts[16];
    const uint8_t *symbols;
    uint8_t symbol_count;
} k210b_huffman_spec_t;

/** [luma, chroma], T.81 annex K.3. */
extern const k210b_huffman_spec_t k210b_jpeg_dc[2];
extern const k210b_huffman_spec_t k210b_jpeg_ac[2];
/** [luma, chroma] steps at quality 50, row by row, T.81 annex K.1. */
extern const uint8_t k210b_jpeg_quant[2][64];
/** Row-major index of the n-th coefficient in zigzag order, T.81 figure 5. */
extern const uint8_t k210b_jpeg_zigzag[64];

#endif
