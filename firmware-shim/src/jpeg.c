/** JPEG file: headers, entropy coding, rows of blocks (ITU T.81 annexes B and F). The transform is in jpeg_block.c. */
#include "k210b/jpeg.h"

#include "jpeg_block.h"
#include "jpeg_tables.h"
#include "k210b/mem.h"

enum { SOI = 0xD8, EOI = 0xD9, DQT = 0xDB, SOF0 = 0xC0, DHT = 0xC4, SOS = 0xDA, APP0 = 0xE0 };
enum { LUMA = 0, CHROMA = 1, BLOCK_SIDE = 16, END_OF_BLOCK = 0x00, SIXTEEN_ZEROS = 0xF0 };

static void put_byte(k210b_jpeg_t *j, uint32_t value)
{
    if (j->used == j->cap) {
        j->overflow = 1;
        return;
    }
    j->out[j->used++] = (uint8_t)value;
}

static void put_word(k210b_jpeg_t *j, uint32_t value)
{
    put_byte(j, value >> 8);
    put_byte(j, value);
}

static void put_bytes(k210b_jpeg_t *j, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        put_byte(j, bytes[i]);
}

static void put_marker(k210b_jpeg_t *j, uint8_t marker)
{
    put_byte(j, 0xFF);
    put_byte(j, marker);
}

/** Up to 16 bits; a byte 0xFF in the entropy-coded part is followed by 0x00. */
static void put_bits(k210b_jpeg_t *j, uint32_t value, uint32_t count)
{
    j->bits = j->bits << count | value;
    j->bit_count = (uint8_t)(j->bit_count + count);
    while (j->bit_count >= 8) {
        uint8_t byte = (uint8_t)(j->bits >> (j->bit_count - 8));
        put_byte(j, byte);
        if (byte == 0xFF)
            put_byte(j, 0);
        j->bit_count = (uint8_t)(j->bit_count - 8);
    }
}

/** Codes in order of length, T.81 annex C. */
static void make_huffman(k210b_huffman_t *h, const k210b_huffman_spec_t *spec)
{
    uint32_t code = 0, next = 0;
    for (uint32_t length = 1; length <= 16; length++, code <<= 1)
        for (uint32_t i = 0; i < spec->counts[length - 1]; i++, next++, code++) {
            h->code[spec->symbols[next]] = (uint16_t)code;
            h->length[spec->symbols[next]] = (uint8_t)length;
        }
}

/** Steps of libjpeg's quality scale: the annex K table at 50. */
static void make_quant(k210b_jpeg_t *j, uint8_t quality)
{
    uint32_t q = quality < 10 ? 10 : quality > 95 ? 95 : quality;
    /* Small levels of coarse steps cost more bits than they are worth: +0.1 to 0.2 dB at equal size. */
    j->bias = q <= 50 ? 7 : 8;
    uint32_t percent = q < 50 ? 5000 / q : 200 - 2 * q;
    for (uint32_t t = 0; t < 2; t++)
        for (uint32_t i = 0; i < 64; i++) {
            uint32_t step = (k210b_jpeg_quant[t][k210b_jpeg_zigzag[i]] * percent + 50) / 100;
            j->quant[t][i] = (uint8_t)(step < 1 ? 1 : step > 255 ? 255 : step);
        }
}

static void put_huffman(k210b_jpeg_t *j, uint8_t class_and_id, const k210b_huffman_spec_t *spec)
{
    put_byte(j, class_and_id);
    put_bytes(j, spec->counts, 16);
    put_bytes(j, spec->symbols, spec->symbol_count);
}

static void put_tables(k210b_jpeg_t *j)
{
    put_marker(j, DQT);
    put_word(j, 2 + 2 * 65);
    for (uint32_t t = 0; t < 2; t++) {
        put_byte(j, t);
        put_bytes(j, j->quant[t], 64);
    }
    put_marker(j, DHT);
    put_word(j, 2 + 2 * (17 + 12) + 2 * (17 + 162));
    for (uint8_t t = 0; t < 2; t++) {
        put_huffman(j, t, &k210b_jpeg_dc[t]);
        put_huffman(j, 0x10 | t, &k210b_jpeg_ac[t]);
    }
}

/** Component rows of SOF0: id, sampling factors, quantization table. */
static const uint8_t frame_components[9] = {1, 0x22, LUMA, 2, 0x11, CHROMA, 3, 0x11, CHROMA};
/** Component rows of SOS: id, Huffman tables; then the whole spectrum at once. */
static const uint8_t scan_components[9] = {1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0};
static const uint8_t jfif[14] = {'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0};

static void put_headers(k210b_jpeg_t *j)
{
    put_marker(j, SOI);
    put_marker(j, APP0);
    put_word(j, 2 + sizeof jfif);
    put_bytes(j, jfif, sizeof jfif);
    put_tables(j);
    put_marker(j, SOF0);
    put_word(j, 17);
    put_byte(j, 8);
    put_word(j, j->height);
    put_word(j, j->width);
    put_byte(j, 3);
    put_bytes(j, frame_components, sizeof frame_components);
    put_marker(j, SOS);
    put_word(j, 12);
    put_byte(j, 3);
    put_bytes(j, scan_components, sizeof scan_components);
}

int k210b_jpeg_begin(k210b_jpeg_t *j, const uint8_t *planes, uint16_t width, uint16_t height, uint8_t quality,
                     uint8_t *out, uint32_t cap)
{
    memset(j, 0, sizeof *j);
    if (!planes || !out || width == 0 || height == 0)
        return K210B_ERR_RANGE;
    j->planes = planes;
    j->width = width;
    j->height = height;
    j->out = out;
    j->cap = cap;
    make_quant(j, quality);
    for (uint32_t t = 0; t < 2; t++) {
        make_huffman(&j->dc[t], &k210b_jpeg_dc[t]);
        make_huffman(&j->ac[t], &k210b_jpeg_ac[t]);
    }
    put_headers(j);
    return j->overflow ? K210B_ERR_SPACE : K210B_OK;
}

static uint32_t magnitude_bits(int32_t v)
{
    uint32_t size = 0;
    for (uint32_t m = (uint32_t)(v < 0 ? -v : v); m; m >>= 1)
        size++;
    return size;
}

/** Symbol, then the value's bits; negative values are sent minus one (T.81 section F.1.2). */
static void put_value(k210b_jpeg_t *j, const k210b_huffman_t *h, uint32_t run, int32_t v)
{
    uint32_t size = magnitude_bits(v), symbol = run << 4 | size;
    put_bits(j, h->code[symbol], h->length[symbol]);
    if (size)
        put_bits(j, (uint32_t)(v < 0 ? v - 1 : v) & ((1u << size) - 1), size);
}

static void put_block(k210b_jpeg_t *j, const int16_t samples[64], uint32_t component)
{
    uint32_t table = component ? CHROMA : LUMA, run = 0;
    int16_t levels[64];
    k210b_jpeg_transform(levels, samples, j->quant[table], j->bias);
    put_value(j, &j->dc[table], 0, levels[0] - j->last_dc[component]);
    j->last_dc[component] = levels[0];
    const k210b_huffman_t *ac = &j->ac[table];
    for (uint32_t i = 1; i < 64; i++) {
        if (levels[i] == 0) {
            run++;
            continue;
        }
        for (; run >= 16; run -= 16)
            put_bits(j, ac->code[SIXTEEN_ZEROS], ac->length[SIXTEEN_ZEROS]);
        put_value(j, ac, run, levels[i]);
        run = 0;
    }
    if (run)
        put_bits(j, ac->code[END_OF_BLOCK], ac->length[END_OF_BLOCK]);
}

static uint32_t block_rows(const k210b_jpeg_t *j) { return (j->height + BLOCK_SIDE - 1u) / BLOCK_SIDE; }

int k210b_jpeg_rows(k210b_jpeg_t *j, uint16_t count)
{
    k210b_jpeg_samples_t s;
    for (; count && j->next_row < block_rows(j); count--, j->next_row++)
        for (uint32_t x = 0; x < j->width; x += BLOCK_SIDE) {
            k210b_jpeg_samples(&s, j->planes, j->width, j->height, x, j->next_row * (uint32_t)BLOCK_SIDE);
            for (uint32_t b = 0; b < 4; b++)
                put_block(j, s.luma[b], 0);
            put_block(j, s.blue, 1);
            put_block(j, s.red, 2);
        }
    if (j->overflow)
        return K210B_ERR_SPACE;
    return j->next_row == block_rows(j);
}

int k210b_jpeg_finish(k210b_jpeg_t *j)
{
    if (j->next_row != block_rows(j))
        return K210B_ERR_STATE;
    if (j->bit_count)
        put_bits(j, 0x7F, 7); /* the last byte is filled with ones */
    j->bit_count = 0;
    put_marker(j, EOI);
    return j->overflow ? K210B_ERR_SPACE : (int)j->used;
}

int k210b_jpeg_encode(k210b_jpeg_t *j, const uint8_t *planes, uint16_t width, uint16_t height, uint8_t quality,
                      uint8_t *out, uint32_t cap)
{
    int status = k210b_jpeg_begin(j, planes, width, height, quality, out, cap);
    if (status == K210B_OK)
        status = k210b_jpeg_rows(j, UINT16_MAX);
    return status < 0 ? status : k210b_jpeg_finish(j);
}
