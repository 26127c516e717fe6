/** Requests about model slots; rows: protocol/messages/model.ts. */
#include "core.h"

static uint16_t name_length(const char name[32])
{
    uint16_t len = 0;
    while (len < 32 && name[len] != 0)
        len++;
    return len;
}

/** 1 when what is in memory is what the directory says. */
static int is_current(const k210b_loaded_t *loaded, const k210b_entry_t *entry)
{
    return memcmp(loaded->sha256, entry->sha256, sizeof entry->sha256) == 0;
}

static void describe(const k210b_t *shim, uint32_t slot, const k210b_entry_t *entry, k210b_wire_model_slot_t *row)
{
    const k210b_loaded_t *loaded = &shim->models.slots[slot];
    row->slot = (uint8_t)slot;
    if (!entry->used)
        return;
    row->state = K210B_SLOT_STORED;
    if (is_current(loaded, entry) && loaded->state == K210B_LOADED_YES)
        row->state = K210B_SLOT_LOADED;
    if (is_current(loaded, entry) && loaded->state == K210B_LOADED_FAILED) {
        row->state = K210B_SLOT_FAILED;
        row->status = (uint8_t)-loaded->status;
    }
    row->size = entry->size;
    memcpy(row->sha256, entry->sha256, sizeof row->sha256);
    row->name = entry->name;
    row->name_length = name_length(entry->name);
}

int k210b_on_model_list(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_wire_model_list_answer_t answer;
    k210b_entry_t entries[K210B_SLOTS];
    memset(&answer, 0, sizeof answer);
    for (uint32_t slot = 0; slot < K210B_SLOTS; slot++) {
        k210b_store_entry(shim, slot, &entries[slot]);
        describe(shim, slot, &entries[slot], &answer.entries[slot]);
    }
    answer.entries_count = K210B_SLOTS;
    return k210b_answer(shim, reply, &answer);
}

static int answer_loaded(k210b_t *shim, k210b_reply_t *reply, const k210b_loaded_t *loaded)
{
    k210b_wire_model_load_answer_t answer = { .main_bytes = k210b_model_main_bytes(&loaded->model),
                                              .free_bytes = k210b_models_free_bytes(shim) };
    if (loaded->state == K210B_LOADED_FAILED)
        return loaded->status;
    return k210b_answer(shim, reply, &answer);
}

/** step 0: not begun, 1: being read. */
int k210b_on_model_load(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_wire_model_load_t request;
    k210b_entry_t entry;
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    if (request.slot >= K210B_SLOTS)
        return K210B_ERR_RANGE;
    if (shim->models.loading != K210B_NONE || k210b_store_busy(shim))
        return K210B_LATER;
    k210b_loaded_t *loaded = &shim->models.slots[request.slot];
    k210b_store_entry(shim, request.slot, &entry);
    int is_done = loaded->state == K210B_LOADED_YES && is_current(loaded, &entry);
    if (reply->step == 1 || (entry.used && is_done))
        return answer_loaded(shim, reply, loaded);
    if (k210b_pipeline_uses(shim, request.slot))
        return K210B_LATER;
    int status = k210b_models_load(shim, request.slot);
    if (status < 0)
        return status;
    reply->step = 1;
    return K210B_LATER;
}

/** step 0: not begun, 1: the directory is being written. */
int k210b_on_model_remove(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_wire_model_remove_t request;
    k210b_wire_model_remove_answer_t answer = { .status = K210B_STATUS_OK };
    k210b_entry_t entry;
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    if (request.slot >= K210B_SLOTS)
        return K210B_ERR_RANGE;
    if (k210b_store_busy(shim) || k210b_pipeline_uses(shim, request.slot) || shim->models.loading == request.slot)
        return K210B_LATER;
    if (reply->step == 1)
        return shim->store.status < 0 ? shim->store.status : k210b_answer(shim, reply, &answer);
    k210b_store_entry(shim, request.slot, &entry);
    k210b_models_unload(shim, request.slot);
    if (!entry.used)
        return k210b_answer(shim, reply, &answer);
    memset(&entry, 0, sizeof entry);
    int status = k210b_store_put(shim, request.slot, &entry, NULL);
    if (status < 0)
        return status;
    reply->step = 1;
    return K210B_LATER;
}
