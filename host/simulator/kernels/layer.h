/**
 * One KPU layer as the kernels see it. The TypeScript side (host/simulator/kpu/plan.ts) fills this struct field by
 * field, so keep both in the same order; k210sim_plan_bytes() lets it check the size. All pointers are addresses in
 * this module's memory. Sections cited are those of the KPU reference: 4 row layout, 5 arithmetic, 7 pools.
 */
#ifndef K210SIM_LAYER_H
#define K210SIM_LAYER_H

#include <stdint.h>

/** Columns computed at once; buffers carry this much slack behind their end. */
#define TILE 8
/** Output channels computed at once. */
#define CHANNELS 4
/** Entries of one channel's threshold list: T[0] is below everything, T[256] above. */
#define THRESHOLDS 257
/** Entries of one channel's window table. */
#define WINDOWS 1024

/** Where one operand pair of the dot product comes from. B is the next channel, or the next image row of A. */
typedef struct {
    uint32_t channel_a, channel_b;
    uint32_t row_step_b; /* 0: B lies on A's row, 1: one row below */
    uint32_t phase_y, phase_x;
} plane_t;

/** How accumulators of one channel become bytes. */
typedef struct {
    float slope1, offset1, slope2, offset2; /* guess = max or min of two lines */
    int32_t window_low;                     /* accumulator where the window table begins */
    uint32_t window_shift;                  /* log2 of a window's width */
    int32_t range_low, range_high;          /* accumulators for which the thresholds hold */
    uint32_t window_single;                 /* no window holds more than one threshold */
} channel_t;

enum { GUESS_ONE_LINE = 0, GUESS_MAX = 1, GUESS_MIN = 2, GUESS_WINDOW = 3 };

typedef struct {
    uint8_t *ram;
    uint32_t src_row, dst_row;
    uint32_t in_channels, out_channels;
    uint32_t in_height, in_width;
    uint32_t conv_height, conv_width; /* outputs that are computed: after a picking pool, before any other */
    uint32_t out_height, out_width;   /* after the pool */
    uint32_t pad_value, pool, depthwise, kernel;
    /* planes */
    uint32_t stride, border, pitch, plane_rows, plane_bytes, plane_count;
    const plane_t *planes;
    uint8_t *plane_data;
    /* convolution */
    uint32_t entry_count;
    const uint32_t *entries; /* byte offsets into plane_data */
    const int16_t *weights;
    int32_t *accumulators;
    uint32_t strip_rows;
    /* activation */
    uint32_t guess, check_range;
    float certain; /* a guess this near to an integer needs no check */
    const channel_t *channel;
    const int32_t *thresholds;
    const uint8_t *windows;
    uint8_t *bytes; /* full-size activated map of one channel, for pools that work on bytes */
    /* exact path */
    const void *raw_weights;
    const int64_t *raw_tables; /* per channel: constant term, norm_mul, norm_add, norm_shift */
    const int64_t *segments;   /* 16 times x_start, y_mul, shift, bias */
    uint32_t weight_bits;
    int32_t arg_x;
    uint32_t shr_x;
    /* result */
    int32_t error_channel, error_pixel;
} layer_t;

/** A map in KPU RAM: section 4. */
typedef struct {
    uint8_t *base;
    uint32_t groups, pitch, row_bytes, group_bytes;
} map_t;

static inline map_t map_at(uint8_t *ram, uint32_t row, uint32_t width, uint32_t height) {
    map_t map;
    map.base = ram + row * 64;
    map.groups = width <= 16 ? 4 : width <= 32 ? 2 : 1;
    map.pitch = 64 / map.groups;
    map.row_bytes = ((width + 63) / 64) * 64;
    map.group_bytes = map.row_bytes * height;
    return map;
}

static inline uint8_t *map_row(const map_t *map, uint32_t channel, uint32_t y) {
    return map->base + (channel / map->groups) * map->group_bytes + (channel % map->groups) * map->pitch +
           y * map->row_bytes;
}

void unpack_planes(const layer_t *layer);
void unpack_channel(const layer_t *layer, uint32_t channel);
void convolve(const uint8_t *planes, const uint32_t *entries, uint32_t entry_count, const int16_t *weights,
              int32_t *out, uint32_t out_step, uint32_t tiles);
void convolve_depthwise(const int16_t *plane, uint32_t pitch, uint32_t kernel, const int16_t *weights, int32_t *out,
                        uint32_t tiles);
void activate(const layer_t *layer, uint32_t channel, const int32_t *accumulators, uint32_t count, uint8_t *out);
void max_pool_2(const int32_t *upper, const int32_t *lower, uint32_t count, int32_t *out);
void pool_bytes(const uint8_t *bytes, uint32_t height, uint32_t width, uint32_t pool, uint32_t out_height,
                uint32_t out_width, const map_t *out, uint32_t channel);

#endif
