/** Requests about the board itself; rows: protocol/messages/system.ts. */
#include "core.h"

enum { KPU_RAM_BYTES = 2 * 1024 * 1024, SMALL_OPCODES = 31, KPU_OPCODES = 0x2000 };

static uint16_t text_length(const char *text, uint16_t limit)
{
    uint16_t len = 0;
    while (len < limit && text[len] != 0)
        len++;
    return len;
}

static void put_abilities(k210b_wire_hello_answer_t *answer)
{
    for (const k210b_opcode_t *op = k210b_model_opcodes(); op->version != 0; op++) {
        answer->kmodel_versions |= (uint8_t)(1u << op->version);
        if (op->version == 4 && op->opcode < SMALL_OPCODES)
            answer->opcodes |= 1u << op->opcode;
        else if (op->version == 4 && op->opcode >= KPU_OPCODES)
            answer->opcodes |= 1u << SMALL_OPCODES;
    }
    answer->decoders = (1u << K210B_DECODER_KINDS) - 1;
}

static void put_board(const k210b_t *shim, k210b_wire_hello_answer_t *answer)
{
    const k210b_port_t *port = shim->port;
    answer->board = port->board ? port->board : "";
    answer->board_length = text_length(answer->board, 32);
    answer->boot_id = port->boot_id;
    answer->device_time_us = shim->time_us;
    answer->cpu_hz = port->cpu_hz;
    answer->kpu_hz = port->kpu_hz;
    answer->free_bytes = k210b_models_free_bytes(shim);
    answer->limit_bytes = shim->model_bytes;
    answer->kpu_ram_bytes = port->kpu_ram ? KPU_RAM_BYTES : 0;
    answer->rx_ring_bytes = shim->config.rx_ring_bytes;
    answer->flash_id = port->flash_id(port->ctx);
    answer->bauds_count = (uint16_t)k210b_min(shim->config.baud_count, 16);
    for (uint32_t i = 0; i < answer->bauds_count; i++)
        answer->bauds[i] = shim->config.bauds[i];
}

int k210b_on_hello(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_wire_hello_t request;
    k210b_wire_hello_answer_t answer;
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    uint32_t wish = request.max_payload < K210B_PAYLOAD_MIN_BYTES ? K210B_PAYLOAD_MIN_BYTES : request.max_payload;
    memset(&answer, 0, sizeof answer);
    answer.major = K210B_VERSION_MAJOR;
    answer.minor = K210B_VERSION_MINOR;
    answer.build_id = shim->config.build_id;
    answer.build_id_length = text_length(answer.build_id, 64);
    answer.max_payload = (uint16_t)k210b_min(wish, K210B_PAYLOAD_MAX_BYTES);
    answer.pipeline_length = 2; /* one picture captured while one is in the KPU */
    answer.slots = K210B_SLOTS;
    put_abilities(&answer);
    put_board(shim, &answer);
    if (request.major == K210B_VERSION_MAJOR) {
        shim->link.payload_limit = answer.max_payload;
    } else {
        answer.status = K210B_STATUS_VERSION;
        shim->link.open = 0;
    }
    return k210b_answer(shim, reply, &answer);
}

int k210b_on_ping(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_wire_ping_t request;
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    k210b_wire_ping_answer_t answer = { .host_time_us = request.host_time_us, .device_time_us = shim->time_us };
    return k210b_answer(shim, reply, &answer);
}

/** The data stand at the same place behind one more byte: moved in place, no second buffer. */
int k210b_on_echo(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_wire_echo_t request;
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    memmove(reply->payload + 3, request.data, request.data_length);
    k210b_wire_echo_answer_t answer = { .data = reply->payload + 3, .data_length = request.data_length };
    return k210b_answer(shim, reply, &answer);
}

/** What the answer asks for happens once it has left; see rate.c. */
static int delay_until_sent(k210b_t *shim, k210b_reply_t *reply, uint8_t what)
{
    shim->link.after = what;
    shim->link.after_reply = (uint8_t)(reply - shim->link.replies);
    return K210B_OK;
}

int k210b_on_set_baud(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_wire_set_baud_t request;
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    if (shim->link.after != K210B_AFTER_NOTHING)
        return K210B_ERR_BUSY;
    if (request.baud < 9600 || request.baud > 5000000)
        return K210B_ERR_RANGE;
    k210b_wire_set_baud_answer_t answer = { .baud = request.baud };
    shim->link.next_baud = request.baud;
    delay_until_sent(shim, reply, K210B_AFTER_BAUD);
    return k210b_answer(shim, reply, &answer);
}

int k210b_on_reboot(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_wire_reboot_t request;
    k210b_wire_reboot_answer_t answer = { .status = K210B_STATUS_OK };
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    if (request.target > K210B_REBOOT_ROM)
        return K210B_ERR_RANGE;
    if (shim->link.after == K210B_AFTER_BAUD || k210b_store_busy(shim))
        return K210B_ERR_BUSY;
    if (shim->link.after == K210B_AFTER_NOTHING) {
        shim->link.reboot_target = request.target;
        delay_until_sent(shim, reply, K210B_AFTER_REBOOT);
    }
    return k210b_answer(shim, reply, &answer);
}

int k210b_on_stats(k210b_t *shim, k210b_reply_t *reply)
{
    const k210b_counters_t *counters = &shim->link.counters;
    k210b_wire_stats_answer_t answer = {
        .frames_good = counters->frames_good,
        .frames_bad = counters->frames_bad,
        .noise_bytes = counters->noise_bytes,
        .console_bytes = counters->console_bytes,
        .rx_overruns = shim->port->rx_overruns(shim->port->ctx),
        .frames_sent = counters->frames_sent,
        .datagrams_dropped = counters->datagrams_dropped,
        .results_sent = counters->results_sent,
        .pictures_sent = counters->pictures_sent,
    };
    return k210b_answer(shim, reply, &answer);
}
