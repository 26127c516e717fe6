/** One KPU layer: the fields of its twelve words and their check against the hardware's limits (kpu.md 3, 8, 9). */
#ifndef K210B_KPU_LAYER_H
#define K210B_KPU_LAYER_H

#include <stdint.h>

#include "k210b/kpu_rows.h"

/** Pool types (kpu.md section 7). */
enum {
    K210B_POOL_BYPASS = 0, K210B_POOL_MAX_2_S2 = 1, K210B_POOL_MEAN_2_S2 = 2, K210B_POOL_MAX_4_S4 = 3,
    K210B_POOL_MEAN_4_S4 = 4, K210B_POOL_LEFT_TOP_2_S2 = 5, K210B_POOL_RIGHT_TOP_2_S2 = 6,
    K210B_POOL_LEFT_TOP_4_S4 = 7, K210B_POOL_MEAN_2_S1 = 8, K210B_POOL_MAX_2_S1 = 9
};

enum { K210B_ACTIVATION_BYTES = 144 };

typedef struct k210b_kpu_layer {
    k210b_map_shape_t in, out;      /**< out after pooling */
    uint16_t src_row, dst_row;
    uint8_t kernel;                 /**< 1 or 3 */
    uint8_t depthwise;
    uint8_t pool;
    uint8_t pad_value;
    uint32_t weight_bytes, bn_bytes;
} k210b_kpu_layer_t;

/**
 * Reads and checks the words of one layer.
 * @return 0; K210B_ERR_MODEL_FORMAT when fields contradict each other or leave KPU RAM;
 *   K210B_ERR_MODEL_UNSUPPORTED for bits whose meaning is unknown or shapes that the hardware does not compute
 */
int k210b_kpu_layer_read(k210b_kpu_layer_t *layer, const uint64_t words[12], uint8_t weight_bits);

/** Checks an activation table: shifts above 31 occur nowhere and are undefined in the reference. */
int k210b_activation_check(const uint8_t table[K210B_ACTIVATION_BYTES]);

/** Bits lo..lo+width-1 of a word. */
static inline uint32_t k210b_bits(uint64_t word, unsigned lo, unsigned width)
{
    return (uint32_t)(word >> lo & ((UINT64_C(1) << width) - 1));
}

#endif
