/** kmodel v3 (nncase 0.1): header, tables and the KPU layer's body (kmodel-v3.md sections 1 and 3). */
#include "k210b/mem.h"
#include "model_internal.h"

enum { HEADER_BYTES = 28, OUTPUT_BYTES = 8, CONV_BYTES = 24, LAYER_BYTES = 96, FULLY_CONNECTED = 18 };

int k210b_open_v3(k210b_model_t *m)
{
    const uint8_t *b = m->bytes;
    m->weight_bits = k210b_get32(b + 4) & 1 ? 8 : 16;
    m->nodes = k210b_get32(b + 12);
    m->main_bytes = k210b_get32(b + 20);
    uint32_t outputs = k210b_get32(b + 24);
    uint64_t headers_at = HEADER_BYTES + (uint64_t)OUTPUT_BYTES * outputs;
    uint64_t bodies_at = headers_at + 8 * (uint64_t)m->nodes;
    if (k210b_get32(b + 8) != 0 || outputs == 0 || outputs > 255 || m->nodes == 0 || bodies_at > m->size)
        return K210B_ERR_MODEL_FORMAT;
    m->inputs = 1;
    m->outputs = (uint16_t)outputs;
    m->outputs_at = HEADER_BYTES;
    m->headers_at = (uint32_t)headers_at;
    m->bodies_at = (uint32_t)bodies_at;
    return K210B_OK;
}

/** The first layer says what the input is; any other than these two makes the vendor's runtime fail. */
int k210b_input_v3(k210b_model_t *m)
{
    const uint8_t *header = k210b_node_header(m, 0);
    const uint8_t *body = m->bytes + m->bodies_at;
    uint32_t opcode = k210b_get32(header);
    m->input_shape[0] = m->input_shape[1] = m->input_shape[2] = 1;
    if (opcode == FULLY_CONNECTED) {
        uint32_t count = k210b_get32(body + 12);
        m->input_shape[3] = count;
        m->input = (k210b_range_t){K210B_AREA_MAIN, K210B_FLOAT32, k210b_get32(body + 4), 4 * count};
        return K210B_OK;
    }
    k210b_kpu_node_t node;
    if (opcode != K210B_V3_CONV || k210b_kpu_node_v3(&node, m, m->bodies_at, k210b_get32(header + 4)))
        return K210B_ERR_MODEL_UNSUPPORTED;
    k210b_map_shape_t in = node.layer.in;
    m->input_shape[1] = in.channels;
    m->input_shape[2] = in.height;
    m->input_shape[3] = in.width;
    m->input = (k210b_range_t){K210B_AREA_KPU, K210B_UINT8, node.layer.src_row * (uint32_t)K210B_KPU_ROW_BYTES,
                               k210b_rows_of(in) * K210B_KPU_ROW_BYTES};
    return K210B_OK;
}

int k210b_output_v3(const k210b_model_t *m, uint32_t i, k210b_range_t *range)
{
    const uint8_t *row = m->bytes + m->outputs_at + OUTPUT_BYTES * i;
    *range = (k210b_range_t){K210B_AREA_MAIN, K210B_FLOAT32, k210b_get32(row), k210b_get32(row + 4)};
    return k210b_main_holds(m, range->start, range->size) ? K210B_OK : K210B_ERR_MODEL_FORMAT;
}

/** One block of a body: file offset `at`, inside the body, aligned. */
static int block_fits(uint32_t at, uint32_t len, uint32_t alignment, uint64_t begin, uint64_t end)
{
    return at % alignment == 0 && at >= begin && (uint64_t)at + len <= end;
}

int k210b_kpu_node_v3(k210b_kpu_node_t *node, const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    uint64_t end = (uint64_t)body_at + bytes;
    if (bytes < CONV_BYTES)
        return K210B_ERR_MODEL_FORMAT;
    uint32_t layer_at = k210b_get32(body + 8), weights_at = k210b_get32(body + 12);
    uint32_t bn_at = k210b_get32(body + 16), activation_at = k210b_get32(body + 20);
    if (!block_fits(layer_at, LAYER_BYTES, 8, body_at + CONV_BYTES, end))
        return K210B_ERR_MODEL_FORMAT;
    memcpy(node->words, m->bytes + layer_at, sizeof node->words);
    int status = k210b_kpu_layer_read(&node->layer, node->words, m->weight_bits);
    if (status)
        return status;
    const k210b_kpu_layer_t *l = &node->layer;
    if (!block_fits(weights_at, l->weight_bytes, 128, body_at, end) ||
        !block_fits(bn_at, l->bn_bytes, 128, body_at, end) ||
        !block_fits(activation_at, K210B_ACTIVATION_BYTES, 256, body_at, end))
        return K210B_ERR_MODEL_FORMAT;
    node->tables = (k210b_kpu_tables_t){m->bytes + bn_at, m->bytes + activation_at, m->bytes + weights_at,
                                        l->bn_bytes,      l->weight_bytes,          m->weight_bits};
    node->batches = 1;
    node->to_main = k210b_get32(body) & 1;
    node->main_at = k210b_get32(body + 4);
    uint64_t out_bytes = (uint64_t)l->out.channels * l->out.height * l->out.width;
    return node->to_main && !k210b_main_holds(m, node->main_at, out_bytes) ? K210B_ERR_MODEL_FORMAT : K210B_OK;
}

int k210b_v3_conv_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    k210b_kpu_node_t node;
    int status = k210b_kpu_node_v3(&node, m, body_at, bytes);
    return status ? status : k210b_activation_check(node.tables.activation);
}
