/** COBS encoder and decoder; see k210b/cobs.h. */
#include "k210b/cobs.h"

void k210b_cobs_begin(k210b_cobs_writer_t *writer, uint8_t *out)
{
    writer->out = out;
    writer->code_at = 0;
    writer->used = 1;
    writer->full = 0;
}

void k210b_cobs_put(k210b_cobs_writer_t *writer, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (writer->full) {
            writer->code_at = writer->used++;
            writer->full = 0;
        }
        if (data[i] != 0)
            writer->out[writer->used++] = data[i];
        size_t code = writer->used - writer->code_at;
        if (data[i] == 0) {
            writer->out[writer->code_at] = (uint8_t)code;
            writer->code_at = writer->used++;
        } else if (code == 255) {
            writer->out[writer->code_at] = 255;
            writer->full = 1;
        }
    }
}

size_t k210b_cobs_end(k210b_cobs_writer_t *writer)
{
    if (!writer->full)
        writer->out[writer->code_at] = (uint8_t)(writer->used - writer->code_at);
    return writer->used;
}

void k210b_cobs_restart(k210b_cobs_reader_t *reader)
{
    reader->used = 0;
    reader->code = 0;
    reader->left = 0;
    reader->bad = 0;
}

static void store(k210b_cobs_reader_t *reader, uint8_t byte)
{
    if (reader->used < reader->cap)
        reader->out[reader->used++] = byte;
    else
        reader->bad = 1;
}

void k210b_cobs_take(k210b_cobs_reader_t *reader, uint8_t byte)
{
    if (reader->left > 0) {
        store(reader, byte);
        reader->left--;
        return;
    }
    /* A new block: the one before stands for a zero behind it, unless it was a full one. */
    if (reader->code != 0 && reader->code != 255)
        store(reader, 0);
    reader->code = byte;
    reader->left = (uint8_t)(byte - 1);
}

int k210b_cobs_complete(const k210b_cobs_reader_t *reader)
{
    return reader->code != 0 && reader->left == 0 && !reader->bad;
}
