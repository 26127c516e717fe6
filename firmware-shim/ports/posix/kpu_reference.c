/** One KPU layer, pixel by pixel (kpu.md sections 4, 5, 7): slow, and easy to check against the text. */
#include "kpu_reference.h"

#include "k210b/kpu_layer.h"
#include "k210b/mem.h"
#include "k210b/status.h"

/** Convolution parameters of words 9 and 10. */
typedef struct conv_args {
    int64_t arg_x, arg_w, arg_add;
    uint32_t shr_x, shr_w;
} conv_args_t;

typedef struct job {
    const k210b_kpu_layer_t *layer;
    const k210b_kpu_tables_t *tables;
    conv_args_t args;
    const uint8_t *in;
    uint8_t *out;
} job_t;

static int64_t signed_bits(uint64_t word, unsigned lo, unsigned width)
{
    uint64_t v = word >> lo & ((UINT64_C(1) << width) - 1);
    return v >> (width - 1) ? (int64_t)v - (int64_t)(UINT64_C(1) << width) : (int64_t)v;
}

/** Section 4 once more, apart from the core's own: where image row (c, y) begins. */
static uint32_t row_address(k210b_map_shape_t map, uint32_t c, uint32_t y)
{
    uint32_t groups = map.width <= 16 ? 4 : map.width <= 32 ? 2 : 1, pitch = 64 / groups;
    uint32_t row_len = (map.width + 63u) / 64u;
    return c / groups * row_len * map.height * 64 + c % groups * pitch + y * row_len * 64;
}

static int64_t pixel(const job_t *job, uint32_t c, int64_t y, int64_t x)
{
    const k210b_map_shape_t in = job->layer->in;
    if (y < 0 || x < 0 || y >= in.height || x >= in.width)
        return job->layer->pad_value;
    return job->in[row_address(in, c, (uint32_t)y) + (uint32_t)x];
}

static int64_t weight(const job_t *job, uint32_t i)
{
    const uint8_t *w = job->tables->weights;
    return job->tables->weight_bits == 8 ? w[i] : k210b_get16(w + 2 * (size_t)i);
}

/** Section 5: S, Sx, Sw over the taps of all input channels that reach output channel oc. */
static int64_t convolve(const job_t *job, uint32_t oc, uint32_t oy, uint32_t ox)
{
    const k210b_kpu_layer_t *l = job->layer;
    uint32_t k = l->kernel, first = l->depthwise ? oc : 0, count = l->depthwise ? 1 : l->in.channels;
    int64_t s = 0, sx = 0, sw = 0, pad = k == 3 ? 1 : 0;
    uint32_t at = oc * count * k * k;
    for (uint32_t ic = first; ic < first + count; ic++)
        for (uint32_t ky = 0; ky < k; ky++)
            for (uint32_t kx = 0; kx < k; kx++, at++) {
                int64_t x = pixel(job, ic, (int64_t)oy + ky - pad, (int64_t)ox + kx - pad), w = weight(job, at);
                s += x * w;
                sx += x;
                sw += w;
            }
    const conv_args_t *a = &job->args;
    return s + (a->arg_x * sx >> a->shr_x) + (a->arg_w * sw >> a->shr_w) + a->arg_add * (int64_t)count;
}

static int64_t batch_norm(const job_t *job, uint32_t oc, int64_t acc)
{
    uint64_t entry = k210b_get64(job->tables->bn + 8 * oc);
    return (acc * signed_bits(entry, 0, 24) >> k210b_bits(entry, 56, 4)) + signed_bits(entry, 24, 32);
}

/** The reference's rounding: half to even for p >= 0; for p < 0 it moves an already floored value down once more. */
static int64_t carry(int64_t p, uint32_t shift)
{
    if (shift == 0)
        return p;
    int64_t q = p >> shift, fraction = p & ((INT64_C(1) << shift) - 1), half = INT64_C(1) << (shift - 1);
    int up = fraction > half || (fraction == half && (q & 1));
    return up ? q + (p < 0 ? -1 : 1) : q;
}

static uint8_t activate(const job_t *job, int64_t b)
{
    const uint8_t *table = job->tables->activation;
    uint32_t i = 15;
    while (i > 0 && b <= signed_bits(k210b_get64(table + 8 * i), 24, 36))
        i--;
    uint64_t entry = k210b_get64(table + 8 * i);
    int64_t product = (b - signed_bits(entry, 24, 36)) * signed_bits(entry, 8, 16);
    int64_t v = carry(product, k210b_bits(entry, 0, 8)) + table[128 + i];
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static uint8_t value(const job_t *job, uint32_t oc, uint32_t y, uint32_t x)
{
    return activate(job, batch_norm(job, oc, convolve(job, oc, y, x)));
}

/** Section 7. The window holds already clamped bytes. */
static uint8_t pooled(const job_t *job, uint32_t oc, uint32_t oy, uint32_t ox)
{
    static const struct { uint8_t window, stride, mean; } pools[10] = {
        {1, 1, 0}, {2, 2, 0}, {2, 2, 1}, {4, 4, 0}, {4, 4, 1}, {1, 2, 0}, {1, 2, 0}, {1, 4, 0}, {2, 1, 1}, {2, 1, 0}};
    const k210b_kpu_layer_t *l = job->layer;
    uint32_t window = pools[l->pool].window, stride = pools[l->pool].stride;
    uint32_t x0 = ox * stride + (l->pool == K210B_POOL_RIGHT_TOP_2_S2), y0 = oy * stride;
    uint32_t sum = 0, top = 0;
    for (uint32_t dy = 0; dy < window; dy++)
        for (uint32_t dx = 0; dx < window; dx++) { /* beyond the edge the last pixel repeats: no new maximum */
            uint32_t y = y0 + dy < l->in.height ? y0 + dy : l->in.height - 1u;
            uint32_t x = x0 + dx < l->in.width ? x0 + dx : l->in.width - 1u;
            uint8_t v = value(job, oc, y, x);
            sum += v;
            top = v > top ? v : top;
        }
    return (uint8_t)(pools[l->pool].mean ? sum / (window * window) : top);
}

int k210b_kpu_reference_start(void *ctx, const uint64_t words[12], const k210b_kpu_tables_t *tables)
{
    k210b_kpu_reference_t *kpu = ctx;
    k210b_kpu_layer_t layer;
    if (k210b_kpu_layer_read(&layer, words, tables->weight_bits))
        return K210B_ERR_KPU;
    job_t job = {&layer, tables, {0, 0, 0, 0, 0}, 0, 0};
    job.args = (conv_args_t){signed_bits(words[9], 32, 24), signed_bits(words[9], 8, 24), signed_bits(words[10], 0, 40),
                             k210b_bits(words[9], 4, 4), k210b_bits(words[9], 0, 4)};
    job.in = kpu->ram + layer.src_row * (uint32_t)K210B_KPU_ROW_BYTES;
    job.out = kpu->ram + layer.dst_row * (uint32_t)K210B_KPU_ROW_BYTES;
    for (uint32_t c = 0; c < layer.out.channels; c++)
        for (uint32_t y = 0; y < layer.out.height; y++) {
            uint8_t *row = job.out + row_address(layer.out, c, y);
            for (uint32_t x = 0; x < layer.out.width; x++)
                row[x] = pooled(&job, c, y, x);
        }
    kpu->left = kpu->polls;
    kpu->layers++;
    return K210B_OK;
}

int k210b_kpu_reference_done(void *ctx)
{
    k210b_kpu_reference_t *kpu = ctx;
    if (kpu->left == 0)
        return 1;
    kpu->left--;
    return 0;
}
