/** Frames to bytes and back; see k210b/frame.h. */
#include "k210b/frame.h"

#include "k210b/crc32.h"
#include "k210b/mem.h"
#include "k210b/status.h"

size_t k210b_frame_write(const k210b_frame_t *frame, const uint8_t *payload, size_t len, uint8_t *out)
{
    uint8_t header[K210B_FRAME_HEADER] = { frame->kind, frame->id };
    uint8_t check[K210B_FRAME_CRC];
    k210b_put16(header + 2, frame->number);
    header[4] = frame->epoch;
    header[5] = frame->fragment;
    k210b_put16(header + 6, frame->budget);
    k210b_put32(check, k210b_crc32(k210b_crc32(0, header, sizeof header), payload, len));

    k210b_cobs_writer_t writer;
    k210b_cobs_begin(&writer, out + 1);
    k210b_cobs_put(&writer, header, sizeof header);
    k210b_cobs_put(&writer, payload, len);
    k210b_cobs_put(&writer, check, sizeof check);
    size_t stuffed = k210b_cobs_end(&writer);
    out[0] = 0;
    out[1 + stuffed] = 0;
    return stuffed + 2;
}

int k210b_frame_read(const uint8_t *raw, size_t raw_len, k210b_frame_t *frame, size_t *len)
{
    if (raw_len < K210B_FRAME_HEADER + K210B_FRAME_CRC)
        return K210B_ERR_BAD_REQUEST;
    size_t end = raw_len - K210B_FRAME_CRC;
    if (k210b_get32(raw + end) != k210b_crc32(0, raw, end) || raw[0] >= K210B_KINDS)
        return K210B_ERR_BAD_REQUEST;
    frame->kind = raw[0];
    frame->id = raw[1];
    frame->number = k210b_get16(raw + 2);
    frame->epoch = raw[4];
    frame->fragment = raw[5];
    frame->budget = k210b_get16(raw + 6);
    *len = end - K210B_FRAME_HEADER;
    return K210B_OK;
}
