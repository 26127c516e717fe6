/** v4 CPU layers that compute, for one tensor (kmodel-v4.md sections 3 and 4). Two-tensor ones: ops_v4_binary.c. */
#include "k210b/cpu_ops.h"
#include "k210b/mem.h"
#include "k210b/real.h"
#include "ops_v4.h"

/** Input and output of given types, `count` elements both; 0 when the body does not say so. */
static int one_to_one(const k210b_model_t *m, const uint8_t *in_at, const uint8_t *out_at, uint8_t in_type,
                      uint8_t out_type)
{
    k210b_range_t in, out;
    if (k210b_v4_in_out(m, in_at, out_at, &in, &out) || in.type != in_type || out.type != out_type)
        return K210B_ERR_MODEL_FORMAT;
    uint32_t count = in.size / k210b_type_bytes(in_type);
    return out.size / k210b_type_bytes(out_type) < count ? K210B_ERR_MODEL_FORMAT : K210B_OK;
}

/** Elements of a float range. */
static uint32_t float_count(const uint8_t *range) { return k210b_get32(range + 12) / 4; }

int k210b_v4_quantize_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    return bytes < 40 ? K210B_ERR_MODEL_FORMAT : one_to_one(m, body, body + 16, K210B_FLOAT32, K210B_UINT8);
}

void k210b_v4_quantize_run(k210b_run_t *run, const uint8_t *body)
{
    k210b_quantize(k210b_range_at(run, body + 16), k210b_range_at(run, body), float_count(body),
                   k210b_getf(body + 36), (float)k210b_geti32(body + 32));
}

int k210b_v4_dequantize_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    return bytes < 40 ? K210B_ERR_MODEL_FORMAT : one_to_one(m, body, body + 16, K210B_UINT8, K210B_FLOAT32);
}

void k210b_v4_dequantize_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_range_at(run, body);
    uint8_t *out = k210b_range_at(run, body + 16);
    uint32_t count = k210b_get32(body + 12);
    float zero_point = (float)k210b_geti32(body + 32);
    float step = 1.0f / k210b_getf(body + 36);
    for (uint32_t i = 0; i < count; i++)
        k210b_putf(out + 4 * (size_t)i, ((float)in[i] - zero_point) * step);
}

int k210b_v4_table_lookup_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    k210b_range_t table;
    if (bytes < 48 || k210b_v4_read(m, body + 16, &table) || table.size < 256)
        return K210B_ERR_MODEL_FORMAT;
    return one_to_one(m, body, body + 32, K210B_UINT8, K210B_UINT8);
}

void k210b_v4_table_lookup_run(k210b_run_t *run, const uint8_t *body)
{
    k210b_lookup(k210b_range_at(run, body + 32), k210b_range_at(run, body), k210b_get32(body + 12),
                 k210b_range_at(run, body + 16));
}

enum {
    UNARY_ABS, UNARY_CEIL, UNARY_COS, UNARY_EXP, UNARY_FLOOR, UNARY_LOG, UNARY_NEG, UNARY_RSQRT, UNARY_SIN, UNARY_SQUARE
};

int k210b_v4_unary_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    if (bytes < 36)
        return K210B_ERR_MODEL_FORMAT;
    uint32_t op = k210b_get32(body + 32);
    if (op > UNARY_SQUARE || op == UNARY_COS || op == UNARY_SIN)
        return K210B_ERR_MODEL_UNSUPPORTED;
    return one_to_one(m, body, body + 16, K210B_FLOAT32, K210B_FLOAT32);
}

static float floor_of(float x)
{
    if (!(x > -8388608.0f && x < 8388608.0f)) /* whole already, or NaN */
        return x;
    float whole = (float)(int32_t)x;
    return whole > x ? whole - 1.0f : whole;
}

static float unary(uint32_t op, float x)
{
    switch (op) {
    case UNARY_ABS: return x < 0 ? -x : x;
    case UNARY_CEIL: return -floor_of(-x);
    case UNARY_EXP: return k210b_exp(x);
    case UNARY_FLOOR: return floor_of(x);
    case UNARY_LOG: return k210b_ln(x);
    case UNARY_NEG: return -x;
    case UNARY_RSQRT: return 1.0f / k210b_sqrt(x);
    default: return x * x;
    }
}

void k210b_v4_unary_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_range_at(run, body);
    uint8_t *out = k210b_range_at(run, body + 16);
    uint32_t op = k210b_get32(body + 32), count = float_count(body);
    for (uint32_t i = 0; i < count; i++)
        k210b_putf(out + 4 * (size_t)i, unary(op, k210b_getf(in + 4 * (size_t)i)));
}

int k210b_v4_softmax_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    k210b_range_t in, out;
    if (bytes < 44 || k210b_v4_in_out(m, body, body + 16, &in, &out) || in.type != K210B_FLOAT32)
        return K210B_ERR_MODEL_FORMAT;
    uint64_t wanted = 4 * (uint64_t)k210b_get32(body + 32) * k210b_get32(body + 36);
    int sides_fit = k210b_get32(body + 32) <= in.size && k210b_get32(body + 36) <= in.size;
    return !sides_fit || in.size < wanted || out.size < wanted ? K210B_ERR_MODEL_FORMAT : K210B_OK;
}

void k210b_v4_softmax_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_range_at(run, body);
    uint8_t *out = k210b_range_at(run, body + 16);
    uint32_t inner = k210b_get32(body + 32), outer = k210b_get32(body + 36);
    for (uint32_t o = 0; o < outer; o++)
        k210b_softmax(out + 4 * (size_t)o * inner, in + 4 * (size_t)o * inner, inner, k210b_getf(body + 40),
                      -3.4028235e38f);
}

enum { REDUCE_MEAN, REDUCE_MIN, REDUCE_MAX, REDUCE_SUM };

int k210b_v4_reduce_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    k210b_range_t in, out;
    uint32_t in_shape[4], out_shape[4];
    uint64_t in_elements, out_elements;
    if (bytes < 72 || k210b_v4_in_out(m, body, body + 16, &in, &out) || k210b_get32(body + 32) > REDUCE_SUM)
        return K210B_ERR_MODEL_FORMAT;
    if (k210b_shape_read(body + 36, in_shape, &in_elements) || k210b_shape_read(body + 52, out_shape, &out_elements))
        return K210B_ERR_MODEL_FORMAT;
    for (int i = 0; i < 4; i++)
        if (out_shape[i] != in_shape[i] && out_shape[i] != 1)
            return K210B_ERR_MODEL_FORMAT;
    if (in.type != K210B_FLOAT32 || out.type != K210B_FLOAT32)
        return K210B_ERR_MODEL_FORMAT;
    return in.size / 4 < in_elements || out.size / 4 < out_elements ? K210B_ERR_MODEL_FORMAT : K210B_OK;
}

static float reduce(uint32_t op, float acc, float v)
{
    switch (op) {
    case REDUCE_MIN: return v < acc ? v : acc;
    case REDUCE_MAX: return v > acc ? v : acc;
    default: return acc + v;
    }
}

void k210b_v4_reduce_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_range_at(run, body);
    uint8_t *out = k210b_range_at(run, body + 16);
    uint32_t s[4], o[4], op = k210b_get32(body + 32);
    memcpy(s, body + 36, sizeof s);
    memcpy(o, body + 52, sizeof o);
    uint32_t in_count = s[0] * s[1] * s[2] * s[3], out_count = o[0] * o[1] * o[2] * o[3];
    for (uint32_t i = 0; i < out_count; i++)
        memcpy(out + 4 * (size_t)i, body + 68, 4);
    for (uint32_t i = 0; i < in_count; i++) {
        /* Coordinates of element i; a reduced axis (side 1) always lands on 0. */
        uint32_t row = i / s[3], plane = row / s[2];
        uint32_t x = i % s[3] % o[3], y = row % s[2] % o[2], c = plane % s[1] % o[1], n = plane / s[1] % o[0];
        uint8_t *slot = out + 4 * (size_t)(((n * o[1] + c) * o[2] + y) * o[3] + x);
        k210b_putf(slot, reduce(op, k210b_getf(slot), k210b_getf(in + 4 * (size_t)i)));
    }
    if (op == REDUCE_MEAN)
        for (uint32_t i = 0; i < out_count; i++)
            k210b_putf(out + 4 * (size_t)i, k210b_getf(out + 4 * (size_t)i) * ((float)out_count / (float)in_count));
}
