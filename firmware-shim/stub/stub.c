/** Receiving, dispatch, sending and rate changes of the flash stub. */
#include "stub.h"

#include "k210b/crc32.h"
#include "k210b/mem.h"
#include "stub_internal.h"

enum {
    SLIP_END = 0xC0,
    SLIP_ESCAPE = 0xDB,
    SLIP_ESCAPED_END = 0xDC,
    SLIP_ESCAPED_ESCAPE = 0xDD,
    SHORT_GREETING = 13,
    READ_CHUNK = 256,
    READ_CHUNKS_A_TURN = 64,
    STEPS_A_TURN = 8,
    BAUD_TRIAL_US = 500000,      /* a new rate that brings nothing valid for so long is given up */
    IDLE_RESET_US = 10000000     /* a host that vanished finds the stub at 115200 again */
};

typedef struct command {
    uint8_t op;
    uint8_t length_is_argument;
    uint32_t least;
    uint32_t most;
    void (*handler)(k210b_stub_t *stub, const k210b_stub_packet_t *packet);
} command_t;

#define ROW(name, op, least, most, argument) {op, argument, least, most, k210b_stub_on_##name},
static const command_t commands[] = {K210B_ISP_COMMANDS(ROW)};
#undef ROW

void k210b_stub_init(k210b_stub_t *stub, const k210b_port_t *port)
{
    memset(stub, 0, sizeof *stub);
    stub->port = port;
    stub->baud = K210B_STUB_FIRST_BAUD;
    stub->old_baud = K210B_STUB_FIRST_BAUD;
}

uint32_t k210b_stub_packet_crc(const uint8_t *packet, uint32_t length)
{
    uint32_t crc = packet[0] >= K210B_ISP_FIRST_EXTENSION ? k210b_crc32(0, packet, 4) : 0;
    return k210b_crc32(crc, packet + 8, length - 8);
}

static void put(k210b_stub_tx_t *tx, uint8_t byte)
{
    tx->ring[(tx->head + tx->count) % K210B_STUB_TX] = byte;
    tx->count++;
}

static void send_frame(k210b_stub_t *stub, const uint8_t *bytes, uint32_t length)
{
    k210b_stub_tx_t *tx = &stub->tx;
    if (K210B_STUB_TX - tx->count < 2 * length + 2)
        return;
    put(tx, SLIP_END);
    for (uint32_t i = 0; i < length; i++) {
        int special = bytes[i] == SLIP_END || bytes[i] == SLIP_ESCAPE;
        if (special)
            put(tx, SLIP_ESCAPE);
        if (special)
            put(tx, bytes[i] == SLIP_END ? SLIP_ESCAPED_END : SLIP_ESCAPED_ESCAPE);
        else
            put(tx, bytes[i]);
    }
    put(tx, SLIP_END);
}

void k210b_stub_reply(k210b_stub_t *stub, uint8_t op, uint8_t result)
{
    const uint8_t reply[2] = {op, result};
    send_frame(stub, reply, sizeof reply);
}

void k210b_stub_reply_packet(k210b_stub_t *stub, uint8_t op, uint16_t tag, uint8_t result, uint8_t *packet,
                             uint32_t data_bytes)
{
    k210b_put16(packet, op);
    k210b_put16(packet + 2, tag);
    k210b_put32(packet + 8, result);
    k210b_put32(packet + 12, data_bytes);
    k210b_put32(packet + 4, k210b_stub_packet_crc(packet, K210B_STUB_HEADER + data_bytes));
    send_frame(stub, packet, K210B_STUB_HEADER + data_bytes);
}

void k210b_stub_reply_result(k210b_stub_t *stub, const k210b_stub_packet_t *packet, uint8_t result)
{
    uint8_t reply[K210B_STUB_HEADER];
    k210b_stub_reply_packet(stub, packet->op, packet->tag, result, reply, 0);
}

/** Refuses a request in the form that its kind of command answers in. */
static void refuse(k210b_stub_t *stub, const k210b_stub_packet_t *packet, uint8_t result)
{
    if (packet->op >= K210B_ISP_FIRST_EXTENSION)
        k210b_stub_reply_result(stub, packet, result);
    else
        k210b_stub_reply(stub, packet->op, result);
}

static const command_t *find_command(uint8_t op)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (commands[i].op == op)
            return &commands[i];
    return NULL;
}

static void dispatch(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    const command_t *command = find_command(packet->op);
    if (command == NULL) {
        refuse(stub, packet, K210B_ISP_RESULT_BAD_COMMAND);
        return;
    }
    int fits = packet->data_bytes >= command->least && packet->data_bytes <= command->most;
    if (!fits || (!command->length_is_argument && packet->length != packet->data_bytes)) {
        refuse(stub, packet, K210B_ISP_RESULT_BAD_LENGTH);
        return;
    }
    stub->last_valid_us = stub->now_us;
    stub->baud_on_trial = 0;
    command->handler(stub, packet);
}

static int is_short_greeting(const uint8_t *frame, uint32_t length)
{
    if (length < SHORT_GREETING || length >= K210B_STUB_HEADER || frame[0] != K210B_ISP_STUB_GREETING)
        return 0;
    for (uint32_t i = 1; i < length; i++)
        if (frame[i] != 0)
            return 0;
    return 1;
}

static void handle_frame(k210b_stub_t *stub)
{
    const uint8_t *frame = stub->rx.frame;
    uint32_t length = stub->rx.length;
    k210b_stub_packet_t packet = {frame[0], 0, 0, 0, 0, frame + K210B_STUB_HEADER};
    if (is_short_greeting(frame, length)) {
        dispatch(stub, &packet);
        return;
    }
    if (length < K210B_STUB_HEADER) { /* noise: too short to name anything that could be answered */
        stub->rx.bad_frames++;
        return;
    }
    packet.tag = k210b_get16(frame + 2);
    packet.address = k210b_get32(frame + 8);
    packet.length = k210b_get32(frame + 12);
    packet.data_bytes = length - K210B_STUB_HEADER;
    if (frame[1] != 0 || k210b_get32(frame + 4) != k210b_stub_packet_crc(frame, length)) {
        stub->rx.bad_frames++;
        if (stub->session.open)
            stub->session.status_due = 1; /* the host sees what is missing and sends it again */
        else
            refuse(stub, &packet, K210B_ISP_RESULT_BAD_CHECKSUM);
        return;
    }
    dispatch(stub, &packet);
}

static void end_frame(k210b_stub_t *stub)
{
    k210b_stub_rx_t *rx = &stub->rx;
    if (rx->damaged || rx->escaped) {
        rx->bad_frames++;
        if (stub->session.open)
            stub->session.status_due = 1;
    } else if (rx->length > 0) {
        handle_frame(stub);
    }
    rx->length = 0;
    rx->escaped = 0;
    rx->damaged = 0;
}

static void take_byte(k210b_stub_t *stub, uint8_t byte)
{
    k210b_stub_rx_t *rx = &stub->rx;
    if (byte == SLIP_END) {
        end_frame(stub);
        return;
    }
    if (rx->escaped) {
        rx->escaped = 0;
        rx->damaged |= byte != SLIP_ESCAPED_END && byte != SLIP_ESCAPED_ESCAPE;
        byte = byte == SLIP_ESCAPED_END ? SLIP_END : SLIP_ESCAPE;
    } else if (byte == SLIP_ESCAPE) {
        rx->escaped = 1;
        return;
    }
    if (rx->length < K210B_STUB_FRAME)
        rx->frame[rx->length++] = byte;
    else
        rx->damaged = 1;
}

/** While a classic write uses the frame as its data, what arrives is thrown away: its host waits for the reply. */
static void receive(k210b_stub_t *stub)
{
    uint8_t bytes[READ_CHUNK];
    for (int chunk = 0; chunk < READ_CHUNKS_A_TURN; chunk++) {
        size_t count = stub->port->rx(stub->port->ctx, bytes, sizeof bytes);
        for (size_t i = 0; i < count; i++)
            if (stub->job.kind != K210B_STUB_WRITE)
                take_byte(stub, bytes[i]);
        if (count < sizeof bytes)
            return;
    }
}

static void transmit(k210b_stub_t *stub)
{
    k210b_stub_tx_t *tx = &stub->tx;
    while (tx->count > 0) {
        size_t run = K210B_STUB_TX - tx->head < tx->count ? K210B_STUB_TX - tx->head : tx->count;
        size_t space = stub->port->tx_space(stub->port->ctx);
        size_t take = run < space ? run : space;
        if (take == 0 || stub->port->tx(stub->port->ctx, tx->ring + tx->head, take) < 0)
            return;
        tx->head = (tx->head + (uint32_t)take) % K210B_STUB_TX;
        tx->count -= (uint32_t)take;
    }
}

static void change_baud(k210b_stub_t *stub, uint32_t baud, uint8_t on_trial)
{
    if (stub->port->set_baud(stub->port->ctx, baud) < 0)
        return;
    stub->old_baud = stub->baud;
    stub->baud = baud;
    stub->baud_on_trial = on_trial;
    stub->last_valid_us = stub->now_us;
    stub->rx.length = 0;
}

/** Rate change, reboot and execute wait until the answer has left the wire. */
static void do_after(k210b_stub_t *stub)
{
    const k210b_port_t *port = stub->port;
    if (stub->after == K210B_STUB_NOTHING || stub->tx.count > 0 || !port->tx_idle(port->ctx))
        return;
    k210b_stub_after_t what = stub->after;
    stub->after = K210B_STUB_NOTHING;
    if (what == K210B_STUB_SWITCH_BAUD)
        change_baud(stub, stub->after_value, 1);
    else if (what == K210B_STUB_REBOOT)
        port->reboot(port->ctx, (int)stub->after_value);
    else if (port->execute != NULL)
        port->execute(port->ctx, stub->after_value);
}

static void watch_baud(k210b_stub_t *stub)
{
    uint32_t silent_us = stub->now_us - stub->last_valid_us;
    if (stub->baud_on_trial && silent_us > BAUD_TRIAL_US)
        change_baud(stub, stub->old_baud, 0);
    else if (stub->baud != K210B_STUB_FIRST_BAUD && stub->job.kind == K210B_STUB_IDLE && silent_us > IDLE_RESET_US)
        change_baud(stub, K210B_STUB_FIRST_BAUD, 0);
}

void k210b_stub_poll(k210b_stub_t *stub, uint32_t now_us)
{
    stub->now_us = now_us;
    receive(stub);
    for (int step = 0; step < STEPS_A_TURN; step++) {
        int more = stub->job.kind != K210B_STUB_IDLE ? k210b_stub_job_step(stub) : k210b_stub_session_step(stub);
        if (!more)
            break;
    }
    if (stub->session.status_due && stub->tx.count == 0)
        k210b_stub_send_status(stub);
    transmit(stub);
    do_after(stub);
    watch_baud(stub);
}
