/**
 * Accumulators to bytes. Batch norm and table together are a rising function of the accumulator (falling ones have
 * their weights negated), so it is known by its 255 thresholds: y = number of k with acc >= T[k]. A float guess decides
 * where it is far enough from a rounding edge; the TypeScript side has proved at every threshold how far that is.
 */
#include <wasm_simd128.h>

#include "layer.h"

static inline uint8_t settle(const int32_t *thresholds, int32_t acc, uint32_t y) {
    while (acc >= thresholds[y + 1]) y++;
    while (acc < thresholds[y]) y--;
    return (uint8_t)y;
}

static inline v128_t clamp_code(v128_t g) {
    return wasm_f32x4_pmin(wasm_f32x4_pmax(g, wasm_f32x4_const_splat(0.0f)), wasm_f32x4_const_splat(255.0f));
}

/** Four accumulators to four codes in 32-bit lanes; `doubt` collects lanes near a rounding edge. */
static inline v128_t guess4(const channel_t *c, uint32_t kind, v128_t acc, v128_t certain, v128_t *doubt) {
    const v128_t x = wasm_f32x4_convert_i32x4(acc);
    v128_t g = wasm_f32x4_add(wasm_f32x4_mul(x, wasm_f32x4_splat(c->slope1)), wasm_f32x4_splat(c->offset1));
    if (kind != GUESS_ONE_LINE) {
        const v128_t h = wasm_f32x4_add(wasm_f32x4_mul(x, wasm_f32x4_splat(c->slope2)), wasm_f32x4_splat(c->offset2));
        g = kind == GUESS_MAX ? wasm_f32x4_pmax(g, h) : wasm_f32x4_pmin(g, h);
    }
    g = clamp_code(g);
    /* Adding 2^23 leaves the nearest integer in the low bits. */
    const v128_t t = wasm_f32x4_add(g, wasm_f32x4_const_splat(8388608.0f));
    const v128_t near = wasm_f32x4_sub(t, wasm_f32x4_const_splat(8388608.0f));
    *doubt = wasm_v128_or(*doubt, wasm_f32x4_gt(wasm_f32x4_abs(wasm_f32x4_sub(g, near)), certain));
    return wasm_v128_and(t, wasm_i32x4_const_splat(0xff));
}

static inline void guess_all(const channel_t *c, uint32_t kind, float sure, const int32_t *thresholds,
                             const int32_t *acc, uint32_t count, uint8_t *out) {
    const v128_t certain = wasm_f32x4_splat(sure);
    for (uint32_t i = 0; i < count; i += 16) {
        v128_t doubt = wasm_i32x4_const_splat(0);
        const v128_t y0 = guess4(c, kind, wasm_v128_load(acc + i), certain, &doubt);
        const v128_t y1 = guess4(c, kind, wasm_v128_load(acc + i + 4), certain, &doubt);
        const v128_t y2 = guess4(c, kind, wasm_v128_load(acc + i + 8), certain, &doubt);
        const v128_t y3 = guess4(c, kind, wasm_v128_load(acc + i + 12), certain, &doubt);
        const v128_t y = wasm_u8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(y0, y1), wasm_i16x8_narrow_i32x4(y2, y3));
        uint8_t codes[16];
        const uint32_t live = count - i < 16 ? count - i : 16;
        if (live == 16 && !wasm_v128_any_true(doubt)) {
            wasm_v128_store(out + i, y);
            continue;
        }
        wasm_v128_store(codes, y);
        if (wasm_v128_any_true(doubt)) {
            for (uint32_t k = 0; k < live; k++) codes[k] = settle(thresholds, acc[i + k], codes[k]);
        }
        for (uint32_t k = 0; k < live; k++) out[i + k] = codes[k];
    }
}

static inline uint32_t window_of(int32_t a, int32_t low, uint32_t shift) {
    const uint32_t window = a <= low ? 0 : ((uint32_t)a - (uint32_t)low) >> shift;
    return window < WINDOWS ? window : WINDOWS - 1;
}

static void by_window(const channel_t *c, const uint8_t *windows, const int32_t *thresholds, const int32_t *acc,
                      uint32_t count, uint8_t *out) {
    const int32_t low = c->window_low;
    const uint32_t shift = c->window_shift;
    if (c->window_single) {
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t y = windows[window_of(acc[i], low, shift)];
            out[i] = (uint8_t)(y + (acc[i] >= thresholds[y + 1]));
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t y = windows[window_of(acc[i], low, shift)];
        while (acc[i] >= thresholds[y + 1]) y++;
        out[i] = (uint8_t)y;
    }
}

/** `accumulators` may be read up to 15 behind its end; `out` is written exactly. */
void activate(const layer_t *layer, uint32_t channel, const int32_t *accumulators, uint32_t count, uint8_t *out) {
    const channel_t *c = &layer->channel[channel];
    const int32_t *thresholds = layer->thresholds + channel * THRESHOLDS;
    switch (layer->guess) {
        case GUESS_ONE_LINE:
            guess_all(c, GUESS_ONE_LINE, layer->certain, thresholds, accumulators, count, out);
            break;
        case GUESS_MAX:
            guess_all(c, GUESS_MAX, layer->certain, thresholds, accumulators, count, out);
            break;
        case GUESS_MIN:
            guess_all(c, GUESS_MIN, layer->certain, thresholds, accumulators, count, out);
            break;
        default:
            by_window(c, layer->windows + channel * WINDOWS, thresholds, accumulators, count, out);
    }
}
