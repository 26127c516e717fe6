/**
 * Camera picture (planar RGB) to network input, and boxes back to the picture. Integer bilinear with half-pixel
 * centres, byte for byte what host/vision does (11-bit weights, rounding of OpenCV's INTER_LINEAR).
 */
#ifndef K210B_IMAGE_H
#define K210B_IMAGE_H

#include <stdint.h>

#include "k210b/card.h"
#include "k210b/decode.h"
#include "k210b/model.h"

enum { K210B_IMAGE_MAX_WIDTH = 512 };  /**< as the KPU */

/** Two neighbouring source columns of a network column: first, the one after it, and the weight of that in 1/2048. */
typedef struct k210b_image_column {
    uint16_t first, second;
    uint16_t weight;
} k210b_image_column_t;

/** Geometry of one resize: a window of the picture onto the top left of the network's input, the rest filled. */
typedef struct k210b_image_map {
    uint16_t src_width, src_height;
    uint16_t window_x, window_y, window_width, window_height;   /**< part of the picture (crop: the middle) */
    uint16_t dst_width, dst_height;     /**< network input */
    uint16_t used_width, used_height;   /**< part of it that shows the picture (letterbox: may be smaller) */
    uint8_t fill;
    uint8_t colour;
    uint8_t identity;                   /**< 1: pixels are copied as they are */
    k210b_image_column_t columns[K210B_IMAGE_MAX_WIDTH];
} k210b_image_map_t;

/** Sets the geometry of `card` for a picture; K210B_ERR_RANGE for a side of 0 or an input over 512 wide. */
int k210b_image_map(k210b_image_map_t *map, const k210b_card_t *card, uint16_t src_width, uint16_t src_height);
/** One network row of one channel (card's colour order; grey: channel 0 only); dst_width bytes. */
void k210b_image_row(const k210b_image_map_t *map, const uint8_t *planes, uint32_t channel, uint32_t y, uint8_t *row);
/** All rows into the input of a run that has begun; K210B_ERR_RANGE when the model's input has another size. */
int k210b_image_to_input(const k210b_image_map_t *map, const uint8_t *planes, k210b_run_t *run);
/** Boxes from network-input pixels to picture pixels, in place. */
void k210b_image_map_boxes(const k210b_image_map_t *map, k210b_box_t *boxes, uint32_t count);

#endif
