/** Picture to network input row by row, straight into KPU RAM where the input lies there. */
#include "k210b/image.h"

#include "k210b/mem.h"

enum { WEIGHT_ONE = 2048 };

/**
 * Position of target i on an axis of `from` source and `to` target pixels: (i + 0.5) * from / to - 0.5, clamped.
 * Exact integers: numerator over 2 * to.
 */
static k210b_image_column_t place(uint32_t i, uint32_t from, uint32_t to)
{
    int64_t numerator = (int64_t)(2 * i + 1) * from - to, denominator = 2 * (int64_t)to;
    int64_t last = (int64_t)(from - 1) * denominator;
    numerator = numerator < 0 ? 0 : numerator > last ? last : numerator;
    k210b_image_column_t column;
    column.first = (uint16_t)(numerator / denominator);
    column.second = (uint16_t)(column.first + 1u < from ? column.first + 1u : from - 1u);
    column.weight = (uint16_t)((numerator % denominator * WEIGHT_ONE * 2 + denominator) / (2 * denominator));
    return column;
}

/** a * b / c rounded half up, at least 1, at most `most`. */
static uint16_t scaled_side(uint32_t a, uint32_t b, uint32_t c, uint32_t most)
{
    uint32_t side = (uint32_t)((2 * (uint64_t)a * b + c) / (2 * (uint64_t)c));
    return (uint16_t)(side < 1 ? 1 : side > most ? most : side);
}

/** The larger side fits exactly, the other is rounded; placed at the top left. */
static void letterbox(k210b_image_map_t *m)
{
    if ((uint32_t)m->dst_width * m->src_height <= (uint32_t)m->dst_height * m->src_width)
        m->used_height = scaled_side(m->src_height, m->dst_width, m->src_width, m->dst_height);
    else
        m->used_width = scaled_side(m->src_width, m->dst_height, m->src_height, m->dst_width);
}

/** The middle of the picture that has the input's aspect ratio. */
static void crop(k210b_image_map_t *m)
{
    if ((uint32_t)m->dst_width * m->src_height >= (uint32_t)m->dst_height * m->src_width)
        m->window_height = scaled_side(m->dst_height, m->src_width, m->dst_width, m->src_height);
    else
        m->window_width = scaled_side(m->dst_width, m->src_height, m->dst_height, m->src_width);
    m->window_x = (uint16_t)((m->src_width - m->window_width) / 2);
    m->window_y = (uint16_t)((m->src_height - m->window_height) / 2);
}

int k210b_image_map(k210b_image_map_t *m, const k210b_card_t *card, uint16_t src_width, uint16_t src_height)
{
    memset(m, 0, sizeof *m);
    if (src_width == 0 || src_height == 0 || card->width == 0 || card->height == 0 ||
        card->width > K210B_IMAGE_MAX_WIDTH)
        return K210B_ERR_RANGE;
    m->src_width = m->window_width = src_width;
    m->src_height = m->window_height = src_height;
    m->dst_width = m->used_width = card->width;
    m->dst_height = m->used_height = card->height;
    m->fill = card->fill;
    m->colour = card->colour;
    if (card->resize == K210B_RESIZE_LETTERBOX)
        letterbox(m);
    else if (card->resize == K210B_RESIZE_CROP)
        crop(m);
    m->identity = m->used_width == m->window_width && m->used_height == m->window_height &&
        m->colour != K210B_COLOUR_GREY;
    for (uint32_t x = 0; x < m->used_width; x++) {
        m->columns[x] = place(x, m->window_width, m->used_width);
        m->columns[x].first += m->window_x;
        m->columns[x].second += m->window_x;
    }
    return K210B_OK;
}

/** One source row as bytes: a colour plane, or luma computed pixel by pixel. */
typedef struct source_row {
    const uint8_t *red;         /* the plane itself where `grey` is 0 */
    uint32_t plane;
    uint8_t grey;
} source_row_t;

static uint32_t source_pixel(const source_row_t *row, uint32_t x)
{
    const uint8_t *p = row->red + x;
    if (!row->grey)
        return *p;
    /* 14-bit weights of 0.299, 0.587 and 0.114, as OpenCV's RGB2GRAY. */
    return (p[0] * 4899u + p[row->plane] * 9617u + p[2 * (size_t)row->plane] * 1868u + 8192u) >> 14;
}

/** Pixel between two columns, times 2048. */
static uint32_t across(const source_row_t *row, const k210b_image_column_t *column)
{
    uint32_t left = source_pixel(row, column->first), right = source_pixel(row, column->second);
    return left * (WEIGHT_ONE - column->weight) + right * column->weight;
}

void k210b_image_row(const k210b_image_map_t *m, const uint8_t *planes, uint32_t channel, uint32_t y, uint8_t *out)
{
    if (y >= m->used_height) {
        memset(out, m->fill, m->dst_width);
        return;
    }
    uint32_t plane = (uint32_t)m->src_width * m->src_height;
    source_row_t upper = {planes, plane, m->colour == K210B_COLOUR_GREY};
    if (!upper.grey)
        upper.red += (size_t)plane * (m->colour == K210B_COLOUR_BGR ? 2 - channel : channel);
    source_row_t lower = upper;
    k210b_image_column_t at = place(y, m->window_height, m->used_height);
    upper.red += (size_t)(m->window_y + at.first) * m->src_width;
    lower.red += (size_t)(m->window_y + at.second) * m->src_width;
    if (m->identity)
        memcpy(out, upper.red + m->window_x, m->used_width);
    else
        for (uint32_t x = 0; x < m->used_width; x++) {
            /* OpenCV's VResizeLinear: each product loses 4 + 16 bits, the sum two more with rounding. */
            uint32_t above = (across(&upper, &m->columns[x]) >> 4) * (WEIGHT_ONE - (uint32_t)at.weight) >> 16;
            uint32_t below = (across(&lower, &m->columns[x]) >> 4) * at.weight >> 16;
            out[x] = (uint8_t)((above + below + 2) >> 2);
        }
    memset(out + m->used_width, m->fill, m->dst_width - m->used_width);
}

int k210b_image_to_input(const k210b_image_map_t *m, const uint8_t *planes, k210b_run_t *run)
{
    const uint32_t *shape = run->model->input_shape;
    uint32_t channels = m->colour == K210B_COLOUR_GREY ? 1 : 3;
    if (shape[0] != 1 || shape[1] != channels || shape[2] != m->dst_height || shape[3] != m->dst_width)
        return K210B_ERR_RANGE;
    for (uint32_t c = 0; c < channels; c++)
        for (uint32_t y = 0; y < m->dst_height; y++) {
            uint8_t *row = k210b_run_input_row(run, c, y);
            if (!row)
                return K210B_ERR_RANGE;
            k210b_image_row(m, planes, c, y, row);
        }
    return K210B_OK;
}

void k210b_image_map_boxes(const k210b_image_map_t *m, k210b_box_t *boxes, uint32_t count)
{
    float x_step = (float)m->window_width / (float)m->used_width;
    float y_step = (float)m->window_height / (float)m->used_height;
    for (uint32_t i = 0; i < count; i++) {
        boxes[i].x = boxes[i].x * x_step + (float)m->window_x;
        boxes[i].y = boxes[i].y * y_step + (float)m->window_y;
        boxes[i].w *= x_step;
        boxes[i].h *= y_step;
    }
}
