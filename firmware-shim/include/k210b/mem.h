/**
 * The four library calls that the core uses, and byte access. Freestanding builds have no <string.h>; src/mem.c
 * defines the four there (K210B_FREESTANDING), elsewhere the C library does.
 */
#ifndef K210B_MEM_H
#define K210B_MEM_H

#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int value, size_t len);
int memcmp(const void *a, const void *b, size_t len);

/* All targets are little endian; memcpy makes any alignment safe and compiles to one load where that is allowed. */
static inline uint16_t k210b_get16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t k210b_get32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t k210b_get64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline float k210b_getf(const uint8_t *p) { float v; memcpy(&v, p, 4); return v; }
static inline int32_t k210b_geti32(const uint8_t *p) { int32_t v; memcpy(&v, p, 4); return v; }
static inline void k210b_put16(uint8_t *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void k210b_put32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void k210b_put64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }
static inline void k210b_putf(uint8_t *p, float v) { memcpy(p, &v, 4); }

#endif
