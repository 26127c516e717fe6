/** v3 CPU layers on floats (kmodel-v3.md section 3). Byte offsets are those of the bodies there. */
#include "k210b/cpu_ops.h"
#include "k210b/mem.h"
#include "k210b/real.h"
#include "ops_v3.h"

static int fits(int condition) { return condition ? K210B_OK : K210B_ERR_MODEL_FORMAT; }
static float float_at(const uint8_t *base, size_t i) { return k210b_getf(base + 4 * i); }
static void put_float(uint8_t *base, size_t i, float v) { k210b_putf(base + 4 * i, v); }

/** main in at 4, main out at 8, count at 12: elements of the given widths. */
static int elementwise_fits(const k210b_model_t *m, const uint8_t *body, uint32_t in_width, uint32_t out_width)
{
    uint32_t count = k210b_get32(body + 12);
    return fits(k210b_v3_holds(m, body + 4, count, in_width) && k210b_v3_holds(m, body + 8, count, out_width));
}

int k210b_v3_add_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    if (bytes < 20)
        return K210B_ERR_MODEL_FORMAT;
    uint32_t count = k210b_get32(body + 16);
    return fits(k210b_v3_holds(m, body + 4, count, 4) && k210b_v3_holds(m, body + 8, count, 4) &&
                k210b_v3_holds(m, body + 12, count, 4));
}

void k210b_v3_add_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *a = k210b_v3_at(run, body + 4), *b = k210b_v3_at(run, body + 8);
    uint8_t *out = k210b_v3_at(run, body + 12);
    uint32_t count = k210b_get32(body + 16);
    for (uint32_t i = 0; i < count; i++)
        put_float(out, i, float_at(a, i) + float_at(b, i));
}

int k210b_v3_gap_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    uint64_t elements;
    return fits(bytes >= 20 && k210b_v3_sides(body + 12, 2, &elements) && k210b_v3_holds(m, body + 4, elements, 4) &&
                k210b_v3_holds(m, body + 8, k210b_get32(body + 16), 4));
}

void k210b_v3_gap_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_v3_at(run, body + 4);
    uint8_t *out = k210b_v3_at(run, body + 8);
    uint32_t kernel = k210b_get32(body + 12), channels = k210b_get32(body + 16);
    for (uint32_t c = 0; c < channels; c++) {
        float sum = 0;
        for (uint32_t i = 0; i < kernel; i++)
            sum += float_at(in, (size_t)c * kernel + i);
        put_float(out, c, sum / (float)kernel);
    }
}

int k210b_v3_average_pool_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    uint64_t in, out, window;
    if (bytes < 64 || !k210b_v3_sides(body + 12, 3, &in) || !k210b_v3_sides(body + 24, 3, &out) ||
        !k210b_v3_sides(body + 36, 4, &window))
        return K210B_ERR_MODEL_FORMAT;
    int sides_fit = k210b_get32(body + 52) <= 65535 && k210b_get32(body + 56) <= 65535 &&
        k210b_get32(body + 20) == k210b_get32(body + 32);
    return fits(sides_fit && k210b_v3_holds(m, body + 4, in, 4) && k210b_v3_holds(m, body + 8, out, 4));
}

/** Mean of the window's elements inside the image; the window starts at (x, y). */
static float window_mean(const uint8_t *plane, const uint8_t *body, int64_t x, int64_t y)
{
    int64_t width = k210b_get32(body + 12), height = k210b_get32(body + 16);
    int64_t x1 = x + k210b_get32(body + 36), y1 = y + k210b_get32(body + 40);
    float sum = 0;
    uint32_t count = 0;
    for (int64_t j = y < 0 ? 0 : y; j < y1 && j < height; j++)
        for (int64_t i = x < 0 ? 0 : x; i < x1 && i < width; i++, count++)
            sum += float_at(plane, (size_t)(j * width + i));
    return sum / (float)count;
}

void k210b_v3_average_pool_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_v3_at(run, body + 4);
    uint8_t *out = k210b_v3_at(run, body + 8);
    uint32_t plane = k210b_get32(body + 12) * k210b_get32(body + 16), channels = k210b_get32(body + 20);
    uint32_t out_width = k210b_get32(body + 24), out_height = k210b_get32(body + 28);
    for (uint32_t i = 0; i < channels * out_height * out_width; i++) {
        int64_t x = (int64_t)(i % out_width) * k210b_get32(body + 44) - k210b_get32(body + 52);
        int64_t y = (int64_t)(i / out_width % out_height) * k210b_get32(body + 48) - k210b_get32(body + 56);
        put_float(out, i, window_mean(in + 4 * (size_t)(i / out_width / out_height) * plane, body, x, y));
    }
}

int k210b_v3_quantize_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    return bytes < 24 ? K210B_ERR_MODEL_FORMAT : elementwise_fits(m, m->bytes + body_at, 4, 1);
}

void k210b_v3_quantize_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_v3_at(run, body + 4);
    uint8_t *out = k210b_v3_at(run, body + 8);
    uint32_t count = k210b_get32(body + 12);
    float codes_per_unit = 1.0f / k210b_getf(body + 16), bias = k210b_getf(body + 20);
    for (uint32_t i = 0; i < count; i++)
        out[i] = k210b_round_u8((float_at(in, i) - bias) * codes_per_unit);
}

int k210b_v3_dequantize_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    return bytes < 24 ? K210B_ERR_MODEL_FORMAT : elementwise_fits(m, m->bytes + body_at, 1, 4);
}

static void dequantize(uint8_t *out, const uint8_t *in, uint32_t count, float scale, float bias)
{
    for (uint32_t i = 0; i < count; i++)
        put_float(out, i, (float)in[i] * scale + bias);
}

void k210b_v3_dequantize_run(k210b_run_t *run, const uint8_t *body)
{
    dequantize(k210b_v3_at(run, body + 8), k210b_v3_at(run, body + 4), k210b_get32(body + 12), k210b_getf(body + 16),
               k210b_getf(body + 20));
}

int k210b_v3_channel_dequantize_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    uint64_t elements;
    if (bytes < 20 || !k210b_v3_sides(body + 12, 2, &elements) || bytes < 20 + 8 * (uint64_t)k210b_get32(body + 12))
        return K210B_ERR_MODEL_FORMAT;
    return fits(k210b_v3_holds(m, body + 4, elements, 1) && k210b_v3_holds(m, body + 8, elements, 4));
}

void k210b_v3_channel_dequantize_run(k210b_run_t *run, const uint8_t *body)
{
    uint32_t channels = k210b_get32(body + 12), size = k210b_get32(body + 16);
    const uint8_t *in = k210b_v3_at(run, body + 4);
    uint8_t *out = k210b_v3_at(run, body + 8);
    for (uint32_t c = 0; c < channels; c++)
        dequantize(out + 4 * (size_t)c * size, in + (size_t)c * size, size, float_at(body + 20, 2 * c),
                   float_at(body + 20, 2 * c + 1));
}

int k210b_v3_l2_norm_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    return bytes < 16 ? K210B_ERR_MODEL_FORMAT : elementwise_fits(m, m->bytes + body_at, 4, 4);
}

void k210b_v3_l2_norm_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_v3_at(run, body + 4);
    uint8_t *out = k210b_v3_at(run, body + 8);
    uint32_t count = k210b_get32(body + 12);
    float sum = k210b_dot(in, 1, in, 1, count, 0);
    float factor = 1.0f / k210b_sqrt(sum < 1e-10f ? 1e-10f : sum);
    for (uint32_t i = 0; i < count; i++)
        put_float(out, i, float_at(in, i) * factor);
}

int k210b_v3_softmax_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    return bytes < 16 ? K210B_ERR_MODEL_FORMAT : elementwise_fits(m, m->bytes + body_at, 4, 4);
}

void k210b_v3_softmax_run(k210b_run_t *run, const uint8_t *body)
{
    const float least = 1.17549435e-38f; /* FLT_MIN: the vendor's start value of the maximum */
    k210b_softmax(k210b_v3_at(run, body + 8), k210b_v3_at(run, body + 4), k210b_get32(body + 12), 1.0f, least);
}

int k210b_v3_fully_connected_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    uint64_t weights;
    if (bytes < 24 || !k210b_v3_sides(body + 12, 2, &weights) || k210b_get32(body + 20) > 2)
        return K210B_ERR_MODEL_FORMAT;
    uint32_t in = k210b_get32(body + 12), out = k210b_get32(body + 16);
    return fits(bytes >= 24 + 4 * (weights + out) && k210b_v3_holds(m, body + 4, in, 4) &&
                k210b_v3_holds(m, body + 8, out, 4));
}

void k210b_v3_fully_connected_run(k210b_run_t *run, const uint8_t *body)
{
    static const k210b_bounds_t bounds[3] = {{-3.4028235e38f, 3.4028235e38f}, {0, 3.4028235e38f}, {0, 6}};
    const uint8_t *in = k210b_v3_at(run, body + 4);
    uint8_t *out = k210b_v3_at(run, body + 8);
    uint32_t in_count = k210b_get32(body + 12), out_count = k210b_get32(body + 16);
    const uint8_t *bias = body + 24 + 4 * (size_t)in_count * out_count;
    for (uint32_t o = 0; o < out_count; o++) {
        float sum = k210b_dot(in, 1, body + 24 + 4 * (size_t)o * in_count, 1, in_count, 0) + float_at(bias, o);
        put_float(out, o, k210b_bound(sum, bounds[k210b_get32(body + 20)]));
    }
}

int k210b_v3_flatten_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    uint64_t elements;
    return fits(bytes >= 24 && k210b_v3_sides(body + 12, 3, &elements) && k210b_v3_holds(m, body + 4, elements, 4) &&
                k210b_v3_holds(m, body + 8, elements, 4));
}

void k210b_v3_flatten_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_v3_at(run, body + 4);
    uint8_t *out = k210b_v3_at(run, body + 8);
    uint32_t plane = k210b_get32(body + 12) * k210b_get32(body + 16), channels = k210b_get32(body + 20);
    for (uint32_t i = 0; i < plane; i++)
        for (uint32_t c = 0; c < channels; c++)
            put_float(out, (size_t)i * channels + c, float_at(in, (size_t)c * plane + i));
}

int k210b_v3_logistic_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    return bytes < 16 ? K210B_ERR_MODEL_FORMAT : elementwise_fits(m, m->bytes + body_at, 4, 4);
}

void k210b_v3_logistic_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_v3_at(run, body + 4);
    uint8_t *out = k210b_v3_at(run, body + 8);
    uint32_t count = k210b_get32(body + 12);
    for (uint32_t i = 0; i < count; i++)
        put_float(out, i, k210b_sigmoid(float_at(in, i)));
}
