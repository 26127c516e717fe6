/** What the files of the kmodel runtime share. */
#ifndef K210B_MODEL_INTERNAL_H
#define K210B_MODEL_INTERNAL_H

#include "k210b/model.h"

enum { K210B_RANGE_BYTES = 16 };

/** One KPU layer, ready for the port. */
typedef struct k210b_kpu_node {
    uint64_t words[12];
    k210b_kpu_layer_t layer;
    k210b_kpu_tables_t tables;
    uint32_t batches;
    uint8_t to_main;            /**< the result is also wanted in main memory, dense, at main_at */
    uint32_t main_at;
} k210b_kpu_node_t;

/** Opcode of the KPU layer in each version. */
enum { K210B_V3_CONV = 10240, K210B_V4_CONV = 0x2002 };

/* Containers: read and check everything but the node bodies. */
int k210b_open_v3(k210b_model_t *m);
int k210b_open_v4(k210b_model_t *m);
/* Input and output tables. v3 learns its input from the first layer, so this runs after the bodies are checked. */
int k210b_input_v3(k210b_model_t *m);
int k210b_output_v3(const k210b_model_t *m, uint32_t i, k210b_range_t *range);
int k210b_output_v4(const k210b_model_t *m, uint32_t i, k210b_range_t *range);

/** Row of the opcode table; NULL when this build lacks it. */
const k210b_opcode_t *k210b_find_opcode(uint8_t version, uint32_t opcode);
/** Opcode and body size of node i. */
static inline const uint8_t *k210b_node_header(const k210b_model_t *m, uint32_t i)
{
    return m->bytes + m->headers_at + 8 * i;
}

/** Body of a KPU layer to port form; all checks. */
int k210b_kpu_node_v3(k210b_kpu_node_t *node, const k210b_model_t *m, uint32_t body_at, uint32_t bytes);
int k210b_kpu_node_v4(k210b_kpu_node_t *node, const k210b_model_t *m, uint32_t body_at, uint32_t bytes);

/** Both ends of [start, start + bytes) inside main memory? */
int k210b_main_holds(const k210b_model_t *m, uint64_t start, uint64_t bytes);
/** Reads a v4 memory range and checks it against its area. */
int k210b_range_read(const k210b_model_t *m, const uint8_t *at, k210b_range_t *range);
/** Where a checked range lies during a run; constants come without const, and are never written. */
uint8_t *k210b_range_at(const k210b_run_t *run, const uint8_t *range);
/** Bytes of one element. */
static inline uint32_t k210b_type_bytes(uint8_t type) { return type == K210B_FLOAT32 ? 4 : 1; }

/* Bodies of each opcode: check at open, work at run. Listed in opcodes.c. */
#define K210B_OP(name)                                                                                  \
    int k210b_##name##_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes);                 \
    void k210b_##name##_run(k210b_run_t *run, const uint8_t *body)
int k210b_v3_conv_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes);
K210B_OP(v3_add);
K210B_OP(v3_quantized_add);
K210B_OP(v3_gap);
K210B_OP(v3_max_pool);
K210B_OP(v3_average_pool);
K210B_OP(v3_quantize);
K210B_OP(v3_dequantize);
K210B_OP(v3_requantize);
K210B_OP(v3_l2_norm);
K210B_OP(v3_softmax);
K210B_OP(v3_concat);
K210B_OP(v3_fully_connected);
K210B_OP(v3_flatten);
K210B_OP(v3_resize);
K210B_OP(v3_quantized_resize);
K210B_OP(v3_channel_dequantize);
K210B_OP(v3_logistic);
K210B_OP(v3_add_padding);
K210B_OP(v3_remove_padding);
K210B_OP(v3_upload);
int k210b_v4_conv_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes);
K210B_OP(v4_upload);
K210B_OP(v4_binary);
K210B_OP(v4_concat);
K210B_OP(v4_dequantize);
K210B_OP(v4_matmul);
K210B_OP(v4_pad);
K210B_OP(v4_quantize);
K210B_OP(v4_reduce);
K210B_OP(v4_memory_copy);
K210B_OP(v4_softmax);
K210B_OP(v4_transpose);
K210B_OP(v4_strided_slice);
K210B_OP(v4_unary);
K210B_OP(v4_quantized_binary);
K210B_OP(v4_table_lookup);
#undef K210B_OP

#endif
