/** v4 CPU layers that only move data (kmodel-v4.md sections 3 and 4). Byte offsets are those of the bodies there. */
#include "k210b/mem.h"
#include "ops_v4.h"

enum { MAX_SIDE = 65535 };

int k210b_v4_read(const k210b_model_t *m, const uint8_t *at, k210b_range_t *range)
{
    int status = k210b_range_read(m, at, range);
    return status ? status : range->area == K210B_AREA_KPU ? K210B_ERR_MODEL_UNSUPPORTED : K210B_OK;
}

int k210b_v4_in_out(const k210b_model_t *m, const uint8_t *in_at, const uint8_t *out_at, k210b_range_t *in,
                    k210b_range_t *out)
{
    if (k210b_v4_read(m, in_at, in) || k210b_v4_read(m, out_at, out) || out->area != K210B_AREA_MAIN)
        return K210B_ERR_MODEL_FORMAT;
    return K210B_OK;
}

int k210b_shape_read(const uint8_t *at, uint32_t shape[4], uint64_t *elements)
{
    *elements = 1;
    for (int i = 0; i < 4; i++) {
        shape[i] = k210b_get32(at + 4 * i);
        if (shape[i] == 0 || shape[i] > MAX_SIDE)
            return K210B_ERR_MODEL_FORMAT;
        *elements *= shape[i];
    }
    return *elements > INT32_MAX ? K210B_ERR_MODEL_FORMAT : K210B_OK;
}

static void load_shape(const uint8_t *at, uint32_t shape[4]) { memcpy(shape, at, 16); }

int k210b_v4_upload_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    k210b_range_t in, out;
    uint32_t shape[4];
    uint64_t elements;
    if (bytes < 48 || k210b_v4_read(m, body, &in) || k210b_range_read(m, body + 16, &out))
        return K210B_ERR_MODEL_FORMAT;
    if (out.area != K210B_AREA_KPU || in.type != K210B_UINT8 || k210b_shape_read(body + 32, shape, &elements))
        return K210B_ERR_MODEL_FORMAT;
    if (shape[1] > 1024 || shape[2] > 256 || shape[3] > 512 || shape[0] > 1024 || in.size < elements)
        return K210B_ERR_MODEL_FORMAT;
    k210b_map_shape_t map = {(uint16_t)shape[1], (uint16_t)shape[2], (uint16_t)shape[3]};
    uint64_t rows = (uint64_t)k210b_rows_of(map) * shape[0];
    uint64_t first = out.start / K210B_KPU_ROW_BYTES;
    return first + rows > K210B_KPU_ROW_COUNT ? K210B_ERR_MODEL_FORMAT : K210B_OK;
}

void k210b_v4_upload_run(k210b_run_t *run, const uint8_t *body)
{
    uint32_t shape[4];
    load_shape(body + 32, shape);
    k210b_map_shape_t map = {(uint16_t)shape[1], (uint16_t)shape[2], (uint16_t)shape[3]};
    const uint8_t *in = k210b_range_at(run, body);
    uint8_t *out = k210b_range_at(run, body + 16);
    for (uint32_t n = 0; n < shape[0]; n++) {
        k210b_rows_upload(out, map, in);
        in += shape[1] * shape[2] * shape[3];
        out += k210b_rows_of(map) * K210B_KPU_ROW_BYTES;
    }
}

int k210b_v4_memory_copy_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    k210b_range_t in, out;
    if (bytes < 32 || k210b_v4_in_out(m, m->bytes + body_at, m->bytes + body_at + 16, &in, &out))
        return K210B_ERR_MODEL_FORMAT;
    return out.size < in.size ? K210B_ERR_MODEL_FORMAT : K210B_OK;
}

void k210b_v4_memory_copy_run(k210b_run_t *run, const uint8_t *body)
{
    /* The vendor's kernel copies whole floats; a tail of 1 to 3 bytes is lost there, so it is here. */
    memmove(k210b_range_at(run, body + 16), k210b_range_at(run, body), k210b_get32(body + 12) / 4 * 4);
}

int k210b_v4_concat_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    k210b_range_t out, in;
    if (bytes < 28 || k210b_v4_read(m, body, &out) || out.area != K210B_AREA_MAIN)
        return K210B_ERR_MODEL_FORMAT;
    uint64_t inner = k210b_get32(body + 16), outer = k210b_get32(body + 20), n = k210b_get32(body + 24);
    if (n == 0 || bytes < 28 + 20 * n || inner == 0 || inner > (1u << 24) || outer == 0 || outer > (1u << 24))
        return K210B_ERR_MODEL_FORMAT;
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t dim = k210b_get32(body + 28 + 16 * n + 4 * i);
        if (dim > MAX_SIDE || k210b_v4_read(m, body + 28 + 16 * i, &in) || in.size < inner * outer * dim)
            return K210B_ERR_MODEL_FORMAT;
        total += inner * outer * dim; /* each term is at most a range's size, so no overflow */
    }
    return total > out.size ? K210B_ERR_MODEL_FORMAT : K210B_OK;
}

void k210b_v4_concat_run(k210b_run_t *run, const uint8_t *body)
{
    uint8_t *out = k210b_range_at(run, body);
    uint32_t inner = k210b_get32(body + 16), outer = k210b_get32(body + 20), n = k210b_get32(body + 24);
    for (uint32_t o = 0; o < outer; o++)
        for (uint32_t i = 0; i < n; i++) {
            uint32_t len = inner * k210b_get32(body + 28 + 16 * n + 4 * i);
            memmove(out, k210b_range_at(run, body + 28 + 16 * i) + o * len, len);
            out += len;
        }
}

/** Output sides of a pad; negative padding crops. */
static int padded_shape(const uint8_t *body, const uint32_t in[4], uint32_t out[4], uint64_t *elements)
{
    *elements = 1;
    for (int i = 0; i < 4; i++) {
        int64_t before = k210b_geti32(body + 48 + 8 * i), after = k210b_geti32(body + 52 + 8 * i);
        int64_t side = in[i] + before + after;
        if (side <= 0 || side > MAX_SIDE || before > MAX_SIDE || after > MAX_SIDE || before < -MAX_SIDE ||
            after < -MAX_SIDE)
            return K210B_ERR_MODEL_FORMAT;
        out[i] = (uint32_t)side;
        *elements *= out[i];
    }
    return *elements > INT32_MAX ? K210B_ERR_MODEL_FORMAT : K210B_OK;
}

int k210b_v4_pad_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    k210b_range_t in, out;
    uint32_t shape[4], padded[4];
    uint64_t in_elements, out_elements;
    if (bytes < 88 || k210b_v4_in_out(m, body, body + 16, &in, &out) || in.type != out.type)
        return K210B_ERR_MODEL_FORMAT;
    if (k210b_shape_read(body + 32, shape, &in_elements) || padded_shape(body, shape, padded, &out_elements))
        return K210B_ERR_MODEL_FORMAT;
    uint32_t width = k210b_type_bytes(in.type);
    return in.size < in_elements * width || out.size < out_elements * width ? K210B_ERR_MODEL_FORMAT : K210B_OK;
}

static void fill(uint8_t *to, const uint8_t *value, uint32_t width, uint32_t count)
{
    if (width == 1)
        memset(to, *value, count);
    else
        for (uint32_t i = 0; i < count; i++)
            memcpy(to + 4 * i, value, 4);
}

/** One output row: border, pixels, border. `source` is NULL above, below and beside the picture. */
static void pad_row(uint8_t *to, const uint8_t *source, const uint8_t *body, uint32_t in_width, uint32_t out_width,
                    uint32_t element)
{
    int32_t before = k210b_geti32(body + 72);
    int64_t begin = before > 0 ? before : 0;
    int64_t end = (int64_t)before + in_width;
    if (end > out_width)
        end = out_width;
    if (!source || end <= begin) {
        fill(to, body + 84, element, out_width);
        return;
    }
    fill(to, body + 84, element, (uint32_t)begin);
    memmove(to + begin * element, source + (begin - before) * element, (size_t)(end - begin) * element);
    fill(to + end * element, body + 84, element, (uint32_t)(out_width - end));
}

void k210b_v4_pad_run(k210b_run_t *run, const uint8_t *body)
{
    uint32_t in[4], out[4];
    uint64_t elements;
    load_shape(body + 32, in);
    padded_shape(body, in, out, &elements);
    uint32_t element = k210b_type_bytes((uint8_t)k210b_get32(body + 4));
    const uint8_t *from = k210b_range_at(run, body);
    uint8_t *to = k210b_range_at(run, body + 16);
    uint32_t rows = out[0] * out[1] * out[2];
    for (uint32_t r = 0; r < rows; r++, to += (size_t)out[3] * element) {
        int64_t n = (int64_t)(r / out[2] / out[1]) - k210b_geti32(body + 48);
        int64_t c = (int64_t)(r / out[2] % out[1]) - k210b_geti32(body + 56);
        int64_t y = (int64_t)(r % out[2]) - k210b_geti32(body + 64);
        int inside = n >= 0 && n < in[0] && c >= 0 && c < in[1] && y >= 0 && y < in[2];
        const uint8_t *source = inside ? from + ((n * in[1] + c) * in[2] + y) * in[3] * element : 0;
        pad_row(to, source, body, in[3], out[3], element);
    }
}

int k210b_v4_transpose_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    k210b_range_t in, out;
    uint32_t shape[4], seen = 0;
    uint64_t elements;
    if (bytes < 64 || k210b_v4_in_out(m, body, body + 16, &in, &out) || in.type != out.type)
        return K210B_ERR_MODEL_FORMAT;
    for (int i = 0; i < 4; i++) {
        uint32_t axis = k210b_get32(body + 48 + 4 * i);
        seen |= axis < 4 ? 1u << axis : 0;
    }
    if (seen != 15 || k210b_shape_read(body + 32, shape, &elements))
        return K210B_ERR_MODEL_FORMAT;
    uint64_t wanted = elements * k210b_type_bytes(in.type);
    return in.size < wanted || out.size < wanted ? K210B_ERR_MODEL_FORMAT : K210B_OK;
}

static void gather_row(uint8_t *to, const uint8_t *from, uint32_t count, uint32_t step, uint32_t element)
{
    if (element == 1)
        for (uint32_t i = 0; i < count; i++)
            to[i] = from[(size_t)i * step];
    else
        for (uint32_t i = 0; i < count; i++)
            k210b_put32(to + 4 * (size_t)i, k210b_get32(from + 4 * (size_t)i * step));
}

/** Copies elements in output order; `step` is the input distance (elements) of each output axis. */
static void gather(uint8_t *to, const uint8_t *from, const uint32_t out[4], const uint32_t step[4], uint32_t element)
{
    for (uint32_t a = 0; a < out[0]; a++)
        for (uint32_t b = 0; b < out[1]; b++)
            for (uint32_t c = 0; c < out[2]; c++) {
                const uint8_t *row = from + (size_t)(a * step[0] + b * step[1] + c * step[2]) * element;
                gather_row(to, row, out[3], step[3], element);
                to += (size_t)out[3] * element;
            }
}

void k210b_v4_transpose_run(k210b_run_t *run, const uint8_t *body)
{
    uint32_t in[4], out[4], step[4];
    load_shape(body + 32, in);
    const uint32_t distance[4] = {in[1] * in[2] * in[3], in[2] * in[3], in[3], 1};
    for (int i = 0; i < 4; i++) {
        uint32_t axis = k210b_get32(body + 48 + 4 * i);
        out[i] = in[axis];
        step[i] = distance[axis];
    }
    uint32_t element = k210b_type_bytes((uint8_t)k210b_get32(body + 4));
    gather(k210b_range_at(run, body + 16), k210b_range_at(run, body), out, step, element);
}

/** Sides of a slice; end is exclusive, strides positive (the compilers write no others). */
static int sliced_shape(const uint8_t *body, const uint32_t in[4], uint32_t out[4])
{
    for (int i = 0; i < 4; i++) {
        uint32_t begin = k210b_get32(body + 48 + 4 * i), end = k210b_get32(body + 64 + 4 * i);
        uint32_t stride = k210b_get32(body + 80 + 4 * i);
        if (end > in[i] || begin >= end || stride == 0 || stride > MAX_SIDE)
            return K210B_ERR_MODEL_UNSUPPORTED;
        out[i] = (end - begin + stride - 1) / stride;
    }
    return K210B_OK;
}

int k210b_v4_strided_slice_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    k210b_range_t in, out;
    uint32_t shape[4], sliced[4];
    uint64_t elements;
    if (bytes < 116 || k210b_v4_in_out(m, body, body + 16, &in, &out) || in.type != out.type)
        return K210B_ERR_MODEL_FORMAT;
    if (k210b_shape_read(body + 32, shape, &elements))
        return K210B_ERR_MODEL_FORMAT;
    int status = sliced_shape(body, shape, sliced);
    if (status)
        return status;
    uint32_t width = k210b_type_bytes(in.type);
    uint64_t taken = (uint64_t)sliced[0] * sliced[1] * sliced[2] * sliced[3]; /* no more than elements */
    return in.size < elements * width || out.size < taken * width ? K210B_ERR_MODEL_FORMAT : K210B_OK;
}

void k210b_v4_strided_slice_run(k210b_run_t *run, const uint8_t *body)
{
    uint32_t in[4], out[4], step[4];
    load_shape(body + 32, in);
    sliced_shape(body, in, out);
    const uint32_t distance[4] = {in[1] * in[2] * in[3], in[2] * in[3], in[3], 1};
    size_t first = 0;
    for (int i = 0; i < 4; i++) {
        step[i] = distance[i] * k210b_get32(body + 80 + 4 * i);
        first += (size_t)distance[i] * k210b_get32(body + 48 + 4 * i);
    }
    uint32_t element = k210b_type_bytes((uint8_t)k210b_get32(body + 4));
    gather(k210b_range_at(run, body + 16), k210b_range_at(run, body) + first * element, out, step, element);
}
