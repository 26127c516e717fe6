/** Kernels of CPU layers. Every step is rounded to float32 in the order that the reference uses (kmodel-v4.md 4). */
#include "k210b/cpu_ops.h"

#include "k210b/mem.h"
#include "k210b/real.h"

float k210b_bound(float v, k210b_bounds_t bounds)
{
    v = v < bounds.min ? bounds.min : v;
    return v > bounds.max ? bounds.max : v;
}

void k210b_quantize(uint8_t *to, const uint8_t *floats, uint32_t count, float scale, float zero_point)
{
    for (uint32_t i = 0; i < count; i++)
        to[i] = k210b_round_u8(k210b_getf(floats + 4 * i) * scale + zero_point);
}

void k210b_softmax(uint8_t *to, const uint8_t *floats, uint32_t count, float beta, float least)
{
    float top = least, sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        float v = k210b_getf(floats + 4 * i);
        top = v > top ? v : top;
    }
    for (uint32_t i = 0; i < count; i++) {
        float power = k210b_exp((k210b_getf(floats + 4 * i) - top) * beta);
        k210b_putf(to + 4 * i, power);
        sum += power;
    }
    for (uint32_t i = 0; i < count; i++)
        k210b_putf(to + 4 * i, k210b_getf(to + 4 * i) / sum);
}

void k210b_lookup(uint8_t *to, const uint8_t *from, uint32_t count, const uint8_t table[256])
{
    for (uint32_t i = 0; i < count; i++)
        to[i] = table[from[i]];
}

float k210b_dot(const uint8_t *a, uint32_t a_step, const uint8_t *b, uint32_t b_step, uint32_t count, float start)
{
    float sum = start;
    for (uint32_t i = 0; i < count; i++)
        sum += k210b_getf(a + 4 * (size_t)i * a_step) * k210b_getf(b + 4 * (size_t)i * b_step);
    return sum;
}

int64_t k210b_carry(int64_t v, uint32_t shift)
{
    return shift ? (int64_t)((uint64_t)v + (UINT64_C(1) << (shift - 1))) >> shift : v;
}

uint8_t k210b_clamp_u8(int64_t v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v); }

float k210b_sqrt(float x) { return __builtin_sqrtf(x); }
