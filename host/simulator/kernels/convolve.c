/**
 * Multiply-add loops. Hot loops in long hand: 4 output channels by 8 pixels in registers, one list of operand
 * offsets for kernel taps and channels alike. Sums fit 32 bits: the TypeScript side has checked the bound.
 */
#include <wasm_simd128.h>

#include "layer.h"

#define DOT(w, x) wasm_i32x4_dot_i16x8(w, x)
#define ADD(a, b) wasm_i32x4_add(a, b)

/**
 * out[c][8 t .. 8 t + 7] for t < tiles, c < 4.
 * weights: entry_count times 4 channels times 2 words.
 */
void convolve(const uint8_t *planes, const uint32_t *entries, uint32_t entry_count, const int16_t *weights,
              int32_t *out, uint32_t out_step, uint32_t tiles) {
    for (uint32_t t = 0; t < tiles; t++) {
        const uint8_t *base = planes + t * TILE * 4;
        v128_t a0 = wasm_i32x4_const_splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
        const int16_t *w = weights;
        for (uint32_t e = 0; e < entry_count; e++, w += 2 * CHANNELS) {
            const uint8_t *x = base + entries[e];
            const v128_t x0 = wasm_v128_load(x), x1 = wasm_v128_load(x + 16);
            v128_t s = wasm_v128_load32_splat(w);
            a0 = ADD(a0, DOT(s, x0));
            a1 = ADD(a1, DOT(s, x1));
            s = wasm_v128_load32_splat(w + 2);
            b0 = ADD(b0, DOT(s, x0));
            b1 = ADD(b1, DOT(s, x1));
            s = wasm_v128_load32_splat(w + 4);
            c0 = ADD(c0, DOT(s, x0));
            c1 = ADD(c1, DOT(s, x1));
            s = wasm_v128_load32_splat(w + 6);
            d0 = ADD(d0, DOT(s, x0));
            d1 = ADD(d1, DOT(s, x1));
        }
        int32_t *o = out + t * TILE;
        wasm_v128_store(o, a0);
        wasm_v128_store(o + 4, a1);
        wasm_v128_store(o + out_step, b0);
        wasm_v128_store(o + out_step + 4, b1);
        wasm_v128_store(o + 2 * out_step, c0);
        wasm_v128_store(o + 2 * out_step + 4, c1);
        wasm_v128_store(o + 3 * out_step, d0);
        wasm_v128_store(o + 3 * out_step + 4, d1);
    }
}

/** Even and odd columns apart, so that a word pair (w0, w1) meets (x, x + 1) without any shuffle of the input. */
void convolve_depthwise(const int16_t *plane, uint32_t pitch, uint32_t kernel, const int16_t *weights, int32_t *out,
                        uint32_t tiles) {
    if (kernel == 1) {
        const int16_t w = weights[0];
        for (uint32_t i = 0; i < tiles * TILE; i++) out[i] = plane[i] * w;
        return;
    }
    v128_t pair[3], last[3];
    for (int r = 0; r < 3; r++) {
        pair[r] = wasm_i32x4_splat((uint16_t)weights[3 * r] | (int32_t)((uint32_t)(uint16_t)weights[3 * r + 1] << 16));
        last[r] = wasm_i32x4_splat((uint16_t)weights[3 * r + 2]);
    }
    for (uint32_t t = 0; t < tiles; t++) {
        v128_t even = wasm_i32x4_const_splat(0), odd = even;
        for (int r = 0; r < 3; r++) {
            const int16_t *x = plane + t * TILE + (uint32_t)r * pitch;
            even = ADD(even, ADD(DOT(pair[r], wasm_v128_load(x)), DOT(last[r], wasm_v128_load(x + 2))));
            odd = ADD(odd, ADD(DOT(pair[r], wasm_v128_load(x + 1)), DOT(last[r], wasm_v128_load(x + 3))));
        }
        wasm_v128_store(out + t * TILE, wasm_i32x4_shuffle(even, odd, 0, 4, 1, 5));
        wasm_v128_store(out + t * TILE + 4, wasm_i32x4_shuffle(even, odd, 2, 6, 3, 7));
    }
}
