/** Checks that the v3 CPU layers share. */
#ifndef K210B_OPS_V3_H
#define K210B_OPS_V3_H

#include "model_internal.h"

/** Does main memory hold `elements` of `width` bytes at the address stored at `address`? */
int k210b_v3_holds(const k210b_model_t *m, const uint8_t *address, uint64_t elements, uint32_t width);
/** `count` sides of 1..65535 and their product; 0 when one is outside or the product exceeds 2^31 - 1. At most 4. */
int k210b_v3_sides(const uint8_t *at, uint32_t count, uint64_t *product);
/** Main memory at the address stored at `address`. */
uint8_t *k210b_v3_at(const k210b_run_t *run, const uint8_t *address);

#endif
