/** Camera picture (planar RGB) to network input, and boxes back to the picture. Integer bilinear, half-pixel centres. */
#ifndef K210B_IMAGE_H
#define K210B_IMAGE_H

#include <stdint.h>

#include "k210b/card.h"
#include "k210b/decode.h"
#include "k210b/model.h"

/** Geometry of one resize. Source position of network pixel x: (x + 0.5) * step + offset - 0.5, clamped to the picture. */
typedef struct k210b_image_map {
    uint16_t src_width, src_height;
    uint16_t dst_width, dst_height;     /**< network input */
    uint16_t used_width, used_height;   /**< part of it that shows the picture (letterbox: top left) */
    uint8_t fill;
    uint8_t colour;
    uint8_t identity;                   /**< 1: rows are copied as they are */
    float step_x, step_y;               /**< picture pixels per network pixel */
    float offset_x, offset_y;           /**< picture position of the network's origin (crop) */
} k210b_image_map_t;

/** Sets the geometry of `card` for a picture; K210B_ERR_RANGE for a side of 0. */
int k210b_image_map(k210b_image_map_t *map, const k210b_card_t *card, uint16_t src_width, uint16_t src_height);
/** One network row of one channel (card's colour order; grey: channel 0 only); dst_width bytes. */
void k210b_image_row(const k210b_image_map_t *map, const uint8_t *planes, uint32_t channel, uint32_t y, uint8_t *row);
/** All rows into the input of a run that has begun; K210B_ERR_RANGE when the model's input has another size. */
int k210b_image_to_input(const k210b_image_map_t *map, const uint8_t *planes, k210b_run_t *run);
/** Boxes from network-input pixels to picture pixels, in place. */
void k210b_image_map_boxes(const k210b_image_map_t *map, k210b_box_t *boxes, uint32_t count);

#endif
