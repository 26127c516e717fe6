/** Feature maps between KPU RAM's row layout and dense NCHW (kpu.md section 4). */
#include "k210b/kpu_rows.h"

#include "k210b/mem.h"

k210b_row_layout_t k210b_row_layout(uint32_t width)
{
    k210b_row_layout_t layout = {1, (uint8_t)((width + 63) / 64), 64};
    if (width <= 16)
        layout = (k210b_row_layout_t){4, 1, 16};
    else if (width <= 32)
        layout = (k210b_row_layout_t){2, 1, 32};
    return layout;
}

uint32_t k210b_rows_of(k210b_map_shape_t shape)
{
    k210b_row_layout_t layout = k210b_row_layout(shape.width);
    return layout.row_len * (uint32_t)shape.height * ((shape.channels + layout.groups - 1u) / layout.groups);
}

uint32_t k210b_row_offset(k210b_map_shape_t shape, uint32_t channel, uint32_t y)
{
    k210b_row_layout_t layout = k210b_row_layout(shape.width);
    uint32_t row_bytes = layout.row_len * (uint32_t)K210B_KPU_ROW_BYTES;
    return (channel / layout.groups * shape.height + y) * row_bytes + channel % layout.groups * layout.row_pitch;
}

void k210b_rows_upload(uint8_t *base, k210b_map_shape_t shape, const uint8_t *dense)
{
    if (shape.width % 64 == 0) { /* both layouts are the same bytes */
        memcpy(base, dense, (size_t)shape.channels * shape.height * shape.width);
        return;
    }
    for (uint32_t c = 0; c < shape.channels; c++)
        for (uint32_t y = 0; y < shape.height; y++, dense += shape.width)
            memcpy(base + k210b_row_offset(shape, c, y), dense, shape.width);
}

/** One image row, eight bytes at a time: rows begin at multiples of 16 bytes, so every load is aligned. */
static void copy_row(uint8_t *dense, const uint8_t *row, uint32_t width)
{
    for (; width >= 8; width -= 8, dense += 8, row += 8)
        k210b_put64(dense, k210b_get64(row));
    if (width) {
        uint64_t last = k210b_get64(row); /* the layout's padding makes the whole word readable */
        memcpy(dense, &last, width);
    }
}

void k210b_rows_download(uint8_t *dense, const uint8_t *base, k210b_map_shape_t shape)
{
    for (uint32_t c = 0; c < shape.channels; c++)
        for (uint32_t y = 0; y < shape.height; y++, dense += shape.width)
            copy_row(dense, base + k210b_row_offset(shape, c, y), shape.width);
}
