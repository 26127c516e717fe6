/** Checks that the v4 CPU layers share. */
#ifndef K210B_OPS_V4_H
#define K210B_OPS_V4_H

#include "model_internal.h"

/** A range that the CPU reads: KPU RAM is refused, no compiler lets a CPU layer touch it. */
int k210b_v4_read(const k210b_model_t *m, const uint8_t *at, k210b_range_t *range);
/** Input and output of a layer; the output must be main memory. */
int k210b_v4_in_out(const k210b_model_t *m, const uint8_t *in_at, const uint8_t *out_at, k210b_range_t *in,
                    k210b_range_t *out);
/** Four sides of 1..65535 and their product, at most 2^31 - 1. */
int k210b_shape_read(const uint8_t *at, uint32_t shape[4], uint64_t *elements);

#endif
