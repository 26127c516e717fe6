/** The layer's arithmetic as the reference has it, 64 bits wide, one pixel at a time. Slow; any legal words. */
#include "layer.h"

enum { OK = 0, RANGE = 1 };

static uint32_t tap_value(const layer_t *layer, const map_t *in, uint32_t channel, int32_t y, int32_t x) {
    if (y < 0 || x < 0 || y >= (int32_t)layer->in_height || x >= (int32_t)layer->in_width) return layer->pad_value;
    return map_row(in, channel, (uint32_t)y)[x];
}

static uint32_t weight_at(const layer_t *layer, uint32_t index) {
    if (layer->weight_bits == 16) return ((const uint16_t *)layer->raw_weights)[index];
    return ((const uint8_t *)layer->raw_weights)[index];
}

/** S + ((arg_x * Sx) >> shr_x) of section 5. */
static int64_t sum_at(const layer_t *layer, const map_t *in, uint32_t oc, uint32_t y, uint32_t x) {
    const uint32_t k = layer->kernel, channels = layer->depthwise ? 1 : layer->in_channels;
    const int32_t half = (int32_t)k / 2;
    uint32_t index = oc * channels * k * k;
    int64_t sum = 0, sum_x = 0;
    for (uint32_t ic = 0; ic < channels; ic++) {
        const uint32_t channel = layer->depthwise ? oc : ic;
        for (uint32_t ky = 0; ky < k; ky++) {
            for (uint32_t kx = 0; kx < k; kx++, index++) {
                const uint32_t v = tap_value(layer, in, channel, (int32_t)(y + ky) - half, (int32_t)(x + kx) - half);
                sum += (int64_t)v * weight_at(layer, index);
                sum_x += v;
            }
        }
    }
    return sum + ((layer->arg_x * sum_x) >> layer->shr_x);
}

/** Half to even for p >= 0; one more off the floor for p < 0, as the reference does. */
static int64_t carry(int64_t p, uint32_t shift) {
    if (shift == 0) return p;
    const int64_t q = p >> shift, rest = p & (((int64_t)1 << shift) - 1), half = (int64_t)1 << (shift - 1);
    if (rest < half || (rest == half && !(q & 1))) return q;
    return q + (p < 0 ? -1 : 1);
}

static uint8_t table_value(const int64_t *segments, int64_t b) {
    int i = 15;
    while (i > 0 && b <= segments[4 * i]) i--;
    const int64_t *s = segments + 4 * i;
    const int64_t y = carry((b - s[0]) * s[1], (uint32_t)s[2]) + s[3];
    return (uint8_t)(y < 0 ? 0 : y > 255 ? 255 : y);
}

static int fits_36_bits(int64_t v) { return v >= -((int64_t)1 << 35) && v < (int64_t)1 << 35; }

/** @return 0, or 1 when an accumulator leaves 36 bits (error_channel, error_pixel) */
int k210sim_run_exact(layer_t *layer) {
    const map_t in = map_at(layer->ram, layer->src_row, layer->in_width, layer->in_height);
    const map_t out = map_at(layer->ram, layer->dst_row, layer->out_width, layer->out_height);
    for (uint32_t oc = 0; oc < layer->out_channels; oc++) {
        const int64_t *t = layer->raw_tables + 4 * oc;
        for (uint32_t i = 0; i < layer->in_height * layer->in_width; i++) {
            const int64_t acc = sum_at(layer, &in, oc, i / layer->in_width, i % layer->in_width) + t[0];
            const int64_t b = ((acc * t[1]) >> t[3]) + t[2];
            if (!fits_36_bits(acc) || !fits_36_bits(b)) {
                layer->error_channel = (int32_t)oc;
                layer->error_pixel = (int32_t)i;
                return RANGE;
            }
            layer->bytes[i] = table_value(layer->segments, b);
        }
        pool_bytes(layer->bytes, layer->in_height, layer->in_width, layer->pool, layer->out_height, layer->out_width,
                   &out, oc);
    }
    return OK;
}
