/** Pools. A maximum may be taken over accumulators, before the (rising) activation; everything else over bytes. */
#include <wasm_simd128.h>

#include "layer.h"

/** 2x2 stride 2 over two rows of accumulators; `out` may be one of the inputs. Reads and writes up to 4 too many. */
void max_pool_2(const int32_t *upper, const int32_t *lower, uint32_t count, int32_t *out) {
    for (uint32_t x = 0; x < count; x += 4) {
        const v128_t a = wasm_i32x4_max(wasm_v128_load(upper + 2 * x), wasm_v128_load(lower + 2 * x));
        const v128_t b = wasm_i32x4_max(wasm_v128_load(upper + 2 * x + 4), wasm_v128_load(lower + 2 * x + 4));
        const v128_t even = wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), odd = wasm_i32x4_shuffle(a, b, 1, 3, 5, 7);
        wasm_v128_store(out + x, wasm_i32x4_max(even, odd));
    }
}

typedef struct {
    uint32_t window, stride;
    enum { NONE, MAX, MEAN, PICK } kind;
    uint32_t column;
} pool_t;

/** Section 7, by id. */
static const pool_t POOLS[10] = {{1, 1, NONE, 0}, {2, 2, MAX, 0},  {2, 2, MEAN, 0}, {4, 4, MAX, 0},  {4, 4, MEAN, 0},
                                 {2, 2, PICK, 0}, {2, 2, PICK, 1}, {4, 4, PICK, 0}, {2, 1, MEAN, 0}, {2, 1, MAX, 0}};

static inline uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/** Beyond the edge the edge pixel repeats: that leaves a maximum as it is and is the rule for means. */
static uint8_t pool_pixel(const uint8_t *bytes, uint32_t height, uint32_t width, const pool_t *p, uint32_t y,
                          uint32_t x) {
    uint32_t sum = 0, top = 0;
    for (uint32_t dy = 0; dy < p->window; dy++) {
        const uint8_t *row = bytes + least(y + dy, height - 1) * width;
        for (uint32_t dx = 0; dx < p->window; dx++) {
            const uint32_t v = row[least(x + dx, width - 1)];
            sum += v;
            if (v > top) top = v;
        }
    }
    return (uint8_t)(p->kind == MAX ? top : sum / (p->window * p->window));
}

/** `bytes`: dense height x width map of one channel; result goes to the rows of `out`. */
void pool_bytes(const uint8_t *bytes, uint32_t height, uint32_t width, uint32_t pool, uint32_t out_height,
                uint32_t out_width, const map_t *out, uint32_t channel) {
    const pool_t *p = &POOLS[pool];
    for (uint32_t y = 0; y < out_height; y++) {
        uint8_t *row = map_row(out, channel, y);
        for (uint32_t x = 0; x < out_width; x++) {
            if (p->kind == NONE) row[x] = bytes[y * width + x];
            else if (p->kind == PICK) row[x] = bytes[y * p->stride * width + x * p->stride + p->column];
            else row[x] = pool_pixel(bytes, height, width, p, y * p->stride, x * p->stride);
        }
    }
}
