/** memcpy, memmove, memset and memcmp for builds without a C library. */
#include "k210b/mem.h"

#ifdef K210B_FREESTANDING

void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    uint8_t *d = to;
    const uint8_t *s = from;
    while (len--)
        *d++ = *s++;
    return to;
}

void *memmove(void *to, const void *from, size_t len)
{
    uint8_t *d = to;
    const uint8_t *s = from;
    if (d == s || len == 0)
        return to;
    if (d < s) {
        while (len--)
            *d++ = *s++;
    } else {
        while (len--)
            d[len] = s[len];
    }
    return to;
}

void *memset(void *to, int value, size_t len)
{
    uint8_t *d = to;
    while (len--)
        *d++ = (uint8_t)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a;
    const uint8_t *y = b;
    for (size_t i = 0; i < len; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

#else
typedef int k210b_mem_from_library; /* C99 wants one declaration in a file */
#endif
