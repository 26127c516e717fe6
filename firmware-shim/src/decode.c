/** Decoder of a card by table, then suppression. */
#include "k210b/decode.h"

#include <stddef.h>

typedef void (*decoder_t)(const k210b_card_t *, const k210b_output_map_t *, k210b_candidates_t *);

static const decoder_t decoders[K210B_DECODER_KINDS] = {
    [K210B_DECODER_NONE] = NULL,
    [K210B_DECODER_SSD] = k210b_decode_ssd,
    [K210B_DECODER_YOLOV2] = k210b_decode_yolov2,
};

static int maps_fit(const k210b_card_t *card, const k210b_output_map_t *maps, uint32_t map_count)
{
    if (map_count < card->output_count)
        return 0;
    for (uint32_t i = 0; i < card->output_count; i++) {
        const k210b_card_output_t *o = &card->outputs[i];
        uint64_t elements = (uint64_t)o->channels * o->height * o->width;
        if (maps[i].bytes < elements * (o->type == K210B_TYPE_FLOAT32 ? 4 : 1))
            return 0;
    }
    return 1;
}

int k210b_decode_boxes(const k210b_card_t *card, const k210b_output_map_t *maps, uint32_t map_count, k210b_box_t *boxes,
                       uint32_t cap)
{
    if (card->decoder >= K210B_DECODER_KINDS)
        return K210B_ERR_MODEL_UNSUPPORTED;
    if (!decoders[card->decoder])
        return 0;
    if (!maps_fit(card, maps, map_count))
        return K210B_ERR_RANGE;
    k210b_candidates_t found = {boxes, 0, cap, 0};
    decoders[card->decoder](card, maps, &found);
    return (int)k210b_nms(boxes, found.count, card->iou_threshold, card->max_boxes);
}
