/** Arithmetic of CPU layers that both kmodel versions use: floats and bytes at any address, one pass each. */
#ifndef K210B_CPU_OPS_H
#define K210B_CPU_OPS_H

#include <stdint.h>

/** Lower and upper bound of an activation. */
typedef struct k210b_bounds {
    float min, max;
} k210b_bounds_t;

float k210b_bound(float v, k210b_bounds_t bounds);
/** code = round(x * scale + zero_point), halves away from zero, 0..255. */
void k210b_quantize(uint8_t *to, const uint8_t *floats, uint32_t count, float scale, float zero_point);
/** Softmax of one row; the subtracted maximum starts from `least` (v3: FLT_MIN, v4: -FLT_MAX). */
void k210b_softmax(uint8_t *to, const uint8_t *floats, uint32_t count, float beta, float least);
/** to = table[from]. */
void k210b_lookup(uint8_t *to, const uint8_t *from, uint32_t count, const uint8_t table[256]);
/** dot product in index order, from `start`. */
float k210b_dot(const uint8_t *a, uint32_t a_step, const uint8_t *b, uint32_t b_step, uint32_t count, float start);
/** (v + 2^(shift-1)) >> shift in 64 bits; shift 0..63. */
int64_t k210b_carry(int64_t v, uint32_t shift);
uint8_t k210b_clamp_u8(int64_t v);
/** Correctly rounded square root; one instruction on every target. */
float k210b_sqrt(float x);

#endif
