/** The twelve words of a KPU layer: fields (kpu.md section 3), limits (8), formulas that every real layer obeys (9). */
#include "k210b/kpu_layer.h"

#include "k210b/status.h"

enum { WEIGHT_LOAD_BYTES_8 = 30 * 1024, MAX_WIDTH = 512, MAX_HEIGHT = 256, MIN_SIDE = 4 };

/** Output side of a pool, indexed by type: input / divisor, rounded down. */
static const uint8_t pool_divisor[10] = {1, 2, 2, 4, 4, 2, 2, 4, 1, 1};

static k210b_map_shape_t read_shape(uint64_t channels, uint64_t size, unsigned lo)
{
    k210b_map_shape_t shape;
    shape.channels = (uint16_t)(k210b_bits(channels, lo, 10) + 1);
    shape.width = (uint16_t)(k210b_bits(size, lo, 10) + 1);
    shape.height = (uint16_t)(k210b_bits(size, lo + 10, 9) + 1);
    return shape;
}

/** Bits that would make the layer do something that nobody has described: full_add, pad_type, strides, bypass. */
static int has_unknown_mode(const uint64_t w[12])
{
    return k210b_bits(w[0], 2, 1) || k210b_bits(w[4], 3, 1) || k210b_bits(w[4], 8, 1) || k210b_bits(w[4], 9, 1) ||
           k210b_bits(w[6], 0, 16);
}

static int check_shapes(const k210b_kpu_layer_t *l)
{
    if (l->in.width < MIN_SIDE || l->in.width > MAX_WIDTH || l->in.height < MIN_SIDE || l->in.height > MAX_HEIGHT)
        return K210B_ERR_MODEL_UNSUPPORTED;
    if (l->pool >= sizeof pool_divisor || (l->depthwise && l->pool != K210B_POOL_BYPASS))
        return K210B_ERR_MODEL_UNSUPPORTED;
    if (l->depthwise && l->in.channels != l->out.channels)
        return K210B_ERR_MODEL_FORMAT;
    if (l->out.width != l->in.width / pool_divisor[l->pool] || l->out.height != l->in.height / pool_divisor[l->pool])
        return K210B_ERR_MODEL_FORMAT;
    if (l->src_row + k210b_rows_of(l->in) > K210B_KPU_ROW_COUNT ||
        l->dst_row + k210b_rows_of(l->out) > K210B_KPU_ROW_COUNT)
        return K210B_ERR_MODEL_FORMAT;
    return K210B_OK;
}

/** The switch fields say nothing that the shape does not; they must agree with it. */
static int check_switches(uint64_t word, k210b_map_shape_t shape)
{
    k210b_row_layout_t layout = k210b_row_layout(shape.width);
    int same = k210b_bits(word, 0, 15) == layout.row_len * (uint32_t)shape.height &&
               k210b_bits(word, 16, 4) == layout.row_len;
    return same ? K210B_OK : K210B_ERR_MODEL_FORMAT;
}

static int check_weight_loads(const k210b_kpu_layer_t *l, const uint64_t w[12], uint32_t bytes_per_weight)
{
    uint32_t per_load = k210b_bits(w[2], 48, 10) + 1;
    uint32_t loads = k210b_bits(w[5], 1, 6) + 1;
    uint32_t load_bytes = k210b_bits(w[5], 15, 17);
    uint32_t taps = (uint32_t)l->kernel * l->kernel * bytes_per_weight;
    uint32_t channel_bytes = l->depthwise ? taps : taps * l->in.channels;
    if (per_load > l->out.channels || load_bytes != channel_bytes * per_load)
        return K210B_ERR_MODEL_FORMAT;
    if (load_bytes > WEIGHT_LOAD_BYTES_8 * bytes_per_weight || loads != (l->out.channels + per_load - 1) / per_load)
        return K210B_ERR_MODEL_FORMAT;
    return K210B_OK;
}

static int check_words(const k210b_kpu_layer_t *l, const uint64_t w[12], uint32_t bytes_per_weight)
{
    if (check_switches(w[7], l->in) || check_switches(w[8], l->out))
        return K210B_ERR_MODEL_FORMAT;
    if (k210b_bits(w[7], 28, 3) != k210b_row_layout(l->in.width).groups)
        return K210B_ERR_MODEL_FORMAT;
    if (k210b_bits(w[8], 20, 3) != k210b_row_layout(l->out.width).groups)
        return K210B_ERR_MODEL_FORMAT;
    uint32_t plane = (uint32_t)l->out.width * l->out.height;
    if (k210b_bits(w[11], 16, 16) != ((plane - 1) & 0xFFFF) || k210b_bits(w[11], 32, 32) != plane * l->out.channels - 1)
        return K210B_ERR_MODEL_FORMAT;
    return check_weight_loads(l, w, bytes_per_weight);
}

int k210b_kpu_layer_read(k210b_kpu_layer_t *l, const uint64_t w[12], uint8_t weight_bits)
{
    uint32_t kernel_type = k210b_bits(w[4], 0, 3);
    if (kernel_type > 1 || has_unknown_mode(w))
        return K210B_ERR_MODEL_UNSUPPORTED;
    l->in = read_shape(w[2], w[3], 0);
    l->out = read_shape(w[2], w[3], 32);
    l->src_row = (uint16_t)k210b_bits(w[1], 0, 15);
    l->dst_row = (uint16_t)k210b_bits(w[1], 32, 15);
    l->kernel = kernel_type ? 3 : 1;
    l->depthwise = (uint8_t)k210b_bits(w[0], 3, 1);
    l->pool = (uint8_t)k210b_bits(w[4], 4, 4);
    l->pad_value = (uint8_t)k210b_bits(w[4], 24, 8);
    uint32_t taps = (uint32_t)l->kernel * l->kernel * l->out.channels * (weight_bits / 8);
    l->weight_bytes = l->depthwise ? taps : taps * l->in.channels;
    l->bn_bytes = 8u * l->out.channels;
    int status = check_shapes(l);
    return status ? status : check_words(l, w, weight_bits / 8);
}

int k210b_activation_check(const uint8_t table[K210B_ACTIVATION_BYTES])
{
    for (int i = 0; i < 16; i++)
        if (table[8 * i] > 31) /* shift_number is the lowest byte of each 64-bit entry */
            return K210B_ERR_MODEL_FORMAT;
    return K210B_OK;
}
