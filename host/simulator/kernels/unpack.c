/** KPU rows to planes of 16-bit operands with their border, so that the convolution knows neither rows nor edges. */
#include <wasm_simd128.h>

#include "layer.h"

static inline void fill_pairs(uint32_t *out, uint32_t count, uint32_t pad) {
    for (uint32_t i = 0; i < count; i++) out[i] = pad * 0x10001u;
}

/** 16 bytes of A and B to 16 pairs. */
static inline void store_pairs(uint32_t *out, v128_t low, v128_t high) {
    wasm_v128_store(out, wasm_u16x8_extend_low_u8x16(low));
    wasm_v128_store(out + 4, wasm_u16x8_extend_high_u8x16(low));
    wasm_v128_store(out + 8, wasm_u16x8_extend_low_u8x16(high));
    wasm_v128_store(out + 12, wasm_u16x8_extend_high_u8x16(high));
}

/** Writes up to 15 pairs behind `count`: the caller goes on behind them, in rising order. */
static void pair_rows(uint32_t *out, const uint8_t *a, const uint8_t *b, uint32_t count) {
    for (uint32_t x = 0; x < count; x += 16) {
        v128_t va = wasm_v128_load(a + x), vb = wasm_v128_load(b + x);
        v128_t low = wasm_i8x16_shuffle(va, vb, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        v128_t high = wasm_i8x16_shuffle(va, vb, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        store_pairs(out + x, low, high);
    }
}

/** Every second column, from column 0 of a and b. */
static void pair_rows_by_2(uint32_t *out, const uint8_t *a, const uint8_t *b, uint32_t count) {
    for (uint32_t x = 0; x < count; x += 16) {
        v128_t va = wasm_v128_load(a + 2 * x), vb = wasm_v128_load(b + 2 * x);
        v128_t va2 = wasm_v128_load(a + 2 * x + 16), vb2 = wasm_v128_load(b + 2 * x + 16);
        v128_t low = wasm_i8x16_shuffle(va, vb, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
        v128_t high = wasm_i8x16_shuffle(va2, vb2, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
        store_pairs(out + x, low, high);
    }
}

static void pair_rows_by_n(uint32_t *out, const uint8_t *a, const uint8_t *b, uint32_t count, uint32_t stride) {
    for (uint32_t x = 0; x < count; x++) out[x] = a[x * stride] | (uint32_t)b[x * stride] << 16;
}

/** One plane: rows -border..plane_rows-border-1 of the phase, each with one border column before it. */
static void unpack_plane(const layer_t *layer, const map_t *map, const plane_t *plane, const uint8_t *pad_row,
                         uint8_t *data) {
    uint32_t *out = (uint32_t *)data;
    const uint32_t stride = layer->stride, border = layer->border, pad = layer->pad_value;
    const uint32_t columns =
        layer->in_width > plane->phase_x ? (layer->in_width - plane->phase_x + stride - 1) / stride : 0;
    for (uint32_t i = 0; i < layer->plane_rows; i++, out += layer->pitch) {
        const int32_t y = (int32_t)(stride * i + plane->phase_y) - (int32_t)(border * stride);
        const int32_t y_b = y + (int32_t)plane->row_step_b;
        const int32_t height = (int32_t)layer->in_height;
        if ((y < 0 || y >= height) && (y_b < 0 || y_b >= height)) {
            fill_pairs(out, layer->pitch, pad);
            continue;
        }
        const uint8_t *a = y < 0 || y >= height ? pad_row : map_row(map, plane->channel_a, (uint32_t)y);
        const uint8_t *b = y_b < 0 || y_b >= height ? pad_row : map_row(map, plane->channel_b, (uint32_t)y_b);
        a += plane->phase_x;
        b += plane->phase_x;
        fill_pairs(out, border, pad);
        uint32_t *first = out + border;
        if (stride == 1) pair_rows(first, a, b, columns);
        else if (stride == 2) pair_rows_by_2(first, a, b, columns);
        else pair_rows_by_n(first, a, b, columns, stride);
        fill_pairs(first + columns, layer->pitch - border - columns, pad);
    }
    fill_pairs(out, TILE, pad);
}

void unpack_planes(const layer_t *layer) {
    const map_t map = map_at(layer->ram, layer->src_row, layer->in_width, layer->in_height);
    uint8_t pad_row[512 + 64]; /* the widest map and what vector loads read behind it */
    for (uint32_t i = 0; i < sizeof pad_row; i++) pad_row[i] = (uint8_t)layer->pad_value;
    for (uint32_t i = 0; i < layer->plane_count; i++) {
        unpack_plane(layer, &map, &layer->planes[i], pad_row, layer->plane_data + i * layer->plane_bytes);
    }
}

static inline void fill_words(int16_t *out, uint32_t count, uint32_t pad) {
    for (uint32_t i = 0; i < count; i++) out[i] = (int16_t)pad;
}

/** One channel as 16-bit words, for depthwise layers. */
void unpack_channel(const layer_t *layer, uint32_t channel) {
    const map_t map = map_at(layer->ram, layer->src_row, layer->in_width, layer->in_height);
    int16_t *out = (int16_t *)layer->plane_data;
    const uint32_t border = layer->border, width = layer->in_width;
    if (border) fill_words(out, layer->pitch, layer->pad_value), out += layer->pitch;
    for (uint32_t y = 0; y < layer->in_height; y++, out += layer->pitch) {
        const uint8_t *row = map_row(&map, channel, y);
        int16_t *first = out + border;
        fill_words(out, border, layer->pad_value);
        for (uint32_t x = 0; x < width; x += 16) {
            v128_t v = wasm_v128_load(row + x);
            wasm_v128_store(first + x, wasm_u16x8_extend_low_u8x16(v));
            wasm_v128_store(first + x + 8, wasm_u16x8_extend_high_u8x16(v));
        }
    }
    fill_words(out, layer->pitch + 4 * TILE, layer->pad_value);
}
