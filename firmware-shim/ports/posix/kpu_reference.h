/** The KPU in plain C, slow and obvious, for native tests: kpu.md sections 3 to 7 word by word. */
#ifndef K210B_KPU_REFERENCE_H
#define K210B_KPU_REFERENCE_H

#include "k210b/port.h"

/** KPU double behind k210b_port_t: its `ctx` when kpu_start and kpu_done are the two functions below. */
typedef struct k210b_kpu_reference {
    uint8_t *ram;       /**< 2 MiB */
    uint32_t polls;     /**< how often kpu_done says "running" after each start */
    uint32_t left;
    uint32_t layers;    /**< layers computed so far */
} k210b_kpu_reference_t;

int k210b_kpu_reference_start(void *ctx, const uint64_t layer[12], const k210b_kpu_tables_t *tables);
int k210b_kpu_reference_done(void *ctx);

#endif
