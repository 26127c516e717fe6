/**
 * kmodel v3 and v4 in place: open checks every length, range and register once, so that a run needs no checks and
 * damaged bytes can never read or write outside. The bytes must not change while the model is in use.
 * Sources: kmodel-v3.md, kmodel-v4.md.
 */
#ifndef K210B_MODEL_H
#define K210B_MODEL_H

#include <stdint.h>

#include "k210b/kpu_layer.h"
#include "k210b/port.h"
#include "k210b/status.h"

/** Where a tensor lies. */
enum { K210B_AREA_CONST = 0, K210B_AREA_MAIN = 1, K210B_AREA_KPU = 2 };
/** Element types of kmodels. */
enum { K210B_FLOAT32 = 0, K210B_UINT8 = 1 };

/** Bytes of one area (KPU: of the row layout). */
typedef struct k210b_range {
    uint8_t area, type;
    uint32_t start, size;
} k210b_range_t;

/** An opened model. Plain data, the caller's memory; may be copied. */
typedef struct k210b_model {
    const uint8_t *bytes;
    uint32_t size;              /**< bytes that the model uses; a file may be longer */
    uint8_t version;            /**< 3 or 4 */
    uint8_t weight_bits;        /**< 8 or 16 */
    uint16_t inputs, outputs;
    uint32_t nodes;
    uint32_t main_bytes;
    uint32_t constants_at, constants_bytes;
    uint32_t outputs_at, headers_at, bodies_at;     /**< file offsets */
    k210b_range_t input;        /**< input 0 */
    uint32_t input_shape[4];    /**< N, C, H, W of input 0 */
    uint32_t kpu_nodes;
} k210b_model_t;

struct k210b_run;

/** An operation that this build runs. */
typedef struct k210b_opcode {
    uint8_t version;            /**< kmodel version */
    uint16_t opcode;
    const char *name;
    /** Body check at open: 0 or K210B_ERR_*; `bytes` are readable at file offset `body_at`. */
    int (*check)(const k210b_model_t *m, uint32_t body_at, uint32_t bytes);
    /** CPU work; NULL for the KPU layer, which run.c drives. */
    void (*run)(struct k210b_run *run, const uint8_t *body);
} k210b_opcode_t;

/** All of them; the table ends with version 0. */
const k210b_opcode_t *k210b_model_opcodes(void);

/**
 * Checks a kmodel of at most `size` bytes (256-byte aligned memory; extra bytes behind it are ignored).
 * @return 0, K210B_ERR_MODEL_FORMAT, K210B_ERR_MODEL_VERSION or K210B_ERR_MODEL_UNSUPPORTED
 */
int k210b_model_open(k210b_model_t *m, const uint8_t *kmodel, uint32_t size);
/** Working memory that a run wants: a 64-byte aligned block of this many bytes (a multiple of 64, may be 0). */
uint32_t k210b_model_main_bytes(const k210b_model_t *m);
/** Where output i lies (always in main memory); K210B_ERR_NOT_FOUND when there is none. */
int k210b_model_output(const k210b_model_t *m, uint32_t i, k210b_range_t *range);
/** Dense bytes of input 0. */
uint32_t k210b_model_input_bytes(const k210b_model_t *m);

enum { K210B_RUN_READY = 1, K210B_RUN_DONE = 2, K210B_RUN_FAILED = 3 };

/** One run: a state machine that never waits. Plain data, the caller's memory. */
typedef struct k210b_run {
    const k210b_model_t *model;
    const k210b_port_t *port;
    uint8_t *main_mem;
    uint32_t node, body_at;     /**< next node and the file offset of its body */
    uint16_t batch;             /**< KPU layers with batches: the next one */
    uint8_t kpu_busy;
    uint8_t state;              /**< K210B_RUN_* */
    uint8_t cpu_step;           /**< the last step ran a CPU layer */
    uint32_t now_us;            /**< set by k210b_run_clock; differences may wrap */
    uint32_t started_us;        /**< of the KPU layer under way */
    uint32_t kpu_us;            /**< sum over KPU layers, start to seen finished */
    uint32_t cpu_us;            /**< sum over other nodes */
} k210b_run_t;

/** Prepares a run; main_mem has k210b_model_main_bytes() bytes. Write the input next, then step. */
int k210b_run_begin(k210b_run_t *run, const k210b_model_t *m, uint8_t *main_mem, const k210b_port_t *port);
/** Dense input tensor (NCHW, the input's type); `bytes` must be k210b_model_input_bytes(). */
int k210b_run_input(k210b_run_t *run, const uint8_t *dense, uint32_t bytes);
/**
 * Where image row (channel, y) of a uint8 input lies: width pixels, to be written before the first step.
 * NULL when the input is float or the row does not exist. For preprocessing straight into KPU RAM (image.h).
 */
uint8_t *k210b_run_input_row(k210b_run_t *run, uint32_t channel, uint32_t y);
/**
 * Does the next piece of work: starts one KPU layer, or sees one finished, or runs one CPU layer.
 * @return 1 all done, 0 call again (k210b_run_waiting() tells whether the KPU is at work), negative: failed
 */
int k210b_run_step(k210b_run_t *run);
/** Tells the time before a step; without it kpu_us and cpu_us stay 0. */
void k210b_run_clock(k210b_run_t *run, uint32_t now_us);
/** 1 while a KPU layer is under way: stepping again before kpu_done() is useless. */
int k210b_run_waiting(const k210b_run_t *run);
/** Output i of a finished run, in main memory. */
int k210b_run_output(const k210b_run_t *run, uint32_t i, const uint8_t **data, uint32_t *bytes);

#endif
