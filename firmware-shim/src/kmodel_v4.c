/** kmodel v4 (nncase 0.2): header, tables and the KPU layer's body (kmodel-v4.md sections 1 and 3). */
#include "k210b/mem.h"
#include "model_internal.h"

enum { HEADER_BYTES = 40, SHAPE_BYTES = 16, LAYER_AT = 24, TABLES_AT = 120, TABLE_ALIGNMENT = 256, MAX_BATCHES = 1024 };

/** Input 0: its shape, and room for it in its area. */
static int read_input(k210b_model_t *m)
{
    const uint8_t *range = m->bytes + HEADER_BYTES;
    const uint8_t *shape = range + (uint32_t)m->inputs * K210B_RANGE_BYTES;
    int status = k210b_range_read(m, range, &m->input);
    if (status)
        return status;
    uint64_t elements = 1;
    for (int i = 0; i < 4; i++) {
        m->input_shape[i] = k210b_get32(shape + 4 * i);
        if (m->input_shape[i] == 0 || m->input_shape[i] > 65535)
            return K210B_ERR_MODEL_FORMAT;
        elements *= m->input_shape[i]; /* four 16-bit factors */
    }
    if (m->input.area == K210B_AREA_CONST)
        return K210B_ERR_MODEL_FORMAT;
    uint64_t wanted = elements * k210b_type_bytes(m->input.type);
    if (elements > UINT32_MAX / 4 || m->input.size < wanted)
        return K210B_ERR_MODEL_FORMAT; /* the row layout is never smaller than the dense map */
    if (m->input.area != K210B_AREA_KPU)
        return K210B_OK;
    k210b_map_shape_t map = {(uint16_t)m->input_shape[1], (uint16_t)m->input_shape[2], (uint16_t)m->input_shape[3]};
    uint64_t rows = (uint64_t)k210b_rows_of(map) * m->input_shape[0];
    if (m->input.type != K210B_UINT8 || m->input_shape[3] > 512 || rows * K210B_KPU_ROW_BYTES > m->input.size)
        return K210B_ERR_MODEL_FORMAT;
    return K210B_OK;
}

int k210b_open_v4(k210b_model_t *m)
{
    const uint8_t *b = m->bytes;
    if (m->size < HEADER_BYTES)
        return K210B_ERR_MODEL_FORMAT;
    uint32_t inputs = k210b_get32(b + 28), outputs = k210b_get32(b + 32);
    m->constants_bytes = k210b_get32(b + 16);
    m->main_bytes = k210b_get32(b + 20);
    m->nodes = k210b_get32(b + 24);
    m->weight_bits = 8;
    if (k210b_get32(b + 12) > 1 || inputs == 0 || outputs == 0 || inputs > 255 || outputs > 255)
        return K210B_ERR_MODEL_FORMAT;
    if (inputs != 1)
        return K210B_ERR_MODEL_UNSUPPORTED; /* no runtime feeds more than input 0 (section 5) */
    uint64_t outputs_at = HEADER_BYTES + (uint64_t)inputs * (K210B_RANGE_BYTES + SHAPE_BYTES);
    uint64_t constants_at = outputs_at + (uint64_t)outputs * K210B_RANGE_BYTES;
    uint64_t headers_at = constants_at + m->constants_bytes;
    uint64_t bodies_at = headers_at + 8 * (uint64_t)m->nodes;
    if (bodies_at > m->size || m->nodes == 0)
        return K210B_ERR_MODEL_FORMAT;
    m->inputs = (uint16_t)inputs;
    m->outputs = (uint16_t)outputs;
    m->outputs_at = (uint32_t)outputs_at;
    m->constants_at = (uint32_t)constants_at;
    m->headers_at = (uint32_t)headers_at;
    m->bodies_at = (uint32_t)bodies_at;
    return read_input(m);
}

int k210b_output_v4(const k210b_model_t *m, uint32_t i, k210b_range_t *range)
{
    int status = k210b_range_read(m, m->bytes + m->outputs_at + K210B_RANGE_BYTES * i, range);
    return status ? status : range->area == K210B_AREA_MAIN ? K210B_OK : K210B_ERR_MODEL_UNSUPPORTED;
}

/** The address fields hold the gap before each table; returns the end of the last one, or 0 when it is outside. */
static uint32_t place_tables(k210b_kpu_node_t *node, const uint8_t *base, uint32_t body_at, uint32_t bytes)
{
    uint64_t body_end = (uint64_t)body_at + bytes;
    uint64_t bn = (uint64_t)body_at + TABLES_AT + k210b_bits(node->words[4], 32, 32);
    uint64_t activation = bn + node->layer.bn_bytes + k210b_bits(node->words[7], 32, 32);
    uint64_t weights = activation + K210B_ACTIVATION_BYTES + k210b_bits(node->words[5], 32, 32);
    if (weights + node->layer.weight_bytes > body_end || (bn | activation | weights) % TABLE_ALIGNMENT != 0)
        return 0;
    node->tables.bn = base + bn;
    node->tables.activation = base + activation;
    node->tables.weights = base + weights;
    return (uint32_t)(weights + node->layer.weight_bytes);
}

static int read_main_output(k210b_kpu_node_t *node, const k210b_model_t *m, const uint8_t *body)
{
    static const uint8_t none[K210B_RANGE_BYTES] = {0};
    k210b_range_t range;
    node->to_main = memcmp(body, none, sizeof none) != 0;
    if (!node->to_main)
        return K210B_OK;
    int status = k210b_range_read(m, body, &range);
    const k210b_map_shape_t *out = &node->layer.out;
    uint64_t wanted = (uint64_t)out->channels * out->height * out->width * node->batches;
    if (status || range.area != K210B_AREA_MAIN || range.type != K210B_UINT8 || range.size < wanted)
        return K210B_ERR_MODEL_FORMAT;
    node->main_at = range.start;
    return K210B_OK;
}

int k210b_kpu_node_v4(k210b_kpu_node_t *node, const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    const uint8_t *body = m->bytes + body_at;
    if (bytes < TABLES_AT)
        return K210B_ERR_MODEL_FORMAT;
    memcpy(node->words, body + LAYER_AT, sizeof node->words);
    int status = k210b_kpu_layer_read(&node->layer, node->words, 8);
    if (status)
        return status;
    node->tables.bn_bytes = node->layer.bn_bytes;
    node->tables.weight_bytes = node->layer.weight_bytes;
    node->tables.weight_bits = 8;
    node->batches = k210b_get32(body + 16);
    if (node->batches == 0 || node->batches > MAX_BATCHES || !place_tables(node, m->bytes, body_at, bytes))
        return K210B_ERR_MODEL_FORMAT;
    uint32_t in_rows = k210b_rows_of(node->layer.in) * node->batches;
    uint32_t out_rows = k210b_rows_of(node->layer.out) * node->batches;
    if (node->layer.src_row + in_rows > K210B_KPU_ROW_COUNT || node->layer.dst_row + out_rows > K210B_KPU_ROW_COUNT)
        return K210B_ERR_MODEL_FORMAT;
    return read_main_output(node, m, body);
}

int k210b_v4_conv_check(const k210b_model_t *m, uint32_t body_at, uint32_t bytes)
{
    k210b_kpu_node_t node;
    int status = k210b_kpu_node_v4(&node, m, body_at, bytes);
    return status ? status : k210b_activation_check(node.tables.activation);
}
