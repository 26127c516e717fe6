/** Running an opened model node by node. Nothing waits: the KPU is polled, CPU layers run inside step(). */
#include "k210b/mem.h"
#include "model_internal.h"

int k210b_run_begin(k210b_run_t *run, const k210b_model_t *m, uint8_t *main_mem, const k210b_port_t *port)
{
    memset(run, 0, sizeof *run);
    if ((m->main_bytes && !main_mem) || !port)
        return K210B_ERR_RANGE;
    if (!port->kpu_ram || !port->kpu_start || !port->kpu_done)
        return K210B_ERR_KPU;
    run->model = m;
    run->port = port;
    run->main_mem = main_mem;
    run->body_at = m->bodies_at;
    run->state = K210B_RUN_READY;
    return K210B_OK;
}

/** Memory of the input; it is in main memory or KPU RAM only. */
static uint8_t *input_base(k210b_run_t *run)
{
    const k210b_range_t *in = &run->model->input;
    return (in->area == K210B_AREA_KPU ? run->port->kpu_ram : run->main_mem) + in->start;
}

static k210b_map_shape_t input_map(const k210b_model_t *m)
{
    return (k210b_map_shape_t){(uint16_t)m->input_shape[1], (uint16_t)m->input_shape[2], (uint16_t)m->input_shape[3]};
}

int k210b_run_input(k210b_run_t *run, const uint8_t *dense, uint32_t bytes)
{
    const k210b_model_t *m = run->model;
    if (run->state != K210B_RUN_READY || run->node != 0)
        return K210B_ERR_STATE;
    if (bytes != k210b_model_input_bytes(m))
        return K210B_ERR_RANGE;
    uint8_t *base = input_base(run);
    if (m->input.area == K210B_AREA_MAIN) {
        memcpy(base, dense, bytes);
        return K210B_OK;
    }
    k210b_map_shape_t map = input_map(m);
    for (uint32_t n = 0; n < m->input_shape[0]; n++) {
        k210b_rows_upload(base, map, dense);
        base += k210b_rows_of(map) * K210B_KPU_ROW_BYTES;
        dense += (size_t)map.channels * map.height * map.width;
    }
    return K210B_OK;
}

uint8_t *k210b_run_input_row(k210b_run_t *run, uint32_t channel, uint32_t y)
{
    const k210b_model_t *m = run->model;
    const uint32_t *s = m->input_shape;
    if (m->input.type != K210B_UINT8 || s[0] != 1 || channel >= s[1] || y >= s[2])
        return 0;
    if (m->input.area == K210B_AREA_MAIN)
        return input_base(run) + (channel * s[2] + y) * s[3];
    return input_base(run) + k210b_row_offset(input_map(m), channel, y);
}

static int read_kpu_node(const k210b_run_t *run, k210b_kpu_node_t *node)
{
    const k210b_model_t *m = run->model;
    uint32_t left = m->size - run->body_at;
    uint32_t bytes = k210b_get32(k210b_node_header(m, run->node) + 4);
    bytes = bytes < left ? bytes : left;
    return m->version == 3 ? k210b_kpu_node_v3(node, m, run->body_at, bytes)
                           : k210b_kpu_node_v4(node, m, run->body_at, bytes);
}

/** Rows of the batch item under way replace those of the file; the copy to main memory is ours, not the KPU's DMA. */
static void place_batch(k210b_kpu_node_t *node, uint32_t batch)
{
    uint64_t src = node->layer.src_row + batch * k210b_rows_of(node->layer.in);
    uint64_t dst = node->layer.dst_row + batch * k210b_rows_of(node->layer.out);
    node->words[1] = (node->words[1] & ~(UINT64_C(0x7FFF) | UINT64_C(0x7FFF) << 32)) | src | dst << 32;
    node->words[11] &= ~UINT64_C(1);
}

static int start_layer(k210b_run_t *run)
{
    k210b_kpu_node_t node;
    if (read_kpu_node(run, &node))
        return K210B_ERR_INTERNAL; /* the bytes changed since open */
    place_batch(&node, run->batch);
    if (run->port->kpu_start(run->port->ctx, node.words, &node.tables) < 0)
        return K210B_ERR_KPU;
    run->kpu_busy = 1;
    run->started_us = run->now_us;
    return K210B_OK;
}

static void next_node(k210b_run_t *run)
{
    run->body_at += k210b_get32(k210b_node_header(run->model, run->node) + 4);
    run->node++;
    run->batch = 0;
    if (run->node == run->model->nodes)
        run->state = K210B_RUN_DONE;
}

/** Copies the result out of KPU RAM where main memory wants it, and goes on to the next batch item or node. */
static int finish_layer(k210b_run_t *run)
{
    k210b_kpu_node_t node;
    if (read_kpu_node(run, &node))
        return K210B_ERR_INTERNAL;
    run->kpu_busy = 0;
    run->kpu_us += run->now_us - run->started_us;
    const k210b_map_shape_t out = node.layer.out;
    if (node.to_main) {
        uint32_t row = node.layer.dst_row + run->batch * k210b_rows_of(out);
        uint8_t *to = run->main_mem + node.main_at + run->batch * (uint32_t)out.channels * out.height * out.width;
        k210b_rows_download(to, run->port->kpu_ram + row * K210B_KPU_ROW_BYTES, out);
    }
    if (++run->batch == node.batches)
        next_node(run);
    return K210B_OK;
}

static int advance(k210b_run_t *run)
{
    const k210b_model_t *m = run->model;
    if (run->kpu_busy) {
        int done = run->port->kpu_done(run->port->ctx);
        return done < 0 ? K210B_ERR_KPU : done ? finish_layer(run) : K210B_OK;
    }
    const k210b_opcode_t *op = k210b_find_opcode(m->version, k210b_get32(k210b_node_header(m, run->node)));
    if (!op)
        return K210B_ERR_INTERNAL;
    if (!op->run)
        return start_layer(run);
    op->run(run, m->bytes + run->body_at);
    run->cpu_step = 1;
    next_node(run);
    return K210B_OK;
}

int k210b_run_step(k210b_run_t *run)
{
    if (run->state == K210B_RUN_DONE)
        return 1;
    if (run->state != K210B_RUN_READY)
        return K210B_ERR_STATE;
    int status = advance(run);
    if (status < 0) {
        run->state = K210B_RUN_FAILED;
        return status;
    }
    return run->state == K210B_RUN_DONE;
}

void k210b_run_clock(k210b_run_t *run, uint32_t now_us)
{
    if (run->cpu_step)
        run->cpu_us += now_us - run->now_us;
    run->cpu_step = 0;
    run->now_us = now_us;
}

int k210b_run_waiting(const k210b_run_t *run) { return run->kpu_busy; }

int k210b_run_output(const k210b_run_t *run, uint32_t i, const uint8_t **data, uint32_t *bytes)
{
    k210b_range_t range;
    if (run->state != K210B_RUN_DONE)
        return K210B_ERR_STATE;
    int status = k210b_model_output(run->model, i, &range);
    if (status)
        return status;
    *data = run->main_mem + range.start;
    *bytes = range.size;
    return K210B_OK;
}
