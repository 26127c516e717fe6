/** Sending: one frame at a time into the port, by priority: answers, results, transfer status, log, pictures. */
#include "core.h"

enum {
    /** Frames that may wait start only when the port holds no more than this: it bounds what they delay. */
    QUEUE_LOW_BYTES = 256,
    SMALL_PAYLOAD = 256         /* transfer status and log lines fit */
};

static void load(k210b_t *shim, k210b_frame_t *frame, const uint8_t *payload, uint32_t len)
{
    k210b_link_t *link = &shim->link;
    frame->epoch = link->epoch;
    frame->budget = (uint16_t)k210b_min(k210b_link_budget(shim) / K210B_FRAME_UNIT, 0xFFFF);
    link->wire_used = (uint32_t)k210b_frame_write(frame, payload, len, link->wire);
    link->wire_sent = 0;
    link->counters.frames_sent++;
}

static int load_reply(k210b_t *shim)
{
    k210b_link_t *link = &shim->link;
    k210b_reply_t *first = NULL;
    for (uint32_t i = 0; i < K210B_REPLIES; i++) {
        k210b_reply_t *reply = &link->replies[i];
        if (reply->state == K210B_REPLY_READY && (!first || (int32_t)(reply->order - first->order) < 0))
            first = reply;
    }
    if (!first)
        return 0;
    k210b_frame_t frame = { K210B_KIND_RESPONSE, first->id, first->number, 0, K210B_FRAME_LAST, 0 };
    load(shim, &frame, first->payload, first->length);
    first->state = K210B_REPLY_SENT;
    if (link->after_reply == (uint8_t)(first - link->replies))
        link->after_reply = K210B_NONE;
    return 1;
}

static int load_result(k210b_t *shim)
{
    uint32_t len = 0;
    const uint8_t *payload = k210b_stream_next_result(shim, &len);
    if (!payload)
        return 0;
    k210b_frame_t frame = { K210B_KIND_DATAGRAM, K210B_ID_RESULT, shim->link.counter[K210B_ID_RESULT]++, 0,
                            K210B_FRAME_LAST, 0 };
    load(shim, &frame, payload, len);
    shim->link.counters.results_sent++;
    k210b_stream_result_sent(shim);
    return 1;
}

static int load_status(k210b_t *shim)
{
    uint8_t payload[SMALL_PAYLOAD];
    if (!shim->transfer.status_due)
        return 0;
    uint32_t len = k210b_transfer_status(shim, payload, sizeof payload);
    k210b_frame_t frame = { K210B_KIND_TRANSFER_STATUS, K210B_ID_TRANSFER_STATUS,
                            shim->link.counter[K210B_ID_TRANSFER_STATUS]++, 0, K210B_FRAME_LAST, 0 };
    shim->transfer.status_due = 0;
    load(shim, &frame, payload, len);
    return 1;
}

static int load_log(k210b_t *shim)
{
    uint8_t payload[SMALL_PAYLOAD];
    uint32_t len = k210b_log_take(shim, payload, sizeof payload);
    if (len == 0)
        return 0;
    k210b_frame_t frame = { K210B_KIND_DATAGRAM, K210B_ID_LOG, shim->link.counter[K210B_ID_LOG]++, 0,
                            K210B_FRAME_LAST, 0 };
    load(shim, &frame, payload, len);
    return 1;
}

static int load_fragment(k210b_t *shim)
{
    uint32_t len = 0;
    uint8_t index = 0;
    int last = 0;
    const uint8_t *payload = k210b_stream_fragment(shim, &len, &index, &last);
    if (!payload)
        return 0;
    k210b_frame_t frame = { K210B_KIND_DATAGRAM, K210B_ID_PICTURE, shim->link.counter[K210B_ID_PICTURE], 0,
                            (uint8_t)(index | (last ? K210B_FRAME_LAST : 0)), 0 };
    load(shim, &frame, payload, len);
    if (last) {
        shim->link.counter[K210B_ID_PICTURE]++;
        shim->link.counters.pictures_sent++;
    }
    return 1;
}

/** Makes the next frame; `queued` bytes have not left the port yet. */
static int load_next(k210b_t *shim, uint32_t queued)
{
    const k210b_link_t *link = &shim->link;
    if (link->after != K210B_AFTER_NOTHING && link->after_reply == K210B_NONE)
        return 0; /* the line must fall silent for the change of rate or the reboot */
    if (load_reply(shim))
        return 1;
    if (!link->open)
        return 0;
    if (load_result(shim) || load_status(shim))
        return 1;
    return queued <= QUEUE_LOW_BYTES && (load_log(shim) || load_fragment(shim));
}

void k210b_link_send(k210b_t *shim)
{
    const k210b_port_t *port = shim->port;
    k210b_link_t *link = &shim->link;
    for (;;) {
        uint32_t space = (uint32_t)port->tx_space(port->ctx);
        if (space > link->tx_capacity)
            link->tx_capacity = space;
        if (link->wire_sent == link->wire_used && !load_next(shim, link->tx_capacity - space))
            return;
        uint32_t count = k210b_min(space, link->wire_used - link->wire_sent);
        if (count == 0 || port->tx(port->ctx, link->wire + link->wire_sent, count) < 0)
            return;
        link->wire_sent += count;
    }
}

void k210b_console(k210b_t *shim, const char *text)
{
    const k210b_port_t *port = shim->port;
    uint32_t len = 0;
    while (text[len] != 0)
        len++;
    if (len > port->tx_space(port->ctx) || port->tx(port->ctx, (const uint8_t *)text, len) < 0)
        return;
    shim->link.counters.console_bytes += len;
}

void k210b_send_reset(k210b_t *shim)
{
    k210b_link_t *link = &shim->link;
    if (link->wire_sent == 0)
        link->wire_used = 0;
    shim->transfer.status_due = 0;
}
