/** Binary card to plain struct through the generated row, and the checks that let decoders run without any. */
#include "k210b/card.h"

#include "../generated/k210b_protocol.h"
#include "k210b/mem.h"
#include "k210b/status.h"

enum { CARD_VERSION = 1, YOLOV2_BOX_CHANNELS = 5 };

static void copy_outputs(k210b_card_t *card, const k210b_wire_card_t *wire)
{
    card->output_count = (uint8_t)wire->outputs_count;
    for (uint32_t i = 0; i < wire->outputs_count; i++) {
        const k210b_wire_card_output_t *o = &wire->outputs[i];
        card->outputs[i] = (k210b_card_output_t){o->channels, o->height, o->width, o->type, o->scale, o->zero_point};
    }
}

static void copy_decoder(k210b_card_t *card, const k210b_wire_card_t *wire)
{
    card->anchor_count = (uint8_t)wire->anchors_count;
    for (uint32_t i = 0; i < wire->anchors_count; i++)
        card->anchors[i] = (k210b_card_anchor_t){wire->anchors[i].w, wire->anchors[i].h};
    card->head_count = (uint8_t)wire->heads_count;
    for (uint32_t i = 0; i < wire->heads_count; i++) {
        const k210b_wire_card_head_t *from = &wire->heads[i];
        k210b_card_head_t *to = &card->heads[i];
        to->scores = from->scores;
        to->boxes = from->boxes;
        to->stride = from->stride;
        to->min_size_count = (uint8_t)from->min_sizes_count;
        memcpy(to->min_sizes, from->min_sizes, sizeof to->min_sizes);
    }
}

static int check_yolov2(const k210b_card_t *card)
{
    uint32_t wanted = card->anchor_count * (uint32_t)(YOLOV2_BOX_CHANNELS + card->classes);
    int complete = card->output_count >= 1 && card->anchor_count >= 1 && card->stride >= 1;
    return complete && card->outputs[0].channels >= wanted ? K210B_OK : K210B_ERR_RANGE;
}

static int check_head(const k210b_card_t *card, const k210b_card_head_t *head)
{
    if (head->scores >= card->output_count || head->boxes >= card->output_count || head->stride == 0)
        return K210B_ERR_RANGE;
    const k210b_card_output_t *scores = &card->outputs[head->scores], *boxes = &card->outputs[head->boxes];
    int same_grid = scores->height == boxes->height && scores->width == boxes->width;
    int channels = scores->channels >= (uint32_t)head->min_size_count * card->classes &&
                   boxes->channels >= 4u * head->min_size_count;
    return same_grid && channels ? K210B_OK : K210B_ERR_RANGE;
}

static int check_decoder(const k210b_card_t *card)
{
    switch (card->decoder) {
    case K210B_DECODER_NONE: return K210B_OK;
    case K210B_DECODER_YOLOV2: return check_yolov2(card);
    case K210B_DECODER_SSD: break;
    default: return K210B_ERR_MODEL_UNSUPPORTED;
    }
    if (card->classes < 2 || card->head_count == 0)
        return K210B_ERR_RANGE;
    for (uint32_t i = 0; i < card->head_count; i++)
        if (check_head(card, &card->heads[i]))
            return K210B_ERR_RANGE;
    return K210B_OK;
}

static int check_outputs(const k210b_card_t *card)
{
    for (uint32_t i = 0; i < card->output_count; i++) {
        const k210b_card_output_t *o = &card->outputs[i];
        if (o->type != K210B_TYPE_UINT8 && o->type != K210B_TYPE_FLOAT32)
            return K210B_ERR_MODEL_UNSUPPORTED;
        if (o->channels == 0 || o->height == 0 || o->width == 0 || !(o->scale > 0) || o->zero_point < -65536 ||
            o->zero_point > 65536)
            return K210B_ERR_RANGE;
        if ((uint64_t)o->channels * o->height * o->width > INT32_MAX)
            return K210B_ERR_RANGE;
    }
    return K210B_OK;
}

int k210b_card_parse(k210b_card_t *card, const uint8_t *data, uint32_t len)
{
    k210b_wire_card_t wire;
    memset(card, 0, sizeof *card);
    if (k210b_decode(&k210b_row_card, data, len, &wire) < 0)
        return K210B_ERR_BAD_REQUEST;
    if (wire.version != CARD_VERSION)
        return K210B_ERR_VERSION;
    card->width = wire.width;
    card->height = wire.height;
    card->colour = wire.colour;
    card->resize = wire.resize;
    card->fill = wire.fill;
    card->decoder = wire.decoder;
    card->classes = wire.classes;
    card->score_threshold = wire.score_threshold;
    card->iou_threshold = wire.iou_threshold;
    card->max_boxes = wire.max_boxes;
    card->stride = wire.stride;
    card->centre_variance = wire.centre_variance;
    card->size_variance = wire.size_variance;
    copy_outputs(card, &wire);
    copy_decoder(card, &wire);
    if (card->width == 0 || card->height == 0 || card->colour > K210B_COLOUR_GREY || card->resize > K210B_RESIZE_CROP)
        return K210B_ERR_RANGE;
    int status = check_outputs(card);
    return status ? status : check_decoder(card);
}
