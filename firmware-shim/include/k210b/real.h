/**
 * The few float functions that the core needs, written out so that results are the same on every target (built with
 * -ffp-contract=off): C libraries differ in the last bits of expf.
 */
#ifndef K210B_REAL_H
#define K210B_REAL_H

#include <stdint.h>

/** e^x within about 1 ulp; 0 below -87.3 (no denormals), infinity above 88.72. */
float k210b_exp(float x);
/** Natural logarithm of x > 0, relative error below 1e-6; used once a frame for thresholds. */
float k210b_ln(float x);
/** 1 / (1 + e^-x). */
float k210b_sigmoid(float x);
/** roundf: nearest, halves away from zero, clamped to 0..255; NaN gives 0. */
uint8_t k210b_round_u8(float x);

#endif
