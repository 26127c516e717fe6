/** Row layout of feature maps in KPU RAM (kpu.md section 4) and dense copies into and out of it. */
#ifndef K210B_KPU_ROWS_H
#define K210B_KPU_ROWS_H

#include <stdint.h>

enum { K210B_KPU_ROW_BYTES = 64, K210B_KPU_ROW_COUNT = 32768 };

/** Shape of one feature map without its batch axis. */
typedef struct k210b_map_shape {
    uint16_t channels, height, width;
} k210b_map_shape_t;

/** How maps of one width lie in rows of 64 bytes. */
typedef struct k210b_row_layout {
    uint8_t groups;       /**< channels side by side in one row: 4, 2 or 1 */
    uint8_t row_len;      /**< rows of 64 bytes per image row */
    uint8_t row_pitch;    /**< bytes between neighbours in a group: 16, 32, 64 */
} k210b_row_layout_t;

k210b_row_layout_t k210b_row_layout(uint32_t width);
/** Rows of 64 bytes that a map takes. */
uint32_t k210b_rows_of(k210b_map_shape_t shape);
/** Byte offset of pixel (channel, y, 0) from the map's base; the image row's pixels follow without gaps. */
uint32_t k210b_row_offset(k210b_map_shape_t shape, uint32_t channel, uint32_t y);
/** Dense NCHW map into KPU RAM at `base`. */
void k210b_rows_upload(uint8_t *base, k210b_map_shape_t shape, const uint8_t *dense);
/** Map in KPU RAM at `base` to dense NCHW. Reads whole 64-bit words only, as KPU RAM is slow uncached memory. */
void k210b_rows_download(uint8_t *dense, const uint8_t *base, k210b_map_shape_t shape);

#endif
