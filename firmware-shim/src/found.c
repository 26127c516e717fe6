/** From output maps to boxes in 1/8 pixels of the picture, and to the wire. */
#include "core.h"

static int16_t eighths(float pixels)
{
    float scaled = pixels * 8.0f;
    if (!(scaled < 32767.0f))
        return 32767; /* NaN too: converting it would trap */
    if (scaled < -32768.0f)
        return -32768;
    return (int16_t)(scaled < 0 ? scaled - 0.5f : scaled + 0.5f);
}

static uint16_t score_bits(float score)
{
    if (!(score > 0))
        return 0;
    return score >= 1.0f ? 65535 : (uint16_t)(score * 65535.0f + 0.5f);
}

static void keep(k210b_found_t *found, const k210b_box_t *boxes, uint32_t count)
{
    found->count = (uint8_t)k210b_min(count, K210B_BOXES);
    for (uint32_t i = 0; i < found->count; i++) {
        found->boxes[i].x = eighths(boxes[i].x);
        found->boxes[i].y = eighths(boxes[i].y);
        found->boxes[i].w = eighths(boxes[i].w);
        found->boxes[i].h = eighths(boxes[i].h);
        found->boxes[i].score = score_bits(boxes[i].score);
        found->boxes[i].label = boxes[i].label;
    }
}

static uint32_t read_maps(const k210b_run_t *run, uint32_t count, k210b_output_map_t *maps)
{
    uint32_t i = 0;
    for (; i < count; i++)
        if (k210b_run_output(run, i, &maps[i].data, &maps[i].bytes) < 0)
            break;
    return i;
}

int k210b_found_decode(k210b_t *shim)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    k210b_output_map_t maps[K210B_CARD_OUTPUTS];
    k210b_card_t card = shim->models.slots[pipeline->run_slot].card;
    int from_camera = !pipeline->for_infer || pipeline->infer_source == K210B_SOURCE_CAMERA;
    if (card.decoder == K210B_DECODER_NONE)
        return K210B_OK;
    if (!pipeline->for_infer && pipeline->score_threshold > 0)
        card.score_threshold = pipeline->score_threshold;
    uint32_t count = read_maps(&pipeline->run, card.output_count, maps);
    int boxes = k210b_decode_boxes(&card, maps, count, pipeline->candidates, K210B_CANDIDATES);
    if (boxes < 0)
        return boxes;
    if (from_camera)
        k210b_image_map_boxes(&pipeline->map, pipeline->candidates, (uint32_t)boxes);
    keep(&pipeline->found, pipeline->candidates, (uint32_t)boxes);
    return K210B_OK;
}

static void put_boxes(const k210b_found_t *found, k210b_wire_box_t *boxes)
{
    for (uint32_t i = 0; i < found->count; i++) {
        boxes[i].x = found->boxes[i].x;
        boxes[i].y = found->boxes[i].y;
        boxes[i].w = found->boxes[i].w;
        boxes[i].h = found->boxes[i].h;
        boxes[i].score = found->boxes[i].score;
        boxes[i].label = found->boxes[i].label;
    }
}

void k210b_found_result(const k210b_found_t *found, k210b_wire_result_t *row)
{
    row->frame_id = found->frame_id;
    row->capture_us = found->capture_us;
    row->done_us = found->done_us;
    row->slot = found->slot;
    memcpy(row->model_hash, found->model_hash, sizeof row->model_hash);
    memcpy(row->stage_us, found->stage_us, sizeof found->stage_us);
    row->stage_us_count = K210B_STAGES;
    put_boxes(found, row->boxes);
    row->boxes_count = found->count;
    row->dropped = found->dropped;
}

void k210b_found_answer(const k210b_found_t *found, k210b_wire_infer_answer_t *row)
{
    row->status = K210B_STATUS_OK;
    row->frame_id = found->frame_id;
    row->capture_us = found->capture_us;
    row->done_us = found->done_us;
    row->slot = found->slot;
    memcpy(row->model_hash, found->model_hash, sizeof row->model_hash);
    memcpy(row->stage_us, found->stage_us, sizeof found->stage_us);
    row->stage_us_count = K210B_STAGES;
    put_boxes(found, row->boxes);
    row->boxes_count = found->count;
    row->dropped = found->dropped;
}
