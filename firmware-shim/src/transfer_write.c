/**
 * From received pieces to flash, while more pieces arrive: sector buffers, erase of 64 KiB where nothing in it is worth
 * keeping and of 4 KiB elsewhere, the next 64 KiB erased ahead when nothing else is to do.
 */
#include "core.h"

enum { FREE = 0, USED = 1 };
enum { NOTHING = K210B_NONE, AHEAD = K210B_NONE - 1 }; /* transfer.writing beside buffer indices */

static uint32_t pieces_per_block(const k210b_transfer_t *transfer)
{
    return K210B_SECTOR / transfer->piece_bytes;
}

static k210b_write_buffer_t *buffer_of(k210b_transfer_t *transfer, uint32_t block)
{
    for (uint32_t i = 0; i < K210B_WRITE_BUFFERS; i++)
        if (transfer->buffers[i].state == USED && transfer->buffers[i].block == block)
            return &transfer->buffers[i];
    return NULL;
}

static k210b_write_buffer_t *new_buffer(k210b_transfer_t *transfer, uint32_t block)
{
    for (uint32_t i = 0; i < K210B_WRITE_BUFFERS; i++) {
        k210b_write_buffer_t *buffer = &transfer->buffers[i];
        if (buffer->state == USED)
            continue;
        buffer->state = USED;
        buffer->block = (uint16_t)block;
        buffer->have = 0;
        buffer->run = 0;
        return buffer;
    }
    return NULL;
}

static uint8_t *memory_of(k210b_transfer_t *transfer, const k210b_write_buffer_t *buffer)
{
    return transfer->memory + (uint32_t)(buffer - transfer->buffers) * K210B_SECTOR;
}

int k210b_transfer_buffer(k210b_t *shim, uint32_t piece, const uint8_t *data, uint32_t len)
{
    k210b_transfer_t *transfer = &shim->transfer;
    uint32_t block = piece / pieces_per_block(transfer);
    uint32_t index = piece % pieces_per_block(transfer);
    k210b_write_buffer_t *buffer = buffer_of(transfer, block);
    if (!buffer)
        buffer = new_buffer(transfer, block);
    if (!buffer) {
        transfer->starved = 1;
        return 0;
    }
    memcpy(memory_of(transfer, buffer) + index * transfer->piece_bytes, data, len);
    buffer->have |= 1u << index;
    return 1;
}

uint32_t k210b_transfer_room(const k210b_t *shim)
{
    const k210b_transfer_t *transfer = &shim->transfer;
    uint32_t pieces = 0;
    for (uint32_t i = 0; i < K210B_WRITE_BUFFERS; i++) {
        const k210b_write_buffer_t *buffer = &transfer->buffers[i];
        if (buffer->state == FREE) {
            pieces += pieces_per_block(transfer);
            continue;
        }
        uint32_t first = buffer->block * pieces_per_block(transfer);
        uint32_t count = k210b_transfer_pieces_of(transfer, buffer->block);
        for (uint32_t j = 0; j < count; j++)
            pieces += !k210b_bit(transfer->have, first + j);
    }
    return pieces * transfer->piece_bytes;
}

int k210b_transfer_writing(const k210b_t *shim)
{
    return shim->transfer.writing != NOTHING;
}

int k210b_transfer_written(const k210b_t *shim)
{
    for (uint32_t i = 0; i < K210B_WRITE_BUFFERS; i++)
        if (shim->transfer.buffers[i].state == USED)
            return 0;
    return !k210b_transfer_writing(shim);
}

/** First block of the 64 KiB that hold `block`; may lie before the transfer (then the result is negative). */
static int32_t region_of(const k210b_transfer_t *transfer, uint32_t block)
{
    uint32_t in_region = (transfer->address + block * K210B_SECTOR) % K210B_FLASH_BLOCK / K210B_SECTOR;
    return (int32_t)block - (int32_t)in_region;
}

/** 1 when the whole 64 KiB belong to the transfer and flash holds nothing in them that is to stay. */
static int may_erase_region(k210b_transfer_t *transfer, int32_t first)
{
    uint32_t count = K210B_FLASH_BLOCK / K210B_SECTOR;
    if (first < 0)
        return 0;
    if (transfer->target != K210B_TARGET_MODEL_SLOT && (uint32_t)first + count > transfer->blocks)
        return 0; /* what follows belongs to others; a model owns its last 64 KiB to the end */
    for (uint32_t block = (uint32_t)first; block < (uint32_t)first + count && block < transfer->blocks; block++)
        if (k210b_bit(transfer->erased, block) || (k210b_transfer_has_piece(transfer, block) && !buffer_of(transfer, block)))
            return 0;
    return 1;
}

static void mark_erased(k210b_transfer_t *transfer, uint32_t first, uint32_t count)
{
    for (uint32_t block = first; block < first + count && block < transfer->blocks; block++)
        k210b_bit_set(transfer->erased, block);
}

/** How much to erase for this block: 0 when it is erased already. Marks what will be. */
static uint32_t plan_erase(k210b_transfer_t *transfer, uint32_t block)
{
    int32_t first = region_of(transfer, block);
    if (k210b_bit(transfer->erased, block))
        return 0;
    if (may_erase_region(transfer, first)) {
        mark_erased(transfer, (uint32_t)first, K210B_FLASH_BLOCK / K210B_SECTOR);
        return K210B_FLASH_BLOCK;
    }
    mark_erased(transfer, block, 1);
    return K210B_SECTOR;
}

/** The buffer to write next: a complete block, the first in order; an incomplete one when pieces found no room. */
static k210b_write_buffer_t *choose(k210b_transfer_t *transfer)
{
    k210b_write_buffer_t *best = NULL;
    for (uint32_t i = 0; i < K210B_WRITE_BUFFERS; i++) {
        k210b_write_buffer_t *buffer = &transfer->buffers[i];
        if (buffer->state == FREE || (!transfer->starved && !k210b_transfer_have_block(transfer, buffer->block)))
            continue;
        if (!best || buffer->block < best->block)
            best = buffer;
    }
    return best;
}

/** Writes the first run of neighbouring pieces of the buffer. */
static int write_run(k210b_t *shim, k210b_write_buffer_t *buffer)
{
    k210b_transfer_t *transfer = &shim->transfer;
    uint32_t first = 0;
    uint32_t count = 0;
    while (((buffer->have >> first) & 1) == 0)
        first++;
    while (first + count < pieces_per_block(transfer) && ((buffer->have >> (first + count)) & 1) != 0)
        count++;
    buffer->run = (uint32_t)((((uint64_t)1 << count) - 1) << first);
    uint32_t at = first * transfer->piece_bytes;
    uint32_t end = k210b_min(at + count * transfer->piece_bytes,
                             k210b_transfer_block_bytes(transfer, buffer->block));
    uint32_t erase = plan_erase(transfer, buffer->block);
    transfer->writing = (uint8_t)(buffer - transfer->buffers);
    transfer->starved = 0;
    return k210b_flash_write(shim, transfer->address + buffer->block * K210B_SECTOR + at,
                             memory_of(transfer, buffer) + at, end - at, erase);
}

/** The 64 KiB after those that are being filled, if nothing of them is there yet. */
static int erase_ahead(k210b_t *shim)
{
    k210b_transfer_t *transfer = &shim->transfer;
    if (transfer->first_missing >= transfer->pieces)
        return K210B_OK;
    uint32_t block = transfer->first_missing / pieces_per_block(transfer);
    int32_t next = region_of(transfer, block) + K210B_FLASH_BLOCK / K210B_SECTOR;
    if (!k210b_bit(transfer->erased, block) || next >= (int32_t)transfer->blocks || !may_erase_region(transfer, next))
        return K210B_OK;
    mark_erased(transfer, (uint32_t)next, K210B_FLASH_BLOCK / K210B_SECTOR);
    transfer->writing = AHEAD;
    return k210b_flash_write(shim, transfer->address + (uint32_t)next * K210B_SECTOR, NULL, 0, K210B_FLASH_BLOCK);
}

static void fail(k210b_t *shim)
{
    k210b_transfer_t *transfer = &shim->transfer;
    transfer->writing = NOTHING;
    transfer->status = K210B_ERR_FLASH;
    transfer->status_due = 1;
    k210b_log(shim, K210B_LOG_ERROR, "flash write failed in transfer ", transfer->id);
}

static void finish_write(k210b_t *shim)
{
    k210b_transfer_t *transfer = &shim->transfer;
    int result = k210b_flash_result(shim);
    if (result == K210B_LATER)
        return;
    if (result < 0) {
        fail(shim);
        return;
    }
    if (transfer->writing != AHEAD) {
        k210b_write_buffer_t *buffer = &transfer->buffers[transfer->writing];
        buffer->have &= ~buffer->run;
        if (buffer->have == 0)
            buffer->state = FREE;
        transfer->status_due = 1; /* the budget has grown */
    }
    transfer->writing = NOTHING;
}

void k210b_transfer_write_poll(k210b_t *shim)
{
    k210b_transfer_t *transfer = &shim->transfer;
    if (transfer->writing != NOTHING)
        finish_write(shim);
    if (transfer->writing != NOTHING || transfer->state != K210B_TRANSFER_OPEN || transfer->status < 0
        || transfer->target == K210B_TARGET_INPUT || !k210b_flash_idle(shim))
        return;
    k210b_write_buffer_t *buffer = choose(transfer);
    if ((buffer ? write_run(shim, buffer) : erase_ahead(shim)) < 0)
        fail(shim);
}
