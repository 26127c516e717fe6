/**
 * Requests: finds the handler, keeps the answer so that a repeated request gets it again, and calls handlers that wait
 * for something once per poll until they answer.
 */
#include "core.h"

typedef struct k210b_dispatch_row {
    uint8_t id;
    k210b_handler_t *handler;
} k210b_dispatch_row_t;

static const k210b_dispatch_row_t handlers[] = {
    { K210B_ID_HELLO, k210b_on_hello },
    { K210B_ID_PING, k210b_on_ping },
    { K210B_ID_ECHO, k210b_on_echo },
    { K210B_ID_SET_BAUD, k210b_on_set_baud },
    { K210B_ID_REBOOT, k210b_on_reboot },
    { K210B_ID_STATS, k210b_on_stats },
    { K210B_ID_MODEL_LIST, k210b_on_model_list },
    { K210B_ID_MODEL_LOAD, k210b_on_model_load },
    { K210B_ID_MODEL_REMOVE, k210b_on_model_remove },
    { K210B_ID_TRANSFER_OPEN, k210b_on_transfer_open },
    { K210B_ID_TRANSFER_HASHES, k210b_on_transfer_hashes },
    { K210B_ID_TRANSFER_COMMIT, k210b_on_transfer_commit },
    { K210B_ID_TRANSFER_ABORT, k210b_on_transfer_abort },
    { K210B_ID_STREAM_CONFIG, k210b_on_stream_config },
    { K210B_ID_INFER, k210b_on_infer },
    { K210B_ID_READ_OUTPUT, k210b_on_read_output },
};

static k210b_handler_t *find_handler(uint8_t id)
{
    for (uint32_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (handlers[i].id == id)
            return handlers[i].handler;
    return NULL;
}

static void answer_status(k210b_reply_t *reply, int status)
{
    reply->payload[0] = (uint8_t)-status;
    reply->length = 1;
    reply->state = K210B_REPLY_READY;
}

static void run_handler(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_handler_t *handler = find_handler(reply->id);
    int result = handler ? handler(shim, reply) : K210B_ERR_UNKNOWN_MESSAGE;
    if (result < 0)
        answer_status(reply, result);
}

/** CRC-32 of the request's payload tells a repeated request from one of a host that began anew in the same epoch. */
static int is_repeated(const k210b_reply_t *reply, const k210b_frame_t *frame, uint32_t crc)
{
    return reply->state != K210B_REPLY_FREE && reply->number == frame->number && reply->id == frame->id
        && reply->crc == crc;
}

/** The reply of a repeated request, else one to take: a free one or the oldest answered one; NULL when all work. */
static k210b_reply_t *find_reply(k210b_link_t *link, const k210b_frame_t *frame, uint32_t crc, int *repeated)
{
    k210b_reply_t *best = NULL;
    for (uint32_t i = 0; i < K210B_REPLIES; i++) {
        k210b_reply_t *reply = &link->replies[i];
        if (is_repeated(reply, frame, crc)) {
            *repeated = 1;
            return reply;
        }
        if (reply->state == K210B_REPLY_WORKING || reply->state == K210B_REPLY_READY)
            continue;
        if (!best || (best->state != K210B_REPLY_FREE
                      && (reply->state == K210B_REPLY_FREE || (int32_t)(reply->order - best->order) < 0)))
            best = reply;
    }
    return best;
}

/** HELLO of another epoch, or of another host in the same one, ends the old session. The transfer stays open. */
static void open_session(k210b_t *shim, uint8_t epoch, const uint8_t *payload, uint32_t len)
{
    k210b_link_t *link = &shim->link;
    k210b_wire_hello_t hello;
    if (k210b_decode(&k210b_row_hello, payload, len, &hello) < 0)
        return;
    if (link->open && link->epoch == epoch && link->host_nonce == hello.host_nonce)
        return;
    link->host_nonce = hello.host_nonce;
    k210b_dispatch_reset(shim);
    k210b_pipeline_reset(shim);
    k210b_stream_reset(shim);
    k210b_send_reset(shim);
    link->after = K210B_AFTER_NOTHING;
    link->after_reply = K210B_NONE;
    link->open = 1;
    link->epoch = epoch;
    link->payload_limit = K210B_PAYLOAD_DEFAULT_BYTES;
}

void k210b_dispatch(k210b_t *shim, const k210b_frame_t *frame, const uint8_t *payload, uint32_t len)
{
    k210b_link_t *link = &shim->link;
    uint32_t crc = k210b_crc32(0, payload, len);
    int repeated = 0;
    if (frame->id == K210B_ID_HELLO)
        open_session(shim, frame->epoch, payload, len);
    if (!link->open)
        return; /* a HELLO that does not decode */
    k210b_reply_t *reply = find_reply(link, frame, crc, &repeated);
    if (!reply)
        return; /* the host asks again */
    if (repeated) {
        if (reply->state == K210B_REPLY_SENT)
            reply->state = K210B_REPLY_READY;
        return;
    }
    reply->id = frame->id;
    reply->number = frame->number;
    reply->crc = crc;
    reply->order = link->order++;
    reply->since_us = shim->now_us;
    reply->step = 0;
    reply->length = len;
    reply->state = K210B_REPLY_WORKING;
    memcpy(reply->payload, payload, len);
    if (frame->fragment == K210B_FRAME_LAST)
        run_handler(shim, reply);
    else
        answer_status(reply, K210B_ERR_BAD_REQUEST); /* requests are not fragmented */
}

void k210b_dispatch_poll(k210b_t *shim)
{
    for (uint32_t i = 0; i < K210B_REPLIES; i++)
        if (shim->link.replies[i].state == K210B_REPLY_WORKING)
            run_handler(shim, &shim->link.replies[i]);
}

void k210b_dispatch_reset(k210b_t *shim)
{
    for (uint32_t i = 0; i < K210B_REPLIES; i++)
        shim->link.replies[i].state = K210B_REPLY_FREE;
}

int k210b_request(const k210b_reply_t *reply, void *value)
{
    int used = k210b_decode(k210b_message_find(reply->id)->row, reply->payload, reply->length, value);
    return used < 0 ? used : K210B_OK;
}

int k210b_answer(k210b_t *shim, k210b_reply_t *reply, const void *value)
{
    int used = k210b_encode(k210b_message_find(reply->id)->answer, value, reply->payload, shim->link.payload_limit);
    if (used < 0)
        return used;
    reply->length = (uint32_t)used;
    reply->state = K210B_REPLY_READY;
    return K210B_OK;
}
