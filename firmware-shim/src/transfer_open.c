/** transferOpen and transferHashes; rows: protocol/messages/transfer.ts. */
#include "core.h"

enum {
    PIECE_ROW_BYTES = 8,        /* row transferBlock without its data */
    BLOCKS_AT_ONCE = 4          /* hashed in one poll */
};

static uint16_t piece_bytes(const k210b_t *shim)
{
    uint32_t bytes = K210B_TRANSFER_MAX_PIECE_BYTES;
    while (bytes + PIECE_ROW_BYTES > shim->link.payload_limit)
        bytes /= 2;
    return (uint16_t)bytes;
}

static int is_same(const k210b_t *shim, const k210b_wire_transfer_open_t *request)
{
    const k210b_transfer_t *transfer = &shim->transfer;
    return transfer->state == K210B_TRANSFER_OPEN && transfer->status == K210B_OK
        && transfer->target == request->target && transfer->slot == request->slot && transfer->size == request->size
        && (request->target != K210B_TARGET_FLASH || transfer->address == request->address)
        && transfer->piece_bytes == piece_bytes(shim)
        && memcmp(transfer->sha256, request->sha256, sizeof transfer->sha256) == 0;
}

/** A model goes where it is already, else into free flash: what the slot holds stays valid until the commit. */
static int place_model(k210b_t *shim, const k210b_wire_transfer_open_t *request)
{
    k210b_entry_t entry;
    if (request->slot >= K210B_SLOTS)
        return K210B_ERR_RANGE;
    if (request->size > shim->model_bytes)
        return K210B_ERR_NO_MEMORY;
    shim->transfer.memory = shim->blocks;
    for (uint32_t slot = 0; slot < K210B_SLOTS; slot++) {
        k210b_store_entry(shim, slot, &entry);
        shim->transfer.address = entry.address;
        if (entry.used && entry.size == request->size && memcmp(entry.sha256, request->sha256, 32) == 0)
            return K210B_OK;
    }
    shim->transfer.address = k210b_store_place(shim, request->size);
    return shim->transfer.address != 0 ? K210B_OK : K210B_ERR_SPACE;
}

static int place_input(k210b_t *shim, const k210b_wire_transfer_open_t *request)
{
    k210b_loaded_t *loaded = k210b_models_get(shim, request->slot);
    if (!loaded)
        return K210B_ERR_STATE;
    if (request->size != k210b_model_input_bytes(&loaded->model))
        return K210B_ERR_RANGE;
    if (k210b_pipeline_uses(shim, request->slot))
        return K210B_LATER;
    shim->transfer.address = 0;
    shim->transfer.memory = k210b_models_input(shim, request->slot);
    loaded->has_input = 0;
    return shim->transfer.memory ? K210B_OK : K210B_ERR_NO_MEMORY;
}

/** Not the firmware (that is the boot ROM's ISP), not the directory, not a live model. */
static int place_raw(k210b_t *shim, const k210b_wire_transfer_open_t *request)
{
    uint32_t limit = k210b_flash_bytes(shim);
    if (request->address % K210B_SECTOR != 0 || request->address < K210B_FLASH_STORE_MODELS
        || request->address >= limit || request->size > limit - request->address
        || k210b_store_overlaps(shim, request->address, request->size))
        return K210B_ERR_RANGE;
    shim->transfer.address = request->address;
    shim->transfer.memory = shim->blocks;
    return K210B_OK;
}

static int place(k210b_t *shim, const k210b_wire_transfer_open_t *request)
{
    uint32_t pieces = (request->size - 1) / piece_bytes(shim) + 1;
    if (request->size == 0 || request->block_bytes != K210B_SECTOR || pieces > K210B_PIECES)
        return K210B_ERR_RANGE;
    if (request->target == K210B_TARGET_MODEL_SLOT)
        return place_model(shim, request);
    if (request->target == K210B_TARGET_INPUT)
        return place_input(shim, request);
    return request->target == K210B_TARGET_FLASH ? place_raw(shim, request) : K210B_ERR_RANGE;
}

static void begin(k210b_t *shim, const k210b_wire_transfer_open_t *request)
{
    k210b_transfer_t *transfer = &shim->transfer;
    k210b_transfer_end(shim, K210B_TRANSFER_OPEN);
    transfer->id++;
    transfer->target = request->target;
    transfer->slot = request->slot;
    transfer->status = K210B_OK;
    transfer->starved = 0;
    transfer->size = request->size;
    transfer->piece_bytes = piece_bytes(shim);
    transfer->pieces = (request->size - 1) / transfer->piece_bytes + 1;
    transfer->blocks = (request->size - 1) / K210B_SECTOR + 1;
    transfer->received = 0;
    transfer->first_missing = 0;
    memcpy(transfer->sha256, request->sha256, sizeof transfer->sha256);
    memset(transfer->have, 0, sizeof transfer->have);
    memset(transfer->erased, 0, sizeof transfer->erased);
}

/** Name and card may change with each opening: they go into the directory on commit. */
static void set_label(k210b_transfer_t *transfer, const k210b_wire_transfer_open_t *request)
{
    memset(transfer->name, 0, sizeof transfer->name);
    memcpy(transfer->name, request->name, request->name_length);
    transfer->card_length = request->card_length;
    memcpy(transfer->card, request->card, request->card_length);
}

int k210b_on_transfer_open(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_transfer_t *transfer = &shim->transfer;
    k210b_wire_transfer_open_t request;
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    if (!is_same(shim, &request)) {
        if (k210b_transfer_writing(shim) || k210b_store_busy(shim) || !k210b_flash_idle(shim))
            return K210B_LATER;
        k210b_transfer_end(shim, K210B_TRANSFER_IDLE);
        int status = place(shim, &request);
        if (status != K210B_OK)
            return status;
        begin(shim, &request);
    }
    set_label(transfer, &request);
    k210b_wire_transfer_open_answer_t answer = {
        .transfer_id = transfer->id,
        .address = transfer->address,
        .blocks = (uint16_t)transfer->blocks,
        .piece_bytes = transfer->piece_bytes,
        .window_bytes = k210b_min(shim->config.rx_ring_bytes, K210B_WRITE_BUFFERS * K210B_SECTOR),
    };
    return k210b_answer(shim, reply, &answer);
}

/** CRC-32 of a block as it is in flash. */
static uint32_t block_crc(k210b_t *shim, uint32_t block)
{
    uint8_t bytes[512];
    const k210b_transfer_t *transfer = &shim->transfer;
    uint32_t addr = transfer->address + block * K210B_SECTOR;
    uint32_t left = k210b_transfer_block_bytes(transfer, block);
    uint32_t crc = 0;
    while (left > 0) {
        uint32_t count = k210b_min(left, sizeof bytes);
        if (shim->port->flash_read(shim->port->ctx, addr, bytes, count) < 0)
            return ~crc;
        crc = k210b_crc32(crc, bytes, count);
        addr += count;
        left -= count;
    }
    return crc;
}

/** Blocks of which something has arrived, or which were erased, are what this transfer makes of them. */
static void compare_block(k210b_t *shim, uint32_t block, uint32_t crc)
{
    k210b_transfer_t *transfer = &shim->transfer;
    if (k210b_bit(transfer->erased, block) || k210b_transfer_has_piece(transfer, block) || block_crc(shim, block) != crc)
        return;
    uint32_t first = block * (K210B_SECTOR / transfer->piece_bytes);
    uint32_t count = k210b_transfer_pieces_of(transfer, block);
    for (uint32_t i = 0; i < count; i++)
        k210b_transfer_mark(transfer, first + i);
}

static int answer_hashes(k210b_t *shim, k210b_reply_t *reply, uint32_t first, uint32_t count)
{
    uint8_t bitmap[K210B_TRANSFER_MAX_HASHES / 8];
    memset(bitmap, 0, sizeof bitmap);
    for (uint32_t i = 0; i < count; i++)
        if (k210b_transfer_have_block(&shim->transfer, first + i))
            k210b_bit_set(bitmap, i);
    k210b_wire_transfer_hashes_answer_t answer = { .bitmap = bitmap, .bitmap_length = (uint16_t)((count + 7) / 8) };
    return k210b_answer(shim, reply, &answer);
}

/** step: blocks compared so far. */
int k210b_on_transfer_hashes(k210b_t *shim, k210b_reply_t *reply)
{
    const k210b_transfer_t *transfer = &shim->transfer;
    k210b_wire_transfer_hashes_t request;
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    if (transfer->state != K210B_TRANSFER_OPEN || request.transfer_id != transfer->id)
        return K210B_ERR_NOT_FOUND;
    if ((uint32_t)request.first + request.crc32_count > transfer->blocks)
        return K210B_ERR_RANGE;
    if (transfer->target != K210B_TARGET_INPUT) {
        if (!k210b_flash_idle(shim))
            return K210B_LATER;
        for (uint32_t i = 0; i < BLOCKS_AT_ONCE && reply->step < request.crc32_count; i++, reply->step++)
            compare_block(shim, request.first + reply->step, request.crc32[reply->step]);
        if (reply->step < request.crc32_count)
            return K210B_LATER;
    }
    return answer_hashes(shim, reply, request.first, request.crc32_count);
}
