/** Pieces of a transfer: bitmap, status, ends. Rows: protocol/messages/transfer.ts. */
#include "core.h"

uint32_t k210b_transfer_block_bytes(const k210b_transfer_t *transfer, uint32_t block)
{
    return k210b_min(K210B_SECTOR, transfer->size - block * K210B_SECTOR);
}

uint32_t k210b_transfer_pieces_of(const k210b_transfer_t *transfer, uint32_t block)
{
    return (k210b_transfer_block_bytes(transfer, block) + transfer->piece_bytes - 1) / transfer->piece_bytes;
}

int k210b_transfer_have_block(const k210b_transfer_t *transfer, uint32_t block)
{
    uint32_t first = block * (K210B_SECTOR / transfer->piece_bytes);
    uint32_t count = k210b_transfer_pieces_of(transfer, block);
    for (uint32_t i = 0; i < count; i++)
        if (!k210b_bit(transfer->have, first + i))
            return 0;
    return 1;
}

int k210b_transfer_has_piece(const k210b_transfer_t *transfer, uint32_t block)
{
    uint32_t first = block * (K210B_SECTOR / transfer->piece_bytes);
    uint32_t count = k210b_transfer_pieces_of(transfer, block);
    for (uint32_t i = 0; i < count; i++)
        if (k210b_bit(transfer->have, first + i))
            return 1;
    return 0;
}

void k210b_transfer_mark(k210b_transfer_t *transfer, uint32_t piece)
{
    if (k210b_bit(transfer->have, piece))
        return;
    k210b_bit_set(transfer->have, piece);
    transfer->received++;
    while (transfer->first_missing < transfer->pieces && k210b_bit(transfer->have, transfer->first_missing))
        transfer->first_missing++;
}

static uint32_t piece_bytes(const k210b_transfer_t *transfer, uint32_t piece)
{
    return k210b_min(transfer->piece_bytes, transfer->size - piece * transfer->piece_bytes);
}

static void take_piece(k210b_t *shim, uint32_t piece, const uint8_t *data, uint32_t len)
{
    k210b_transfer_t *transfer = &shim->transfer;
    if (k210b_bit(transfer->have, piece) || transfer->status < 0)
        return;
    if (transfer->target == K210B_TARGET_INPUT)
        memcpy(transfer->memory + piece * transfer->piece_bytes, data, len);
    else if (!k210b_transfer_buffer(shim, piece, data, len))
        return;
    k210b_transfer_mark(transfer, piece);
}

void k210b_transfer_block(k210b_t *shim, const uint8_t *payload, uint32_t len)
{
    k210b_transfer_t *transfer = &shim->transfer;
    k210b_wire_transfer_block_t block;
    if (k210b_decode(&k210b_row_transfer_block, payload, len, &block) < 0)
        return;
    if (transfer->state != K210B_TRANSFER_OPEN || block.transfer_id != transfer->id)
        return;
    transfer->status_due = 1;
    if (block.offset >= transfer->size || block.offset % transfer->piece_bytes != 0)
        return;
    uint32_t piece = block.offset / transfer->piece_bytes;
    if (block.data_length == piece_bytes(transfer, piece))
        take_piece(shim, piece, block.data, block.data_length);
}

/** Bytes of all pieces received; the last one may be short. */
static uint32_t received_bytes(const k210b_transfer_t *transfer)
{
    uint32_t bytes = transfer->received * transfer->piece_bytes;
    if (transfer->pieces > 0 && k210b_bit(transfer->have, transfer->pieces - 1))
        bytes -= transfer->piece_bytes - piece_bytes(transfer, transfer->pieces - 1);
    return bytes;
}

/** Bits from the first missing piece on, up to the last one set; returns their bytes. */
static uint32_t put_bitmap(const k210b_transfer_t *transfer, uint8_t *bitmap)
{
    uint32_t used = 0;
    memset(bitmap, 0, K210B_TRANSFER_MAX_BITMAP_BYTES);
    for (uint32_t i = 0; i < K210B_TRANSFER_MAX_BITMAP_BYTES * 8; i++) {
        uint32_t piece = transfer->first_missing + i;
        if (piece >= transfer->pieces)
            break;
        if (!k210b_bit(transfer->have, piece))
            continue;
        k210b_bit_set(bitmap, i);
        used = i / 8 + 1;
    }
    return used;
}

uint32_t k210b_transfer_status(k210b_t *shim, uint8_t *out, uint32_t cap)
{
    const k210b_transfer_t *transfer = &shim->transfer;
    uint8_t bitmap[K210B_TRANSFER_MAX_BITMAP_BYTES];
    k210b_wire_transfer_status_t row = {
        .transfer_id = transfer->id,
        .status = (uint8_t)-transfer->status,
        .first_missing = k210b_min(transfer->first_missing * transfer->piece_bytes, transfer->size),
        .received_bytes = received_bytes(transfer),
        .bitmap_first = (uint16_t)transfer->first_missing,
        .bitmap = bitmap,
        .bitmap_length = (uint16_t)put_bitmap(transfer, bitmap),
    };
    int used = k210b_encode(&k210b_row_transfer_status, &row, out, cap);
    return used < 0 ? 0 : (uint32_t)used;
}

void k210b_transfer_end(k210b_t *shim, uint8_t state)
{
    k210b_transfer_t *transfer = &shim->transfer;
    transfer->state = state;
    transfer->status_due = 0;
    transfer->hashing = 0;
    for (uint32_t i = 0; i < K210B_WRITE_BUFFERS; i++)
        transfer->buffers[i].state = 0;
}
