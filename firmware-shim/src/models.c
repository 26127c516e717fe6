/**
 * Models in memory: each takes one part of the arena: the kmodel as it is in flash, its working memory, and room for an
 * input tensor once one is transferred. Loading copies a piece of flash per poll and checks the SHA-256 on the way.
 */
#include "core.h"

enum {
    ALIGN = 256,                /* kmodel-v4.md: base of a model */
    READ_AT_ONCE = 16 * 1024
};

static uint32_t align(uint32_t bytes)
{
    return (bytes + ALIGN - 1) & ~(uint32_t)(ALIGN - 1);
}

static uint8_t *arena(const k210b_t *shim, uint32_t at)
{
    return shim->port->arena + at;
}

static int takes_room(const k210b_loaded_t *loaded)
{
    return loaded->state == K210B_LOADED_READING || loaded->state == K210B_LOADED_YES;
}

/** Free bytes from `start` to the next part of another slot; 0 when `start` lies inside one. */
static uint32_t room_from(const k210b_t *shim, uint32_t start, uint32_t except)
{
    uint32_t end = shim->model_bytes;
    for (uint32_t i = 0; i < K210B_SLOTS; i++) {
        const k210b_loaded_t *other = &shim->models.slots[i];
        if (i == except || !takes_room(other))
            continue;
        if (start >= other->at && start < other->at + other->bytes)
            return 0;
        if (other->at >= start && other->at < end)
            end = other->at;
    }
    return end > start ? end - start : 0;
}

/** Largest free part of the arena; `at` receives its start. */
static uint32_t largest_room(const k210b_t *shim, uint32_t except, uint32_t *at)
{
    uint32_t best = room_from(shim, 0, except);
    *at = 0;
    for (uint32_t i = 0; i < K210B_SLOTS; i++) {
        const k210b_loaded_t *other = &shim->models.slots[i];
        if (i == except || !takes_room(other))
            continue;
        uint32_t start = align(other->at + other->bytes);
        uint32_t bytes = room_from(shim, start, except);
        if (bytes > best) {
            best = bytes;
            *at = start;
        }
    }
    return best;
}

uint32_t k210b_models_free_bytes(const k210b_t *shim)
{
    uint32_t at = 0;
    return largest_room(shim, K210B_NONE, &at);
}

k210b_loaded_t *k210b_models_get(k210b_t *shim, uint32_t slot)
{
    k210b_loaded_t *loaded = slot < K210B_SLOTS ? &shim->models.slots[slot] : NULL;
    return loaded && loaded->state == K210B_LOADED_YES ? loaded : NULL;
}

void k210b_models_unload(k210b_t *shim, uint32_t slot)
{
    k210b_transfer_t *transfer = &shim->transfer;
    memset(&shim->models.slots[slot], 0, sizeof shim->models.slots[slot]);
    if (transfer->target == K210B_TARGET_INPUT && transfer->slot == slot)
        k210b_transfer_end(shim, K210B_TRANSFER_IDLE); /* its memory is gone */
    if (shim->models.loading == slot)
        shim->models.loading = K210B_NONE;
}

/** Unloads what neither the stream nor a run uses; 1 when something went. */
static int make_room(k210b_t *shim, uint32_t except)
{
    int gone = 0;
    for (uint32_t slot = 0; slot < K210B_SLOTS; slot++) {
        if (slot == except || !takes_room(&shim->models.slots[slot]) || k210b_pipeline_uses(shim, slot)
            || (shim->pipeline.results && shim->pipeline.slot == slot))
            continue;
        k210b_models_unload(shim, slot);
        k210b_log(shim, K210B_LOG_INFO, "unloaded to make room: slot ", (int32_t)slot);
        gone = 1;
    }
    return gone;
}

int k210b_models_load(k210b_t *shim, uint32_t slot)
{
    k210b_models_t *models = &shim->models;
    k210b_entry_t entry;
    uint32_t at = 0;
    k210b_store_entry(shim, slot, &entry);
    if (!entry.used)
        return K210B_ERR_NOT_FOUND;
    if (models->loading != K210B_NONE)
        return K210B_ERR_BUSY;
    k210b_models_unload(shim, slot);
    k210b_loaded_t *loaded = &models->slots[slot];
    memcpy(loaded->sha256, entry.sha256, sizeof loaded->sha256);
    if (largest_room(shim, slot, &at) < entry.size && make_room(shim, slot))
        largest_room(shim, slot, &at);
    if (room_from(shim, at, slot) < entry.size) {
        loaded->state = K210B_LOADED_FAILED;
        loaded->status = K210B_ERR_NO_MEMORY;
        return K210B_ERR_NO_MEMORY;
    }
    loaded->state = K210B_LOADED_READING;
    loaded->at = at;
    loaded->bytes = entry.size;
    loaded->size = entry.size;
    models->loading = (uint8_t)slot;
    k210b_sha256_init(&models->hash);
    return K210B_OK;
}

static void end_load(k210b_t *shim, uint32_t slot, int status)
{
    k210b_loaded_t *loaded = &shim->models.slots[slot];
    shim->models.loading = K210B_NONE;
    loaded->status = (int8_t)status;
    loaded->state = status < 0 ? K210B_LOADED_FAILED : K210B_LOADED_YES;
    k210b_log(shim, K210B_LOG_INFO, status < 0 ? "model not loaded, slot " : "model loaded, slot ", (int32_t)slot);
    if (status < 0)
        k210b_log(shim, K210B_LOG_ERROR, "reason: ", status);
}

static int read_card(const k210b_t *shim, uint32_t slot, k210b_loaded_t *loaded)
{
    k210b_entry_t entry;
    k210b_store_entry(shim, slot, &entry);
    if (entry.card_length != 0)
        return k210b_card_parse(&loaded->card, k210b_store_card(shim, slot), entry.card_length);
    memset(&loaded->card, 0, sizeof loaded->card);
    loaded->card.height = (uint16_t)loaded->model.input_shape[2];
    loaded->card.width = (uint16_t)loaded->model.input_shape[3];
    return K210B_OK;
}

/** The whole file is in memory: checks it and takes its working memory. */
static int open_model(k210b_t *shim, uint32_t slot)
{
    k210b_loaded_t *loaded = &shim->models.slots[slot];
    uint8_t digest[32];
    k210b_sha256_final(&shim->models.hash, digest);
    if (memcmp(digest, loaded->sha256, sizeof digest) != 0)
        return K210B_ERR_HASH;
    int status = k210b_model_open(&loaded->model, arena(shim, loaded->at), loaded->size);
    if (status < 0)
        return status;
    loaded->main_at = align(loaded->at + loaded->size);
    uint32_t bytes = loaded->main_at - loaded->at + k210b_model_main_bytes(&loaded->model);
    if (room_from(shim, loaded->at, slot) < bytes)
        return K210B_ERR_NO_MEMORY;
    loaded->bytes = bytes;
    return read_card(shim, slot, loaded);
}

void k210b_models_poll(k210b_t *shim)
{
    k210b_models_t *models = &shim->models;
    k210b_entry_t entry;
    uint32_t slot = models->loading;
    if (slot == K210B_NONE || !k210b_flash_idle(shim))
        return;
    k210b_loaded_t *loaded = &models->slots[slot];
    k210b_store_entry(shim, slot, &entry);
    uint32_t count = k210b_min(READ_AT_ONCE, loaded->size - loaded->read);
    uint8_t *to = arena(shim, loaded->at + loaded->read);
    if (shim->port->flash_read(shim->port->ctx, entry.address + loaded->read, to, count) < 0) {
        end_load(shim, slot, K210B_ERR_FLASH);
        return;
    }
    k210b_sha256_update(&models->hash, to, count);
    loaded->read += count;
    if (loaded->read < loaded->size)
        return;
    int status = open_model(shim, slot);
    if (status == K210B_ERR_NO_MEMORY && make_room(shim, slot)) {
        models->loading = K210B_NONE;
        status = k210b_models_load(shim, slot); /* once more, with the arena to itself */
        if (status == K210B_OK)
            return;
    }
    end_load(shim, slot, status);
}

uint8_t *k210b_models_input(k210b_t *shim, uint32_t slot)
{
    k210b_loaded_t *loaded = k210b_models_get(shim, slot);
    if (!loaded)
        return NULL;
    if (loaded->input_at == 0) {
        uint32_t at = align(loaded->at + loaded->bytes);
        uint32_t bytes = k210b_model_input_bytes(&loaded->model);
        if (room_from(shim, loaded->at, slot) < at - loaded->at + bytes)
            return NULL;
        loaded->input_at = at;
        loaded->bytes = at - loaded->at + bytes;
    }
    return arena(shim, loaded->input_at);
}
