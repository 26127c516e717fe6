/** Pixels to quantized coefficients. */
#ifndef K210B_JPEG_BLOCK_H
#define K210B_JPEG_BLOCK_H

#include <stdint.h>

/** 16 x 16 pixels in 4:2:0: four 8 x 8 blocks of luma, one each of the colour differences; centred on 0. */
typedef struct k210b_jpeg_samples {
    int16_t luma[4][64];
    int16_t blue[64], red[64];
} k210b_jpeg_samples_t;

/** Samples at (x, y) of a planar RGB picture; beyond its edge the last pixel repeats. */
void k210b_jpeg_samples(k210b_jpeg_samples_t *s, const uint8_t *planes, uint32_t width, uint32_t height, uint32_t x,
                        uint32_t y);
/** 8 x 8 DCT, divided by the steps, in zigzag order. `bias`: what is added before AC levels are cut, in 1/16 levels. */
void k210b_jpeg_transform(int16_t levels[64], const int16_t samples[64], const uint8_t steps[64], uint8_t bias);

#endif
