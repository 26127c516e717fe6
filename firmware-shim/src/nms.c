/** Candidates in order, and greedy suppression. */
#include "k210b/decode.h"
#include "k210b/mem.h"

/** Does a stand before b? */
static int before(const k210b_box_t *a, const k210b_box_t *b)
{
    return a->score > b->score || (a->score == b->score && a->index < b->index);
}

/** Finite and not absurd; a damaged card or map can make exp() overflow. */
static int plausible(const k210b_box_t *box)
{
    const float far = 1e6f; /* pixels */
    return box->x > -far && box->x < far && box->y > -far && box->y < far && box->w < far && box->h < far &&
        box->w > 0 && box->h > 0;
}

void k210b_candidates_add(k210b_candidates_t *found, const k210b_box_t *box)
{
    if (!plausible(box))
        return;
    uint32_t low = 0, high = found->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (before(&found->boxes[middle], box))
            low = middle + 1;
        else
            high = middle;
    }
    if (found->count == found->cap)
        found->dropped++;
    else
        found->count++;
    if (low >= found->count) /* worse than all, and no room */
        return;
    memmove(&found->boxes[low + 1], &found->boxes[low], (found->count - 1 - low) * sizeof *box);
    found->boxes[low] = *box;
}

static float smaller(float a, float b) { return a < b ? a : b; }
static float larger(float a, float b) { return a > b ? a : b; }

float k210b_iou(const k210b_box_t *a, const k210b_box_t *b)
{
    float w = smaller(a->x + a->w, b->x + b->w) - larger(a->x, b->x);
    float h = smaller(a->y + a->h, b->y + b->h) - larger(a->y, b->y);
    if (!(w > 0 && h > 0))
        return 0;
    float both = w * h;
    return both / (a->w * a->h + b->w * b->h - both);
}

static int suppressed(const k210b_box_t *kept, uint32_t count, const k210b_box_t *box, float threshold)
{
    for (uint32_t i = 0; i < count; i++)
        if (kept[i].label == box->label && k210b_iou(&kept[i], box) > threshold)
            return 1;
    return 0;
}

uint32_t k210b_nms(k210b_box_t *boxes, uint32_t count, float iou_threshold, uint32_t max_boxes)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count && kept < max_boxes; i++)
        if (!suppressed(boxes, kept, &boxes[i], iou_threshold))
            boxes[kept++] = boxes[i];
    return kept;
}
