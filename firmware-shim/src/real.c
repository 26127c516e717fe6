/** exp, log and rounding in plain float arithmetic. */
#include "k210b/real.h"

#include "k210b/mem.h"

/* ln 2 in two parts: the first has 9 zero bits at its end, so n * LN2_HIGH is exact for |n| < 512. */
#define LN2_HIGH 0.693145751953125f
#define LN2_LOW 1.428606765330187e-06f

static float power_of_two(int exponent)
{
    uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

float k210b_exp(float x)
{
    if (!(x > -87.3f)) /* NaN too: no box may come of it */
        return 0.0f;
    if (x > 88.72f)
        return power_of_two(128); /* the bits of infinity */
    float n_real = x * 1.44269504f;
    int n = (int)(n_real + (n_real < 0 ? -0.5f : 0.5f));
    float r = x - (float)n * LN2_HIGH - (float)n * LN2_LOW;
    /* e^r on [-0.35, 0.35]: Taylor to degree 7, remainder below 6e-9. */
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r * r + r + 1.0f;
    int half = n / 2; /* in two factors: 2^128 is no float */
    return p * power_of_two(half) * power_of_two(n - half);
}

float k210b_ln(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 23) - 127;
    bits = (bits & 0x7FFFFF) | 0x3F800000;
    float m;
    memcpy(&m, &bits, sizeof m); /* 1..2 */
    if (m > 1.41421356f) {
        m *= 0.5f;
        exponent++;
    }
    /* log m = 2 artanh t, |t| <= 0.172: odd powers to 9, remainder below 1e-9. */
    float t = (m - 1.0f) / (m + 1.0f);
    float s = t * t;
    float p = 2.0f / 9;
    p = p * s + 2.0f / 7;
    p = p * s + 2.0f / 5;
    p = p * s + 2.0f / 3;
    p = p * s + 2.0f;
    return (float)exponent * 0.69314718f + p * t;
}

float k210b_sigmoid(float x) { return 1.0f / (1.0f + k210b_exp(-x)); }

uint8_t k210b_round_u8(float x)
{
    if (!(x > 0.0f))
        return 0;
    if (x >= 255.0f)
        return 255;
    uint32_t whole = (uint32_t)x; /* the fraction is exact, x + 0.5f is not for 0.49999997 */
    return (uint8_t)(x - (float)whole >= 0.5f ? whole + 1 : whole);
}
