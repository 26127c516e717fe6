/** Receiving: bytes to frames, what is no frame is counted. */
#include "core.h"

enum {
    RECEIVE_AT_ONCE = 512,      /* bytes taken from the port in one call */
    RECEIVE_ROUNDS = 32         /* calls in one poll: the rest of the loop must get its turn */
};

void k210b_link_init(k210b_t *shim)
{
    k210b_link_t *link = &shim->link;
    link->reader.out = link->raw;
    link->reader.cap = sizeof link->raw;
    k210b_cobs_restart(&link->reader);
    link->payload_limit = K210B_PAYLOAD_DEFAULT_BYTES;
    link->baud = shim->config.baud;
    link->after_reply = K210B_NONE;
}

/** A request before any session, or of an old one, is dropped; only HELLO opens one. */
static int is_of_session(const k210b_link_t *link, const k210b_frame_t *frame)
{
    if (frame->kind == K210B_KIND_REQUEST && frame->id == K210B_ID_HELLO)
        return frame->epoch != 0;
    return link->open && frame->epoch == link->epoch;
}

static void take_frame(k210b_t *shim, const k210b_frame_t *frame, const uint8_t *payload, uint32_t len)
{
    if (!is_of_session(&shim->link, frame))
        return;
    if (frame->kind == K210B_KIND_REQUEST)
        k210b_dispatch(shim, frame, payload, len);
    else if (frame->kind == K210B_KIND_TRANSFER_BLOCK && frame->id == K210B_ID_TRANSFER_BLOCK)
        k210b_transfer_block(shim, payload, len);
}

static void end_segment(k210b_t *shim)
{
    k210b_link_t *link = &shim->link;
    k210b_frame_t frame;
    size_t len = 0;
    if (link->segment_bytes == 0)
        return;
    if (k210b_cobs_complete(&link->reader)
        && k210b_frame_read(link->raw, link->reader.used, &frame, &len) == K210B_OK) {
        link->counters.frames_good++;
        k210b_rate_confirm(shim);
        take_frame(shim, &frame, link->raw + K210B_FRAME_HEADER, (uint32_t)len);
    } else {
        link->counters.noise_bytes += link->segment_bytes;
        if (link->segment_bytes > K210B_FRAME_HEADER + K210B_FRAME_CRC)
            link->counters.frames_bad++;
    }
    link->segment_bytes = 0;
    k210b_cobs_restart(&link->reader);
}

void k210b_link_receive(k210b_t *shim)
{
    uint8_t bytes[RECEIVE_AT_ONCE];
    k210b_link_t *link = &shim->link;
    for (int round = 0; round < RECEIVE_ROUNDS; round++) {
        size_t count = shim->port->rx(shim->port->ctx, bytes, sizeof bytes);
        for (size_t i = 0; i < count; i++) {
            if (bytes[i] == 0) {
                end_segment(shim);
                continue;
            }
            k210b_cobs_take(&link->reader, bytes[i]);
            link->segment_bytes++;
        }
        if (count < sizeof bytes)
            return;
    }
}

uint32_t k210b_link_budget(const k210b_t *shim)
{
    const k210b_transfer_t *transfer = &shim->transfer;
    uint32_t ring = shim->config.rx_ring_bytes;
    if (transfer->state != K210B_TRANSFER_OPEN || transfer->target == K210B_TARGET_INPUT)
        return ring;
    return k210b_min(ring, k210b_transfer_room(shim));
}
