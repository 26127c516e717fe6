/** Opening a kmodel: version, container, every node body. What differs is in kmodel_v3.c and kmodel_v4.c. */
#include "k210b/mem.h"
#include "model_internal.h"

enum { V4_IDENTIFIER = 0x4B4D444C, MAIN_ALIGNMENT = 64, MAX_MAIN_BYTES = 64 << 20 };

int k210b_main_holds(const k210b_model_t *m, uint64_t start, uint64_t bytes)
{
    return start <= m->main_bytes && bytes <= m->main_bytes - start;
}

int k210b_range_read(const k210b_model_t *m, const uint8_t *at, k210b_range_t *range)
{
    const uint64_t limits[3] = {m->constants_bytes, m->main_bytes, (uint64_t)K210B_KPU_ROW_COUNT * K210B_KPU_ROW_BYTES};
    uint32_t area = k210b_get32(at), type = k210b_get32(at + 4);
    range->start = k210b_get32(at + 8);
    range->size = k210b_get32(at + 12);
    if (area > K210B_AREA_KPU || type > K210B_UINT8)
        return K210B_ERR_MODEL_FORMAT;
    if ((uint64_t)range->start + range->size > limits[area])
        return K210B_ERR_MODEL_FORMAT;
    if (area == K210B_AREA_KPU && range->start % K210B_KPU_ROW_BYTES != 0)
        return K210B_ERR_MODEL_FORMAT;
    range->area = (uint8_t)area;
    range->type = (uint8_t)type;
    return K210B_OK;
}

uint8_t *k210b_range_at(const k210b_run_t *run, const uint8_t *range)
{
    uint32_t start = k210b_get32(range + 8);
    switch (k210b_get32(range)) {
    case K210B_AREA_MAIN: return run->main_mem + start;
    case K210B_AREA_KPU: return run->port->kpu_ram + start;
    default: return (uint8_t *)(uintptr_t)(run->model->bytes + run->model->constants_at + start);
    }
}

/** Checks each body in turn; a last body may miss up to 7 bytes of padding (both compilers seek instead of writing). */
static int check_nodes(k210b_model_t *m, uint32_t file_size)
{
    uint64_t at = m->bodies_at;
    for (uint32_t i = 0; i < m->nodes; i++) {
        const uint8_t *header = k210b_node_header(m, i);
        const k210b_opcode_t *op = k210b_find_opcode(m->version, k210b_get32(header));
        uint64_t end = at + k210b_get32(header + 4);
        if (at > file_size || end > (uint64_t)file_size + (i + 1 == m->nodes ? 7 : 0))
            return K210B_ERR_MODEL_FORMAT;
        if (!op)
            return K210B_ERR_MODEL_UNSUPPORTED;
        uint32_t readable = (uint32_t)((end < file_size ? end : file_size) - at);
        int status = op->check(m, (uint32_t)at, readable);
        if (status)
            return status;
        m->kpu_nodes += op->run == 0;
        at = end;
    }
    m->size = (uint32_t)(at < file_size ? at : file_size);
    return K210B_OK;
}

int k210b_model_open(k210b_model_t *m, const uint8_t *kmodel, uint32_t size)
{
    memset(m, 0, sizeof *m);
    if (!kmodel || size < 28)
        return K210B_ERR_MODEL_FORMAT;
    m->bytes = kmodel;
    m->size = size;
    uint32_t first = k210b_get32(kmodel);
    uint32_t version = first == V4_IDENTIFIER ? k210b_get32(kmodel + 4) : first;
    if (version != (first == V4_IDENTIFIER ? 4u : 3u))
        return first == V4_IDENTIFIER || first < 16 ? K210B_ERR_MODEL_VERSION : K210B_ERR_MODEL_FORMAT;
    m->version = (uint8_t)version;
    int status = version == 3 ? k210b_open_v3(m) : k210b_open_v4(m);
    if (status == 0 && m->main_bytes > MAX_MAIN_BYTES)
        status = K210B_ERR_MODEL_FORMAT;
    if (status == 0)
        status = check_nodes(m, size);
    if (status == 0 && version == 3)
        status = k210b_input_v3(m);
    k210b_range_t output;
    for (uint32_t i = 0; status == 0 && i < m->outputs; i++)
        status = k210b_model_output(m, i, &output);
    return status;
}

uint32_t k210b_model_main_bytes(const k210b_model_t *m)
{
    return (m->main_bytes + MAIN_ALIGNMENT - 1u) / MAIN_ALIGNMENT * MAIN_ALIGNMENT;
}

int k210b_model_output(const k210b_model_t *m, uint32_t i, k210b_range_t *range)
{
    if (i >= m->outputs)
        return K210B_ERR_NOT_FOUND;
    return m->version == 3 ? k210b_output_v3(m, i, range) : k210b_output_v4(m, i, range);
}

uint32_t k210b_model_input_bytes(const k210b_model_t *m)
{
    const uint32_t *s = m->input_shape;
    return s[0] * s[1] * s[2] * s[3] * k210b_type_bytes(m->input.type);
}
