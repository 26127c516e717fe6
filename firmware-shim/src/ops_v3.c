/** v3 CPU layers on bytes and for data movement; byte offsets as in kmodel-v3.md section 3. */
#include "k210b/cpu_ops.h"
#include "k210b/mem.h"
#include "ops_v3.h"

enum { MAX_SIDE = 65535 };

int k210b_v3_holds(const k210b_model_t *m, const uint8_t *address, uint64_t elements, uint32_t width)
{
    return elements <= UINT32_MAX && k210b_main_holds(m, k210b_get32(address), elements * width);
}

int k210b_v3_sides(const uint8_t *at, uint32_t count, uint64_t *product)
{
    *product = 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t side = k210b_get32(at + 4 * i);
        if (side == 0 || side > MAX_SIDE)
            return 0;
        *product *= side;
    }
    return *product <= INT32_MAX;
}

uint8_t *k210b_v3_at(const k210b_run_t *run, const uint8_t *address) { return run->main_mem + k210b_get32(address); }

static int fits(int condition) { return condition ? K210B_OK : K210B_ERR_MODEL_FORMAT; }

int k210b_v3_requantize_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    return fits(bytes >= 272 && k210b_v3_holds(m, body + 4, k210b_get32(body + 12), 1) &&
                k210b_v3_holds(m, body + 8, k210b_get32(body + 12), 1));
}

void k210b_v3_requantize_run(k210b_run_t *run, const uint8_t *body)
{
    k210b_lookup(k210b_v3_at(run, body + 8), k210b_v3_at(run, body + 4), k210b_get32(body + 12), body + 16);
}

int k210b_v3_concat_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    if (bytes < 12)
        return K210B_ERR_MODEL_FORMAT;
    uint64_t count = k210b_get32(body + 8), total = 0;
    if (bytes < 12 + 8 * count)
        return K210B_ERR_MODEL_FORMAT;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = k210b_get32(body + 16 + 8 * i);
        if (!k210b_v3_holds(m, body + 12 + 8 * i, size, 1))
            return K210B_ERR_MODEL_FORMAT;
        total += size;
    }
    return fits(k210b_v3_holds(m, body + 4, total, 1));
}

void k210b_v3_concat_run(k210b_run_t *run, const uint8_t *body)
{
    uint8_t *out = k210b_v3_at(run, body + 4);
    uint32_t count = k210b_get32(body + 8);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = k210b_get32(body + 16 + 8 * i);
        memmove(out, k210b_v3_at(run, body + 12 + 8 * i), size);
        out += size;
    }
}

/** Shifts above 62 are refused; the vendor's 32-bit parameters never come near. */
int k210b_v3_quantized_add_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    if (bytes < 56)
        return K210B_ERR_MODEL_FORMAT;
    uint32_t count = k210b_get32(body + 16);
    int inside = k210b_v3_holds(m, body + 4, count, 1) && k210b_v3_holds(m, body + 8, count, 1) &&
        k210b_v3_holds(m, body + 12, count, 1);
    return fits(inside && k210b_get32(body + 28) < 63 && k210b_get32(body + 40) < 63 && k210b_get32(body + 52) < 63);
}

/** Rounding of the vendor's runtime: halves away from zero, negatives oddly (kmodel-v3.md, quantized_add). */
static int64_t round_shift(int64_t v, uint32_t shift)
{
    if (shift == 0)
        return v;
    int64_t t = v >> (shift - 1);
    if ((t & 1) == 0)
        return t >> 1;
    return (t >> 1) + (t >= 0 ? 1 : -1);
}

/* 64-bit arithmetic that wraps instead of overflowing: only damaged parameters get there. */
static int64_t times(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }
static int64_t plus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

void k210b_v3_quantized_add_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *a = k210b_v3_at(run, body + 4), *b = k210b_v3_at(run, body + 8);
    uint8_t *out = k210b_v3_at(run, body + 12);
    uint32_t count = k210b_get32(body + 16);
    int64_t a_offset = k210b_geti32(body + 20), a_mul = k210b_geti32(body + 24);
    int64_t b_offset = k210b_geti32(body + 32), b_mul = k210b_geti32(body + 36);
    uint32_t a_shift = k210b_get32(body + 28), b_shift = k210b_get32(body + 40), out_shift = k210b_get32(body + 52);
    int64_t out_offset = k210b_geti32(body + 44), out_mul = k210b_geti32(body + 48);
    for (uint32_t i = 0; i < count; i++) {
        int64_t x = (a[i] + a_offset) * a_mul, y = (b[i] + b_offset) * b_mul;
        int64_t v = a_shift == b_shift ? plus(x, y) >> a_shift : (x >> a_shift) + (y >> b_shift);
        out[i] = k210b_clamp_u8(plus(round_shift(times(v, out_mul), out_shift), out_offset));
    }
}

int k210b_v3_max_pool_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    uint64_t in, out, window;
    if (bytes < 60 || !k210b_v3_sides(body + 12, 3, &in) || !k210b_v3_sides(body + 24, 3, &out) ||
        !k210b_v3_sides(body + 36, 4, &window))
        return K210B_ERR_MODEL_FORMAT;
    int padding_fits = k210b_get32(body + 52) <= MAX_SIDE && k210b_get32(body + 56) <= MAX_SIDE;
    int channels_fit = k210b_get32(body + 20) == k210b_get32(body + 32);
    return fits(padding_fits && channels_fit && k210b_v3_holds(m, body + 4, in, 1) &&
                k210b_v3_holds(m, body + 8, out, 1));
}

/** Window [first, last) along one axis, clipped to the image. */
static void window_of(const uint8_t *body, uint32_t axis, int64_t o, int64_t *first, int64_t *last)
{
    int64_t side = k210b_get32(body + 12 + 4 * axis), kernel = k210b_get32(body + 36 + 4 * axis);
    int64_t begin = o * k210b_get32(body + 44 + 4 * axis) - k210b_get32(body + 52 + 4 * axis);
    *first = begin < 0 ? 0 : begin;
    *last = begin + kernel < side ? begin + kernel : side;
}

void k210b_v3_max_pool_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_v3_at(run, body + 4);
    uint8_t *out = k210b_v3_at(run, body + 8);
    uint32_t in_width = k210b_get32(body + 12), in_height = k210b_get32(body + 16), channels = k210b_get32(body + 20);
    uint32_t out_width = k210b_get32(body + 24), out_height = k210b_get32(body + 28);
    for (uint32_t i = 0; i < channels * out_height * out_width; i++) {
        const uint8_t *plane = in + (size_t)(i / out_width / out_height) * in_width * in_height;
        int64_t x0, x1, y0, y1;
        window_of(body, 0, i % out_width, &x0, &x1);
        window_of(body, 1, i / out_width % out_height, &y0, &y1);
        uint8_t top = 0;
        for (int64_t y = y0; y < y1; y++)
            for (int64_t x = x0; x < x1; x++)
                top = plane[y * in_width + x] > top ? plane[y * in_width + x] : top;
        out[i] = top;
    }
}

/** Body of a nearest-neighbour resize: sides in at 12, out at 24, channels shared. */
static int resize_fits(const k210b_model_t *m, uint32_t body_at, uint32_t bytes, uint32_t width)
{
    const uint8_t *body = m->bytes + body_at;
    uint64_t in, out;
    if (bytes < 36 || !k210b_v3_sides(body + 12, 3, &in) || !k210b_v3_sides(body + 24, 2, &out))
        return K210B_ERR_MODEL_FORMAT;
    out *= k210b_get32(body + 20);
    return fits(k210b_v3_holds(m, body + 4, in, width) && k210b_v3_holds(m, body + 8, out, width));
}

static uint32_t nearest(uint32_t o, uint32_t in, uint32_t out)
{
    uint32_t i = (uint32_t)((float)o * ((float)in / (float)out));
    return i < in ? i : in - 1;
}

static void resize(k210b_run_t *run, const uint8_t *body, uint32_t width)
{
    const uint8_t *in = k210b_v3_at(run, body + 4);
    uint8_t *out = k210b_v3_at(run, body + 8);
    uint32_t in_width = k210b_get32(body + 12), in_height = k210b_get32(body + 16), channels = k210b_get32(body + 20);
    uint32_t out_width = k210b_get32(body + 24), out_height = k210b_get32(body + 28);
    for (uint32_t i = 0; i < channels * out_height * out_width; i++, out += width) {
        uint32_t x = nearest(i % out_width, in_width, out_width);
        uint32_t y = nearest(i / out_width % out_height, in_height, out_height);
        memmove(out, in + ((size_t)(i / out_width / out_height * in_height + y) * in_width + x) * width, width);
    }
}

int k210b_v3_resize_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    return resize_fits(m, body_at, bytes, 4);
}

int k210b_v3_quantized_resize_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    return resize_fits(m, body_at, bytes, 1);
}

void k210b_v3_resize_run(k210b_run_t *run, const uint8_t *body) { resize(run, body, 4); }
void k210b_v3_quantized_resize_run(k210b_run_t *run, const uint8_t *body) { resize(run, body, 1); }

/* Fully connected layers on the KPU use maps of C x 4 x 4 with the value at (0, 0) (kmodel-v3.md, add_padding). */
enum { PADDED_SIDE = 4 };

static k210b_map_shape_t padded_map(uint32_t channels)
{
    return (k210b_map_shape_t){(uint16_t)channels, PADDED_SIDE, PADDED_SIDE};
}

int k210b_v3_add_padding_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    if (bytes < 16)
        return K210B_ERR_MODEL_FORMAT;
    uint32_t channels = k210b_get32(body + 12), row = k210b_get32(body + 8);
    if (channels == 0 || channels > 1024 || row >= K210B_KPU_ROW_COUNT)
        return K210B_ERR_MODEL_FORMAT;
    return fits(row + k210b_rows_of(padded_map(channels)) <= K210B_KPU_ROW_COUNT &&
                k210b_v3_holds(m, body + 4, channels, 1));
}

void k210b_v3_add_padding_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_v3_at(run, body + 4);
    uint8_t *out = run->port->kpu_ram + k210b_get32(body + 8) * K210B_KPU_ROW_BYTES;
    uint32_t channels = k210b_get32(body + 12);
    for (uint32_t c = 0; c < channels; c++)
        out[k210b_row_offset(padded_map(channels), c, 0)] = in[c];
}

int k210b_v3_remove_padding_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    if (bytes < 16)
        return K210B_ERR_MODEL_FORMAT;
    uint32_t channels = k210b_get32(body + 12);
    return fits(k210b_v3_holds(m, body + 4, (uint64_t)channels * PADDED_SIDE * PADDED_SIDE, 1) &&
                k210b_v3_holds(m, body + 8, channels, 1));
}

void k210b_v3_remove_padding_run(k210b_run_t *run, const uint8_t *body)
{
    const uint8_t *in = k210b_v3_at(run, body + 4);
    uint8_t *out = k210b_v3_at(run, body + 8);
    uint32_t channels = k210b_get32(body + 12);
    for (uint32_t c = 0; c < channels; c++)
        out[c] = in[(size_t)c * PADDED_SIDE * PADDED_SIDE];
}

int k210b_v3_upload_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    uint64_t elements;
    if (bytes < 24 || !k210b_v3_sides(body + 12, 3, &elements) || !k210b_v3_holds(m, body + 4, elements, 1))
        return K210B_ERR_MODEL_FORMAT;
    uint32_t width = k210b_get32(body + 12), height = k210b_get32(body + 16), channels = k210b_get32(body + 20);
    if (width > 512 || height > 256 || channels > 1024)
        return K210B_ERR_MODEL_FORMAT;
    k210b_map_shape_t map = {(uint16_t)channels, (uint16_t)height, (uint16_t)width};
    return fits((uint64_t)k210b_get32(body + 8) + k210b_rows_of(map) <= K210B_KPU_ROW_COUNT);
}

void k210b_v3_upload_run(k210b_run_t *run, const uint8_t *body)
{
    k210b_map_shape_t map = {(uint16_t)k210b_get32(body + 20), (uint16_t)k210b_get32(body + 16),
                             (uint16_t)k210b_get32(body + 12)};
    k210b_rows_upload(run->port->kpu_ram + k210b_get32(body + 8) * K210B_KPU_ROW_BYTES, map,
                      k210b_v3_at(run, body + 4));
}
