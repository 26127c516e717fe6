/** The board's part of a model card: pictures in, outputs to boxes. Rows: protocol/messages/card.ts. */
#ifndef K210B_CARD_H
#define K210B_CARD_H

#include <stdint.h>

enum {
    K210B_CARD_OUTPUTS = 12, K210B_CARD_ANCHORS = 16, K210B_CARD_HEADS = 6, K210B_CARD_MIN_SIZES = 8,
    K210B_CARD_BYTES = 880      /**< longest binary card */
};
enum { K210B_COLOUR_RGB = 0, K210B_COLOUR_BGR = 1, K210B_COLOUR_GREY = 2 };
enum { K210B_RESIZE_LETTERBOX = 0, K210B_RESIZE_STRETCH = 1, K210B_RESIZE_CROP = 2 };
enum { K210B_DECODER_NONE = 0, K210B_DECODER_SSD = 1, K210B_DECODER_YOLOV2 = 2, K210B_DECODER_KINDS = 3 };
enum { K210B_TYPE_UINT8 = 0, K210B_TYPE_FLOAT32 = 4 };

/** One output of the kmodel: real = (code - zero_point) * scale. */
typedef struct k210b_card_output {
    uint16_t channels, height, width;
    uint8_t type;               /**< K210B_TYPE_* */
    float scale;
    int32_t zero_point;
} k210b_card_output_t;

/** One scale of an SSD head. */
typedef struct k210b_card_head {
    uint8_t scores, boxes;      /**< indices into outputs */
    uint16_t stride;
    uint8_t min_size_count;
    float min_sizes[K210B_CARD_MIN_SIZES];
} k210b_card_head_t;

/** Anchor in cells. */
typedef struct k210b_card_anchor {
    float w, h;
} k210b_card_anchor_t;

typedef struct k210b_card {
    uint16_t width, height;     /**< network input */
    uint8_t colour, resize, fill;
    uint8_t decoder;
    uint8_t output_count, anchor_count, head_count;
    uint8_t classes;            /**< yolov2: 0 = objectness only; ssd: with the background */
    float score_threshold, iou_threshold;
    uint16_t max_boxes;
    uint16_t stride;            /**< yolov2 */
    float centre_variance, size_variance;
    k210b_card_output_t outputs[K210B_CARD_OUTPUTS];
    k210b_card_anchor_t anchors[K210B_CARD_ANCHORS];
    k210b_card_head_t heads[K210B_CARD_HEADS];
} k210b_card_t;

/**
 * Reads a binary card and checks that the decoder's outputs exist with the channels it needs.
 * @return 0, K210B_ERR_BAD_REQUEST (does not parse), K210B_ERR_VERSION, K210B_ERR_RANGE (contradicts itself),
 *   K210B_ERR_MODEL_UNSUPPORTED (decoder or type that this build lacks)
 */
int k210b_card_parse(k210b_card_t *card, const uint8_t *data, uint32_t len);

#endif
