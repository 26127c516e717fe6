/** What the decoders share: reading cells of quantized or float maps, and thresholds as codes. */
#ifndef K210B_DECODE_INTERNAL_H
#define K210B_DECODE_INTERNAL_H

#include "k210b/decode.h"
#include "k210b/mem.h"
#include "k210b/real.h"

/** One output with its bytes. */
typedef struct k210b_cells {
    const k210b_card_output_t *spec;
    const uint8_t *data;
} k210b_cells_t;

static inline k210b_cells_t k210b_cells(const k210b_card_t *card, const k210b_output_map_t *maps, uint32_t i)
{
    return (k210b_cells_t){&card->outputs[i], maps[i].data};
}

/** Real value of element i of the dense [channels, height, width] map. */
static inline float k210b_cell(const k210b_cells_t *cells, uint32_t i)
{
    if (cells->spec->type == K210B_TYPE_FLOAT32)
        return k210b_getf(cells->data + 4 * (size_t)i);
    return (float)((int32_t)cells->data[i] - cells->spec->zero_point) * cells->spec->scale;
}

/** The logit at which sigmoid() is `score`; far outside for scores of 0 and 1. */
static inline float k210b_logit(float score)
{
    if (!(score > 0))
        return -1e30f;
    return score >= 1 ? 1e30f : k210b_ln(score / (1 - score));
}

/**
 * Slack of the quick test: log() and a product are inexact in the last bits, so cells a hair below the logit go on to
 * the exact comparison of scores.
 */
#define K210B_LOGIT_SLACK 1e-4f

#endif
