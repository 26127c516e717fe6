/** The operations of both kmodel versions that this build runs (kmodel-v3.md section 2, kmodel-v4.md section 2). */
#include "model_internal.h"

#define OP(version, opcode, name, symbol) {version, opcode, name, k210b_##symbol##_check, k210b_##symbol##_run}

static const k210b_opcode_t opcodes[] = {
    {3, K210B_V3_CONV, "k210_conv", k210b_v3_conv_check, 0},
    OP(3, 1, "add", v3_add),
    OP(3, 2, "quantized_add", v3_quantized_add),
    OP(3, 5, "global_average_pool2d", v3_gap),
    OP(3, 8, "quantized_max_pool2d", v3_max_pool),
    OP(3, 9, "average_pool2d", v3_average_pool),
    OP(3, 11, "quantize", v3_quantize),
    OP(3, 12, "dequantize", v3_dequantize),
    OP(3, 13, "requantize", v3_requantize),
    OP(3, 14, "l2_normalization", v3_l2_norm),
    OP(3, 15, "softmax", v3_softmax),
    OP(3, 16, "concat", v3_concat),
    OP(3, 17, "quantized_concat", v3_concat),
    OP(3, 18, "fully_connected", v3_fully_connected),
    OP(3, 20, "tensorflow_flatten", v3_flatten),
    OP(3, 22, "resize_nearest_neighbor", v3_resize),
    OP(3, 23, "quantized_resize_nearest_neighbor", v3_quantized_resize),
    OP(3, 24, "channelwise_dequantize", v3_channel_dequantize),
    OP(3, 25, "logistic", v3_logistic),
    OP(3, 10241, "k210_add_padding", v3_add_padding),
    OP(3, 10242, "k210_remove_padding", v3_remove_padding),
    OP(3, 10243, "k210_upload", v3_upload),
    {4, K210B_V4_CONV, "kpu_conv2d", k210b_v4_conv_check, 0},
    OP(4, 0x2001, "kpu_upload", v4_upload),
    OP(4, 0x00, "binary", v4_binary),
    OP(4, 0x01, "concat", v4_concat),
    OP(4, 0x03, "dequantize", v4_dequantize),
    OP(4, 0x04, "matmul", v4_matmul),
    OP(4, 0x05, "pad", v4_pad),
    OP(4, 0x06, "quantize", v4_quantize),
    OP(4, 0x07, "reduce", v4_reduce),
    OP(4, 0x09, "memory_copy", v4_memory_copy),
    OP(4, 0x0B, "softmax", v4_softmax),
    OP(4, 0x0C, "transpose", v4_transpose),
    OP(4, 0x0D, "strided_slice", v4_strided_slice),
    OP(4, 0x0E, "unary", v4_unary),
    OP(4, 0x11, "quantized_binary", v4_quantized_binary),
    OP(4, 0x12, "table_lookup1d", v4_table_lookup),
    {0, 0, 0, 0, 0},
};

const k210b_opcode_t *k210b_model_opcodes(void) { return opcodes; }

const k210b_opcode_t *k210b_find_opcode(uint8_t version, uint32_t opcode)
{
    for (const k210b_opcode_t *op = opcodes; op->version; op++)
        if (op->version == version && op->opcode == opcode)
            return op;
    return 0;
}
