/** v4 CPU layers with two tensors: float and quantized elementwise operations, matrix product (kmodel-v4.md 3, 4). */
#include "k210b/cpu_ops.h"
#include "k210b/mem.h"
#include "ops_v4.h"

enum { BINARY_ADD, BINARY_SUB, BINARY_MUL, BINARY_DIV, BINARY_MIN, BINARY_MAX };

/** Shapes of both operands and of the output; they follow each other in the body at `shapes_at`. */
typedef struct operands {
    uint32_t a[4], b[4], out[4];
} operands_t;

static operands_t load_operands(const uint8_t *body)
{
    operands_t s;
    memcpy(&s, body + 52, sizeof s);
    return s;
}

/** Ranges at 0, 16, 32 of one type, shapes at 52, 68, 84 that fit them and broadcast onto the output. */
static int check_operands(const k210b_model_t *m, const uint8_t *body, uint8_t type)
{
    k210b_range_t a, b, out;
    operands_t s;
    uint64_t a_count, b_count, out_count;
    if (k210b_v4_in_out(m, body, body + 32, &a, &out) || k210b_v4_read(m, body + 16, &b))
        return K210B_ERR_MODEL_FORMAT;
    if (a.type != type || b.type != type || out.type != type || k210b_get32(body + 48) > BINARY_MAX)
        return K210B_ERR_MODEL_FORMAT;
    if (k210b_shape_read(body + 52, s.a, &a_count) || k210b_shape_read(body + 68, s.b, &b_count) ||
        k210b_shape_read(body + 84, s.out, &out_count))
        return K210B_ERR_MODEL_FORMAT;
    uint32_t width = k210b_type_bytes(type);
    return a.size / width < a_count || b.size / width < b_count || out.size / width < out_count ? K210B_ERR_MODEL_FORMAT
                                                                                                : K210B_OK;
}

/** Element of an operand for output element i: index 0 along every axis that the operand does not reach. */
static uint32_t operand_index(const uint32_t shape[4], const uint32_t out[4], uint32_t i)
{
    uint32_t at[4];
    for (int axis = 3; axis >= 0; axis--) {
        uint32_t place = i % out[axis];
        at[axis] = place < shape[axis] ? place : 0;
        i /= out[axis];
    }
    return ((at[0] * shape[1] + at[1]) * shape[2] + at[2]) * shape[3] + at[3];
}

static uint32_t out_elements(const operands_t *s) { return s->out[0] * s->out[1] * s->out[2] * s->out[3]; }

static int same_shapes(const operands_t *s)
{
    return memcmp(s->a, s->out, sizeof s->a) == 0 && memcmp(s->b, s->out, sizeof s->b) == 0;
}

int k210b_v4_binary_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    return bytes < 108 ? K210B_ERR_MODEL_FORMAT : check_operands(m, m->bytes + body_at, K210B_FLOAT32);
}

static float binary(uint32_t op, float a, float b)
{
    switch (op) {
    case BINARY_ADD: return a + b;
    case BINARY_SUB: return a - b;
    case BINARY_MUL: return a * b;
    case BINARY_DIV: return a / b;
    case BINARY_MIN: return b < a ? b : a;
    default: return a < b ? b : a;
    }
}

void k210b_v4_binary_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *a = k210b_range_at(run, body), *b = k210b_range_at(run, body + 16);
    uint8_t *out = k210b_range_at(run, body + 32);
    operands_t s = load_operands(body);
    k210b_bounds_t bounds = {k210b_getf(body + 100), k210b_getf(body + 104)};
    uint32_t op = k210b_get32(body + 48), count = out_elements(&s);
    int same = same_shapes(&s);
    for (uint32_t i = 0; i < count; i++) {
        float x = k210b_getf(a + 4 * (size_t)(same ? i : operand_index(s.a, s.out, i)));
        float y = k210b_getf(b + 4 * (size_t)(same ? i : operand_index(s.b, s.out, i)));
        k210b_putf(out + 4 * (size_t)i, k210b_bound(binary(op, x, y), bounds));
    }
}

int k210b_v4_quantized_binary_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    if (bytes < 136 || check_operands(m, body, K210B_UINT8))
        return K210B_ERR_MODEL_FORMAT;
    int shifts_fit = k210b_get32(body + 108) < 63 && k210b_get32(body + 120) < 63 && k210b_get32(body + 132) < 63;
    return shifts_fit ? K210B_OK : K210B_ERR_MODEL_FORMAT;
}

/** One side of a quantized operation: offset, multiplier, shift. Cut to 32 bits as the reference does. */
static int32_t scaled(const uint8_t *body, uint8_t code)
{
    int32_t v = (int32_t)(code + k210b_get32(body)); /* the sum is int32 in the reference */
    return (int32_t)(uint32_t)k210b_carry((int64_t)v * k210b_geti32(body + 4), k210b_get32(body + 8));
}

/** int32 arithmetic with wrap around, in unsigned numbers so that it is defined. */
static int32_t quantized_binary(uint32_t op, int32_t a, int32_t b)
{
    switch (op) {
    case BINARY_ADD: return (int32_t)((uint32_t)a + (uint32_t)b);
    case BINARY_SUB: return (int32_t)((uint32_t)a - (uint32_t)b);
    case BINARY_MUL: return (int32_t)((uint32_t)a * (uint32_t)b);
    case BINARY_DIV: return b == 0 ? 0 : (int32_t)(((int64_t)a + b / 2) / b);
    case BINARY_MIN: return a < b ? a : b;
    default: return a > b ? a : b;
    }
}

void k210b_v4_quantized_binary_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *a = k210b_range_at(run, body), *b = k210b_range_at(run, body + 16);
    uint8_t *out = k210b_range_at(run, body + 32);
    operands_t s = load_operands(body);
    uint32_t op = k210b_get32(body + 48), count = out_elements(&s);
    int32_t offset = k210b_geti32(body + 124), multiplier = k210b_geti32(body + 128);
    uint32_t shift = k210b_get32(body + 132);
    int same = same_shapes(&s);
    for (uint32_t i = 0; i < count; i++) {
        int32_t x = scaled(body + 100, a[same ? i : operand_index(s.a, s.out, i)]);
        int32_t y = scaled(body + 112, b[same ? i : operand_index(s.b, s.out, i)]);
        int64_t v = k210b_carry((int64_t)quantized_binary(op, x, y) * multiplier, shift);
        out[i] = k210b_clamp_u8((int64_t)(int32_t)(uint32_t)v + offset);
    }
}

int k210b_v4_matmul_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    k210b_range_t a, b, out;
    if (bytes < 68 || k210b_v4_in_out(m, body, body + 32, &a, &out) || k210b_v4_read(m, body + 16, &b))
        return K210B_ERR_MODEL_FORMAT;
    uint64_t rows = k210b_get32(body + 48), inner = k210b_get32(body + 52), columns = k210b_get32(body + 56);
    if (rows == 0 || inner == 0 || columns == 0 || rows > 65535 || inner > 65535 || columns > 65535)
        return K210B_ERR_MODEL_FORMAT;
    if (a.type != K210B_FLOAT32 || b.type != K210B_FLOAT32 || out.type != K210B_FLOAT32 || bytes < 68 + 4 * columns)
        return K210B_ERR_MODEL_FORMAT;
    int fits = a.size / 4 >= rows * inner && b.size / 4 >= inner * columns && out.size / 4 >= rows * columns;
    return fits ? K210B_OK : K210B_ERR_MODEL_FORMAT;
}

void k210b_v4_matmul_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *a = k210b_range_at(run, body), *b = k210b_range_at(run, body + 16);
    uint8_t *out = k210b_range_at(run, body + 32);
    uint32_t rows = k210b_get32(body + 48), inner = k210b_get32(body + 52), columns = k210b_get32(body + 56);
    k210b_bounds_t bounds = {k210b_getf(body + 60), k210b_getf(body + 64)};
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < columns; c++, out += 4) {
            float start = k210b_getf(body + 68 + 4 * c);
            float sum = k210b_dot(a + 4 * (size_t)r * inner, 1, b + 4 * (size_t)c, columns, inner, start);
            k210b_putf(out, k210b_bound(sum, bounds));
        }
}
