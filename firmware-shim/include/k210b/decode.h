/**
 * Output maps to boxes, reading the quantized maps where they lie. exp() is computed for candidates only: cells below
 * the threshold are dropped by comparing codes. Rules that both implementations follow: test/golden/decoders.json.
 */
#ifndef K210B_DECODE_H
#define K210B_DECODE_H

#include <stdint.h>

#include "k210b/card.h"
#include "k210b/status.h"

/** Top left and size in pixels of the network input (not clipped to it). */
typedef struct k210b_box {
    float x, y, w, h;
    float score;                /**< 0..1 */
    uint32_t index;             /**< place in the decoder's order: breaks ties of equal scores */
    uint8_t label;
} k210b_box_t;

/** Bytes of one output, in the card's order. */
typedef struct k210b_output_map {
    const uint8_t *data;
    uint32_t bytes;
} k210b_output_map_t;

/** Candidates kept in order of score; the worst falls out when the caller's memory is full. */
typedef struct k210b_candidates {
    k210b_box_t *boxes;
    uint32_t count, cap;
    uint32_t dropped;           /**< candidates that fell out */
} k210b_candidates_t;

/** Boxes that decoding wants as working memory; with fewer the best candidates are kept. */
enum { K210B_CANDIDATES = 256 };

/**
 * Decodes and suppresses. `boxes` is working memory for `cap` candidates and receives the result.
 * @return number of boxes, best first, at most card->max_boxes; K210B_ERR_RANGE when a map is shorter than its shape
 */
int k210b_decode_boxes(const k210b_card_t *card, const k210b_output_map_t *maps, uint32_t map_count, k210b_box_t *boxes,
                       uint32_t cap);

/** Parts of the above, each in a file of its own. */
void k210b_decode_yolov2(const k210b_card_t *card, const k210b_output_map_t *maps, k210b_candidates_t *found);
void k210b_decode_ssd(const k210b_card_t *card, const k210b_output_map_t *maps, k210b_candidates_t *found);
/** Inserts in order of score, then index. Boxes that are empty or not finite are dropped. */
void k210b_candidates_add(k210b_candidates_t *found, const k210b_box_t *box);
/** Greedy suppression within each label, in place; returns how many stay. */
uint32_t k210b_nms(k210b_box_t *boxes, uint32_t count, float iou_threshold, uint32_t max_boxes);
/** Intersection over union, 0 where boxes do not meet. */
float k210b_iou(const k210b_box_t *a, const k210b_box_t *b);

#endif
