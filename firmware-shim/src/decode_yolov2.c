/** YOLOv2 region: channel = anchor * (5 + classes) + (tx, ty, tw, th, objectness, class...). See host/card/card.ts. */
#include "decode_internal.h"

/** Parts of one region output that stay the same for all cells. */
typedef struct region {
    k210b_cells_t cells;
    const k210b_card_t *card;
    uint32_t plane;     /* cells of one channel */
    uint32_t width;
} region_t;

/** Most probable class and its softmax share; 1 with fewer than two classes. */
static float class_share(const region_t *r, uint32_t first, uint8_t *label)
{
    uint32_t classes = r->card->classes;
    *label = 0;
    if (classes < 2)
        return 1;
    float top = k210b_cell(&r->cells, first), sum = 0;
    for (uint32_t c = 1; c < classes; c++) {
        float v = k210b_cell(&r->cells, first + c * r->plane);
        if (v > top) {
            top = v;
            *label = (uint8_t)c;
        }
    }
    for (uint32_t c = 0; c < classes; c++)
        sum += k210b_exp(k210b_cell(&r->cells, first + c * r->plane) - top);
    return 1 / sum;
}

/** Full decoding of one cell whose objectness passed. */
static void add_cell(const region_t *r, uint32_t anchor, uint32_t at, k210b_candidates_t *found)
{
    const k210b_card_t *card = r->card;
    uint32_t first = anchor * (5u + card->classes) * r->plane + at;
    k210b_box_t box;
    float objectness = k210b_cell(&r->cells, first + 4 * r->plane);
    box.score = k210b_sigmoid(objectness) * class_share(r, first + 5 * r->plane, &box.label);
    if (!(box.score >= card->score_threshold)) /* NaN too */
        return;
    float stride = (float)card->stride;
    float x = (float)(at % r->width) + k210b_sigmoid(k210b_cell(&r->cells, first));
    float y = (float)(at / r->width) + k210b_sigmoid(k210b_cell(&r->cells, first + r->plane));
    box.w = k210b_exp(k210b_cell(&r->cells, first + 2 * r->plane)) * card->anchors[anchor].w * stride;
    box.h = k210b_exp(k210b_cell(&r->cells, first + 3 * r->plane)) * card->anchors[anchor].h * stride;
    box.x = x * stride - box.w / 2;
    box.y = y * stride - box.h / 2;
    box.index = anchor * r->plane + at;
    k210b_candidates_add(found, &box);
}

/** Lowest code whose objectness may pass; 256 when none does. */
static uint32_t threshold_code(const k210b_card_output_t *spec, float logit)
{
    uint32_t code = 0;
    while (code < 256 && (float)((int32_t)code - spec->zero_point) * spec->scale < logit)
        code++;
    return code;
}

void k210b_decode_yolov2(const k210b_card_t *card, const k210b_output_map_t *maps, k210b_candidates_t *found)
{
    const k210b_card_output_t *spec = &card->outputs[0];
    region_t r = {k210b_cells(card, maps, 0), card, (uint32_t)spec->height * spec->width, spec->width};
    float logit = k210b_logit(card->score_threshold) - K210B_LOGIT_SLACK;
    uint32_t code = threshold_code(spec, logit);
    for (uint32_t a = 0; a < card->anchor_count; a++) {
        uint32_t first = (a * (5u + card->classes) + 4) * r.plane;
        for (uint32_t i = 0; i < r.plane; i++) {
            int passes = spec->type == K210B_TYPE_UINT8 ? r.cells.data[first + i] >= code
                                                        : k210b_cell(&r.cells, first + i) >= logit;
            if (passes)
                add_cell(&r, a, i, found);
        }
    }
}
