/** Colour conversion, 4:2:0 sampling, integer DCT and quantization. */
#include "jpeg_block.h"

#include "jpeg_tables.h"

enum { HALF_16 = 1 << 15, SIDE = 8, BLOCK_SIDE = 16 };

/* BT.601 as JFIF uses it, times 65536. */
static int32_t luma_of(int32_t r, int32_t g, int32_t b)
{
    return ((19595 * r + 38470 * g + 7471 * b + HALF_16) >> 16) - 128;
}

static uint32_t at_most(uint32_t v, uint32_t limit) { return v < limit ? v : limit; }

void k210b_jpeg_samples(k210b_jpeg_samples_t *s, const uint8_t *planes, uint32_t width, uint32_t height, uint32_t x,
                        uint32_t y)
{
    uint32_t plane = width * height;
    int32_t sums[3][64] = {{0}}; /* RGB of 2 x 2 pixels: chroma is linear, so it can be taken of the sum */
    for (uint32_t dy = 0; dy < BLOCK_SIDE; dy++)
        for (uint32_t dx = 0; dx < BLOCK_SIDE; dx++) {
            const uint8_t *p = planes + (at_most(y + dy, height - 1) * width + at_most(x + dx, width - 1));
            int32_t r = p[0], g = p[plane], b = p[2 * (uint64_t)plane];
            s->luma[dy / SIDE * 2 + dx / SIDE][dy % SIDE * SIDE + dx % SIDE] = (int16_t)luma_of(r, g, b);
            uint32_t quarter = dy / 2 * SIDE + dx / 2;
            sums[0][quarter] += r;
            sums[1][quarter] += g;
            sums[2][quarter] += b;
        }
    for (uint32_t i = 0; i < 64; i++) {
        int32_t r = sums[0][i], g = sums[1][i], b = sums[2][i];
        s->blue[i] = (int16_t)((-11059 * r - 21709 * g + 32768 * b + 2 * 65536 - 1) >> 18);
        s->red[i] = (int16_t)((32768 * r - 27439 * g - 5329 * b + 2 * 65536 - 1) >> 18);
    }
}

/* cos(k * pi / 16) times 8192. */
enum { C1 = 8035, C2 = 7568, C3 = 6811, C4 = 5793, C5 = 4551, C6 = 3135, C7 = 1598 };

/** Eight-point DCT without its factor 1/2; in and out `step` apart; results times 8192 / 2^shift, rounded. */
static void dct(int32_t *v, uint32_t step, uint32_t shift)
{
    int32_t s[4], d[4], half = 1 << (shift - 1);
    for (uint32_t i = 0; i < 4; i++) {
        s[i] = v[i * step] + v[(7 - i) * step];
        d[i] = v[i * step] - v[(7 - i) * step];
    }
    v[0] = ((s[0] + s[1] + s[2] + s[3]) * C4 + half) >> shift;
    v[4 * step] = ((s[0] - s[1] - s[2] + s[3]) * C4 + half) >> shift;
    v[2 * step] = ((s[0] - s[3]) * C2 + (s[1] - s[2]) * C6 + half) >> shift;
    v[6 * step] = ((s[0] - s[3]) * C6 - (s[1] - s[2]) * C2 + half) >> shift;
    v[1 * step] = (d[0] * C1 + d[1] * C3 + d[2] * C5 + d[3] * C7 + half) >> shift;
    v[3 * step] = (d[0] * C3 - d[1] * C7 - d[2] * C1 - d[3] * C5 + half) >> shift;
    v[5 * step] = (d[0] * C5 - d[1] * C1 + d[2] * C7 + d[3] * C3 + half) >> shift;
    v[7 * step] = (d[0] * C7 - d[1] * C5 + d[2] * C3 - d[3] * C1 + half) >> shift;
}

/** Rounds to a multiple of the step (both with 3 fraction bits); `bias` in 1/16 steps, 8 = to the nearest. */
static int32_t quantize(int32_t c, int32_t step, int32_t bias)
{
    int32_t size = (c < 0 ? -c : c) + step * bias / 16;
    int32_t level = size < step ? 0 : size / step; /* most are 0: spares the division */
    return c < 0 ? -level : level;
}

void k210b_jpeg_transform(int16_t levels[64], const int16_t samples[64], const uint8_t steps[64], uint8_t bias)
{
    int32_t v[64];
    for (uint32_t i = 0; i < 64; i++)
        v[i] = samples[i];
    /* Rows keep 4 fraction bits. Columns: 2^13 * 16 times four (two missing halves) down to 3 fraction bits. */
    for (uint32_t row = 0; row < 8; row++)
        dct(v + 8 * row, 1, 9);
    for (uint32_t column = 0; column < 8; column++)
        dct(v + column, 8, 16);
    levels[0] = (int16_t)quantize(v[0], steps[0] * 8, 8);
    for (uint32_t i = 1; i < 64; i++)
        levels[i] = (int16_t)quantize(v[k210b_jpeg_zigzag[i]], steps[i] * 8, bias);
}
