/** Results and pictures on their way out: a short queue of results, one picture leaving while the next is encoded. */
#include "core.h"

enum {
    BLOCK_ROWS_AT_ONCE = 1,     /* rows of 16x16 blocks encoded in one poll */
    LOWEST_QUALITY = 10
};

void k210b_stream_init(k210b_t *shim)
{
    shim->stream.encoding = K210B_NONE;
    shim->stream.sending = K210B_NONE;
    shim->stream.ready = K210B_NONE;
    shim->stream.encode_plane = K210B_NONE;
}

/** Encodes with as many boxes as the session's payload holds: the best come first. */
static int encode_result(k210b_t *shim, const k210b_found_t *found, uint8_t *out)
{
    k210b_wire_result_t row;
    uint32_t cap = k210b_min(shim->link.payload_limit, K210B_RESULT_BYTES);
    k210b_found_result(found, &row);
    int used = k210b_encode(&k210b_row_result, &row, out, cap);
    while (used == K210B_ERR_SPACE && row.boxes_count > 0) {
        row.boxes_count--;
        used = k210b_encode(&k210b_row_result, &row, out, cap);
    }
    return used;
}

void k210b_stream_result(k210b_t *shim, const k210b_found_t *found)
{
    k210b_stream_t *stream = &shim->stream;
    if (stream->result_count == K210B_RESULTS) {
        k210b_stream_result_sent(shim); /* the newest wins; the gap shows in the frame number */
        shim->link.counter[K210B_ID_RESULT]++;
        shim->link.counters.datagrams_dropped++;
    }
    uint32_t i = (uint32_t)(stream->result_first + stream->result_count) % K210B_RESULTS;
    int used = encode_result(shim, found, stream->results[i].payload);
    if (used < 0)
        return;
    stream->results[i].length = (uint32_t)used;
    stream->result_count++;
}

const uint8_t *k210b_stream_next_result(const k210b_t *shim, uint32_t *length)
{
    const k210b_stream_t *stream = &shim->stream;
    if (stream->result_count == 0)
        return NULL;
    *length = stream->results[stream->result_first].length;
    return stream->results[stream->result_first].payload;
}

void k210b_stream_result_sent(k210b_t *shim)
{
    shim->stream.result_first = (uint8_t)((shim->stream.result_first + 1) % K210B_RESULTS);
    shim->stream.result_count--;
}

static uint8_t *picture(const k210b_t *shim, uint32_t which)
{
    return shim->pictures + which * shim->picture_bytes;
}

int k210b_stream_picture(k210b_t *shim, uint8_t plane)
{
    k210b_stream_t *stream = &shim->stream;
    if (stream->encoding != K210B_NONE)
        return 0;
    uint8_t which = stream->sending == 0 ? 1 : 0;
    if (stream->ready == which) {
        stream->ready = K210B_NONE;
        shim->link.counters.datagrams_dropped++;
    }
    if (k210b_jpeg_begin(&stream->jpeg, k210b_plane(shim, plane), shim->config.camera_width,
                         shim->config.camera_height, shim->pipeline.quality,
                         picture(shim, which) + K210B_PICTURE_HEADER, shim->picture_bytes - K210B_PICTURE_HEADER) < 0)
        return 0;
    stream->encoding = which;
    stream->encode_plane = plane;
    return 1;
}

/** Puts the row's fields before the bytes that the encoder left in place. */
static int finish_picture(k210b_t *shim, uint32_t jpeg_bytes)
{
    k210b_stream_t *stream = &shim->stream;
    const k210b_plane_t *plane = &shim->pipeline.planes[stream->encode_plane];
    uint8_t *out = picture(shim, stream->encoding);
    k210b_wire_picture_t row = {
        .frame_id = plane->frame_id,
        .capture_us = plane->capture_us,
        .width = shim->config.camera_width,
        .height = shim->config.camera_height,
        .format = K210B_PICTURE_JPEG,
        .data = out + K210B_PICTURE_HEADER,
        .data_length = (uint16_t)jpeg_bytes,
    };
    int used = k210b_encode(&k210b_row_picture, &row, out, shim->picture_bytes);
    if (used > (int)(shim->link.payload_limit * K210B_FRAME_MAX_FRAGMENTS))
        return K210B_ERR_SPACE;
    stream->length[stream->encoding] = (uint32_t)used;
    return used;
}

static void encode(k210b_t *shim)
{
    k210b_stream_t *stream = &shim->stream;
    int result = k210b_jpeg_rows(&stream->jpeg, BLOCK_ROWS_AT_ONCE);
    if (result == 0)
        return;
    if (result > 0)
        result = k210b_jpeg_finish(&stream->jpeg);
    if (result > 0)
        result = finish_picture(shim, (uint32_t)result);
    if (result > 0) {
        stream->ready = stream->encoding;
    } else {
        shim->link.counters.datagrams_dropped++;
        if (shim->pipeline.quality > LOWEST_QUALITY)
            shim->pipeline.quality = (uint8_t)(shim->pipeline.quality * 3 / 4); /* too large for its buffer */
    }
    stream->encoding = K210B_NONE;
    k210b_capture_release(shim, stream->encode_plane);
    stream->encode_plane = K210B_NONE;
}

void k210b_stream_poll(k210b_t *shim)
{
    k210b_stream_t *stream = &shim->stream;
    if (stream->encoding != K210B_NONE)
        encode(shim);
    if (!shim->pipeline.results)
        stream->ready = K210B_NONE; /* encoded for a stream that has ended */
    if (stream->sending == K210B_NONE && stream->ready != K210B_NONE) {
        stream->sending = stream->ready;
        stream->ready = K210B_NONE;
        stream->sent = 0;
        stream->fragment = 0;
    }
}

const uint8_t *k210b_stream_fragment(k210b_t *shim, uint32_t *length, uint8_t *index, int *last)
{
    k210b_stream_t *stream = &shim->stream;
    if (stream->sending == K210B_NONE)
        return NULL;
    const uint8_t *from = picture(shim, stream->sending) + stream->sent;
    *length = k210b_min(shim->link.payload_limit, stream->length[stream->sending] - stream->sent);
    *index = stream->fragment++;
    stream->sent += *length;
    *last = stream->sent == stream->length[stream->sending];
    if (*last)
        stream->sending = K210B_NONE;
    return from;
}

void k210b_stream_reset(k210b_t *shim)
{
    k210b_stream_t *stream = &shim->stream;
    stream->result_count = 0;
    stream->ready = K210B_NONE;
    if (stream->sending != K210B_NONE)
        shim->link.counter[K210B_ID_PICTURE]++; /* the rest of it would not fit the new session */
    stream->sending = K210B_NONE;
}
