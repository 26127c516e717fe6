/** Runs one layer: fast path for what compilers emit, exact path for everything the words can say. */
#include "layer.h"

enum { POOL_NONE = 0, POOL_MAX_2_S2 = 1 };
enum { OK = 0, ACCUMULATOR_RANGE = 1 };

uint32_t k210sim_plan_bytes(void) { return sizeof(layer_t); }

static int leaves_range(layer_t *layer, uint32_t channel, const int32_t *acc, uint32_t first_row, uint32_t rows) {
    const channel_t *c = &layer->channel[channel];
    for (uint32_t y = 0; y < rows; y++) {
        for (uint32_t x = 0; x < layer->conv_width; x++) {
            const int32_t a = acc[y * layer->pitch + x];
            if (a >= c->range_low && a <= c->range_high) continue;
            layer->error_channel = (int32_t)channel;
            layer->error_pixel = (int32_t)((first_row + y) * layer->conv_width + x);
            return 1;
        }
    }
    return 0;
}

/** Rows first_row.. of one channel, as accumulators with `pitch` columns a row, to the output map. */
static void finish_rows(layer_t *layer, const map_t *out, uint32_t channel, int32_t *acc, uint32_t first_row,
                        uint32_t rows, int picked) {
    if (picked || layer->pool == POOL_NONE) {
        for (uint32_t y = 0; y < rows; y++) {
            activate(layer, channel, acc + y * layer->pitch, layer->out_width, map_row(out, channel, first_row + y));
        }
        return;
    }
    if (layer->pool == POOL_MAX_2_S2) {
        for (uint32_t y = 0; y + 1 < rows; y += 2) {
            int32_t *upper = acc + y * layer->pitch;
            max_pool_2(upper, upper + layer->pitch, layer->out_width, upper);
            activate(layer, channel, upper, layer->out_width, map_row(out, channel, (first_row + y) / 2));
        }
        return;
    }
    for (uint32_t y = 0; y < rows; y++) {
        activate(layer, channel, acc + y * layer->pitch, layer->conv_width,
                 layer->bytes + (first_row + y) * layer->conv_width);
    }
    pool_bytes(layer->bytes, layer->conv_height, layer->conv_width, layer->pool, layer->out_height, layer->out_width,
               out, channel);
}

static int run_depthwise(layer_t *layer, const map_t *out) {
    const uint32_t taps = layer->kernel * layer->kernel;
    const uint32_t tiles = (layer->conv_height * layer->pitch + TILE - 1) / TILE;
    for (uint32_t c = 0; c < layer->out_channels; c++) {
        unpack_channel(layer, c);
        convolve_depthwise((const int16_t *)layer->plane_data, layer->pitch, layer->kernel, layer->weights + c * taps,
                           layer->accumulators, tiles);
        if (layer->check_range && leaves_range(layer, c, layer->accumulators, 0, layer->conv_height)) {
            return ACCUMULATOR_RANGE;
        }
        finish_rows(layer, out, c, layer->accumulators, 0, layer->conv_height, 0);
    }
    return OK;
}

/** Strips of rows keep operands and sums in the cache; strip_rows is even, or the whole height where a pool needs it. */
static int run_normal(layer_t *layer, const map_t *out) {
    const int picked = layer->stride > 1;
    unpack_planes(layer);
    for (uint32_t first = 0; first < layer->conv_height; first += layer->strip_rows) {
        const uint32_t left = layer->conv_height - first;
        const uint32_t rows = left < layer->strip_rows ? left : layer->strip_rows;
        const uint32_t tiles = (rows * layer->pitch + TILE - 1) / TILE;
        const uint32_t step = tiles * TILE + 2 * TILE;
        for (uint32_t c = 0; c < layer->out_channels; c += CHANNELS) {
            convolve(layer->plane_data + first * layer->pitch * 4, layer->entries, layer->entry_count,
                     layer->weights + c * layer->entry_count * 2, layer->accumulators, step, tiles);
            const uint32_t some = layer->out_channels - c < CHANNELS ? layer->out_channels - c : CHANNELS;
            for (uint32_t k = 0; k < some; k++) {
                int32_t *acc = layer->accumulators + k * step;
                if (layer->check_range && leaves_range(layer, c + k, acc, first, rows)) return ACCUMULATOR_RANGE;
                finish_rows(layer, out, c + k, acc, first, rows, picked);
            }
        }
    }
    return OK;
}

/** @return 0, or 1 when an accumulator leaves 36 bits (error_channel, error_pixel) */
int k210sim_run_fast(layer_t *layer) {
    const map_t out = map_at(layer->ram, layer->dst_row, layer->out_width, layer->out_height);
    return layer->depthwise ? run_depthwise(layer, &out) : run_normal(layer, &out);
}
