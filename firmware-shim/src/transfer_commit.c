/** transferCommit and transferAbort; rows: protocol/messages/transfer.ts. */
#include "core.h"

enum {
    PATIENCE_US = 100000,       /* then the answer is BUSY and the host asks again */
    HASH_AT_ONCE = 16 * 1024    /* bytes of SHA-256 in one poll */
};

/** Hashes the next bytes of what the target holds; 1 when all are done. */
static int hash_some(k210b_t *shim)
{
    uint8_t bytes[1024];
    k210b_transfer_t *transfer = &shim->transfer;
    uint32_t end = k210b_min(transfer->size, transfer->hashed + HASH_AT_ONCE);
    while (transfer->hashed < end) {
        uint32_t count = k210b_min(end - transfer->hashed, sizeof bytes);
        const uint8_t *from = bytes;
        if (transfer->target == K210B_TARGET_INPUT)
            from = transfer->memory + transfer->hashed;
        else if (shim->port->flash_read(shim->port->ctx, transfer->address + transfer->hashed, bytes, count) < 0)
            return 0;
        k210b_sha256_update(&transfer->hash, from, count);
        transfer->hashed += count;
    }
    return end == transfer->size;
}

static int is_stored(const k210b_t *shim, const k210b_entry_t *wanted)
{
    k210b_entry_t entry;
    k210b_store_entry(shim, shim->transfer.slot, &entry);
    return entry.used && entry.address == wanted->address && entry.size == wanted->size
        && entry.card_length == wanted->card_length && memcmp(entry.name, wanted->name, sizeof entry.name) == 0
        && memcmp(entry.sha256, wanted->sha256, sizeof entry.sha256) == 0
        && memcmp(k210b_store_card(shim, shim->transfer.slot), shim->transfer.card, entry.card_length) == 0;
}

/** The hash is right: the target becomes valid. K210B_OK when it is, K210B_LATER while the directory is written. */
static int make_valid(k210b_t *shim)
{
    k210b_transfer_t *transfer = &shim->transfer;
    k210b_entry_t entry = { .used = 1, .card_length = transfer->card_length, .address = transfer->address,
                            .size = transfer->size };
    if (transfer->target == K210B_TARGET_INPUT) {
        k210b_loaded_t *loaded = k210b_models_get(shim, transfer->slot);
        if (loaded)
            loaded->has_input = 1;
        return K210B_OK;
    }
    if (transfer->target == K210B_TARGET_FLASH)
        return K210B_OK;
    memcpy(entry.name, transfer->name, sizeof entry.name);
    memcpy(entry.sha256, transfer->sha256, sizeof entry.sha256);
    if (is_stored(shim, &entry))
        return K210B_OK;
    int status = k210b_store_put(shim, transfer->slot, &entry, transfer->card);
    if (status < 0)
        return status;
    transfer->state = K210B_TRANSFER_STORING;
    return K210B_LATER;
}

static int check_hash(k210b_t *shim)
{
    k210b_transfer_t *transfer = &shim->transfer;
    if (!transfer->hashing) {
        k210b_sha256_init(&transfer->hash);
        transfer->hashed = 0;
        transfer->hashing = 1;
    }
    if (!hash_some(shim))
        return K210B_LATER;
    transfer->hashing = 0;
    k210b_sha256_final(&transfer->hash, transfer->digest);
    if (memcmp(transfer->digest, transfer->sha256, sizeof transfer->digest) == 0)
        return make_valid(shim);
    k210b_transfer_end(shim, K210B_TRANSFER_IDLE);
    return K210B_ERR_HASH;
}

/** One step towards the end; K210B_LATER until it is reached. */
static int advance(k210b_t *shim)
{
    k210b_transfer_t *transfer = &shim->transfer;
    if (transfer->state == K210B_TRANSFER_DONE)
        return K210B_OK;
    if (transfer->status < 0)
        return transfer->status;
    if (transfer->state == K210B_TRANSFER_STORING) {
        if (k210b_store_busy(shim))
            return K210B_LATER;
        transfer->state = K210B_TRANSFER_OPEN;
        return shim->store.status;
    }
    if (transfer->received < transfer->pieces)
        return K210B_ERR_STATE;
    if (!k210b_transfer_written(shim) || !k210b_flash_idle(shim) || k210b_store_busy(shim))
        return K210B_LATER;
    return check_hash(shim);
}

int k210b_on_transfer_commit(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_transfer_t *transfer = &shim->transfer;
    k210b_wire_transfer_commit_t request;
    k210b_wire_transfer_commit_answer_t answer = { .status = K210B_STATUS_OK };
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    if (transfer->state == K210B_TRANSFER_IDLE || request.transfer_id != transfer->id)
        return K210B_ERR_NOT_FOUND;
    int status = advance(shim);
    if (status == K210B_LATER)
        return k210b_elapsed(shim, reply->since_us) < PATIENCE_US ? K210B_LATER : K210B_ERR_BUSY;
    if (status < 0)
        return status;
    k210b_transfer_end(shim, K210B_TRANSFER_DONE);
    memcpy(answer.sha256, transfer->digest, sizeof answer.sha256);
    return k210b_answer(shim, reply, &answer);
}

int k210b_on_transfer_abort(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_wire_transfer_abort_t request;
    k210b_wire_transfer_abort_answer_t answer = { .status = K210B_STATUS_OK };
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    if (request.transfer_id == shim->transfer.id && shim->transfer.state != K210B_TRANSFER_DONE) {
        if (k210b_transfer_writing(shim) || k210b_store_busy(shim))
            return K210B_LATER;
        k210b_transfer_end(shim, K210B_TRANSFER_IDLE);
    }
    return k210b_answer(shim, reply, &answer);
}
