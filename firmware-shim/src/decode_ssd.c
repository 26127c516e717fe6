/** SSD: softmax over classes (0 = background) and priors in normalized coordinates. See host/card/card.ts. */
#include "decode_internal.h"

/** One scale under work. */
typedef struct scale {
    const k210b_card_t *card;
    const k210b_card_head_t *head;
    k210b_cells_t scores, boxes;
    uint32_t plane, width;
} scale_t;

static float clip_unit(float v) { return v < 0 ? 0 : v > 1 ? 1 : v; }

/** Softmax share of the most probable class other than background; its label counts from the first such class. */
static float best_share(const scale_t *s, uint32_t first, uint8_t *label)
{
    uint32_t classes = s->card->classes, best = 1;
    float background = k210b_cell(&s->scores, first), top = k210b_cell(&s->scores, first + s->plane), sum = 0;
    for (uint32_t c = 2; c < classes; c++) {
        float v = k210b_cell(&s->scores, first + c * s->plane);
        if (v > top) {
            top = v;
            best = c;
        }
    }
    *label = (uint8_t)(best - 1);
    float peak = background > top ? background : top;
    for (uint32_t c = 0; c < classes; c++)
        sum += k210b_exp(k210b_cell(&s->scores, first + c * s->plane) - peak);
    return k210b_exp(top - peak) / sum;
}

static void add_prior(const scale_t *s, uint32_t prior, uint32_t at, uint32_t index, k210b_candidates_t *found)
{
    const k210b_card_t *card = s->card;
    k210b_box_t box;
    box.score = best_share(s, prior * card->classes * s->plane + at, &box.label);
    if (!(box.score >= card->score_threshold)) /* NaN too */
        return;
    float width = (float)card->width, height = (float)card->height;
    float prior_x = clip_unit(((float)(at % s->width) + 0.5f) / (float)s->width);
    float prior_y = clip_unit(((float)(at / s->width) + 0.5f) / (float)(s->plane / s->width));
    float prior_w = clip_unit(s->head->min_sizes[prior] / width);
    float prior_h = clip_unit(s->head->min_sizes[prior] / height);
    uint32_t first = prior * 4 * s->plane + at;
    float x = prior_x + k210b_cell(&s->boxes, first) * card->centre_variance * prior_w;
    float y = prior_y + k210b_cell(&s->boxes, first + s->plane) * card->centre_variance * prior_h;
    box.w = prior_w * k210b_exp(k210b_cell(&s->boxes, first + 2 * s->plane) * card->size_variance) * width;
    box.h = prior_h * k210b_exp(k210b_cell(&s->boxes, first + 3 * s->plane) * card->size_variance) * height;
    box.x = x * width - box.w / 2;
    box.y = y * height - box.h / 2;
    box.index = index;
    k210b_candidates_add(found, &box);
}

/**
 * A class can only reach the threshold t when its logit stands logit(t) above the background's, as its share is at
 * most 1 / (1 + e^(background - class)). For bytes of one scale that is a difference of codes.
 */
static int may_pass(const scale_t *s, uint32_t first, float logit, int32_t code_difference)
{
    for (uint32_t c = 1; c < s->card->classes; c++) {
        uint32_t at = first + c * s->plane;
        int passes = s->scores.spec->type == K210B_TYPE_UINT8
                         ? (int32_t)s->scores.data[at] - s->scores.data[first] >= code_difference
                         : k210b_cell(&s->scores, at) - k210b_cell(&s->scores, first) >= logit;
        if (passes)
            return 1;
    }
    return 0;
}

/** Smallest difference of codes, -255..256, that is at least `logit`. */
static int32_t difference_of(float logit, float scale)
{
    int32_t difference = -255;
    while (difference < 256 && (float)difference * scale < logit)
        difference++;
    return difference;
}

/** One scale; returns how many priors it has. */
static uint32_t decode_head(const scale_t *s, uint32_t index, k210b_candidates_t *found)
{
    float logit = k210b_logit(s->card->score_threshold) - K210B_LOGIT_SLACK;
    int32_t difference = difference_of(logit, s->scores.spec->scale);
    for (uint32_t p = 0; p < s->head->min_size_count; p++)
        for (uint32_t i = 0; i < s->plane; i++)
            if (may_pass(s, p * s->card->classes * s->plane + i, logit, difference))
                add_prior(s, p, i, index + p * s->plane + i, found);
    return s->head->min_size_count * s->plane;
}

void k210b_decode_ssd(const k210b_card_t *card, const k210b_output_map_t *maps, k210b_candidates_t *found)
{
    uint32_t index = 0;
    for (uint32_t h = 0; h < card->head_count; h++) {
        const k210b_card_head_t *head = &card->heads[h];
        const k210b_card_output_t *spec = &card->outputs[head->scores];
        scale_t s = {card, head, k210b_cells(card, maps, head->scores), k210b_cells(card, maps, head->boxes),
                     (uint32_t)spec->height * spec->width, spec->width};
        index += decode_head(&s, index, found);
    }
}
