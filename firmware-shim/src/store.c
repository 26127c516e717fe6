/**
 * Model store: two directory sectors written in turn, so that one of them is valid at any moment. The sector in RAM is
 * the image of what is in flash; rows: protocol/messages/store.ts.
 */
#include "core.h"

enum { IDLE = 0, WAITING, WRITING };

typedef char k210b_slots_agree[K210B_MODEL_SLOTS == K210B_SLOTS ? 1 : -1];

static uint32_t entry_at(uint32_t slot)
{
    return K210B_STORE_HEADER_BYTES + slot * K210B_STORE_ENTRY_BYTES;
}

/** Entry offsets in the sector: used 0, cardLength 2, name 4, address 36, size 40, sha256 44, card 76. */
void k210b_store_entry(const k210b_t *shim, uint32_t slot, k210b_entry_t *entry)
{
    k210b_wire_store_entry_t row;
    memset(entry, 0, sizeof *entry);
    if (k210b_decode(&k210b_row_store_entry, shim->store.sector + entry_at(slot), K210B_STORE_ENTRY_BYTES, &row) < 0)
        return;
    entry->used = row.used == 1 && row.card_length <= K210B_CARD_BYTES;
    entry->card_length = row.card_length;
    memcpy(entry->name, row.name, sizeof entry->name);
    entry->address = row.address;
    entry->size = row.size;
    memcpy(entry->sha256, row.sha256, sizeof entry->sha256);
}

const uint8_t *k210b_store_card(const k210b_t *shim, uint32_t slot)
{
    return shim->store.sector + entry_at(slot) + 76;
}

static uint32_t sector_address(uint32_t which)
{
    return which == 0 ? K210B_FLASH_STORE_DIRECTORY_A : K210B_FLASH_STORE_DIRECTORY_B;
}

/** Reads one sector into the image: 1 and its sequence when it is valid. */
static int read_sector(k210b_t *shim, uint32_t which, uint32_t *sequence)
{
    uint8_t *sector = shim->store.sector;
    k210b_wire_store_header_t header;
    if (shim->port->flash_read(shim->port->ctx, sector_address(which), sector, K210B_SECTOR) < 0)
        return 0;
    k210b_decode(&k210b_row_store_header, sector, K210B_STORE_HEADER_BYTES, &header);
    *sequence = header.sequence;
    return header.magic == K210B_STORE_MAGIC && header.version == K210B_STORE_VERSION
        && header.slot_count == K210B_SLOTS
        && k210b_get32(sector + K210B_STORE_CRC_OFFSET) == k210b_crc32(0, sector, K210B_STORE_CRC_OFFSET);
}

void k210b_store_open(k210b_t *shim)
{
    k210b_store_t *store = &shim->store;
    uint32_t sequences[2] = { 0, 0 };
    int valid[2];
    for (uint32_t which = 0; which < 2; which++)
        valid[which] = read_sector(shim, which, &sequences[which]);
    store->active = K210B_NONE;
    store->sequence = 0;
    if (valid[0] && (!valid[1] || (int32_t)(sequences[0] - sequences[1]) > 0))
        store->active = 0;
    else if (valid[1])
        store->active = 1;
    memset(store->sector, 0, sizeof store->sector);
    if (store->active != K210B_NONE && read_sector(shim, store->active, &store->sequence) == 0)
        store->active = K210B_NONE;
}

static void put_header(k210b_store_t *store)
{
    k210b_wire_store_header_t header = { K210B_STORE_MAGIC, K210B_STORE_VERSION, K210B_SLOTS, store->sequence + 1 };
    k210b_encode(&k210b_row_store_header, &header, store->sector, K210B_STORE_HEADER_BYTES);
    k210b_put32(store->sector + K210B_STORE_CRC_OFFSET, k210b_crc32(0, store->sector, K210B_STORE_CRC_OFFSET));
}

int k210b_store_put(k210b_t *shim, uint32_t slot, const k210b_entry_t *entry, const uint8_t *card)
{
    k210b_store_t *store = &shim->store;
    k210b_wire_store_entry_t row;
    if (store->state != IDLE)
        return K210B_ERR_BUSY;
    memset(&row, 0, sizeof row);
    if (entry->used) {
        row.used = 1;
        row.card_length = entry->card_length;
        memcpy(row.name, entry->name, sizeof row.name);
        row.address = entry->address;
        row.size = entry->size;
        memcpy(row.sha256, entry->sha256, sizeof row.sha256);
        memcpy(row.card, card, entry->card_length);
    }
    k210b_encode(&k210b_row_store_entry, &row, store->sector + entry_at(slot), K210B_STORE_ENTRY_BYTES);
    put_header(store);
    store->state = WAITING;
    store->status = K210B_OK;
    return K210B_OK;
}

int k210b_store_busy(const k210b_t *shim)
{
    return shim->store.state != IDLE;
}

/** What was to be written did not get there: the image must be that of the flash again. */
static void fail(k210b_t *shim)
{
    shim->store.state = IDLE;
    k210b_store_open(shim);
    shim->store.status = K210B_ERR_FLASH;
    k210b_log(shim, K210B_LOG_ERROR, "model directory not written: ", K210B_ERR_FLASH);
}

void k210b_store_poll(k210b_t *shim)
{
    k210b_store_t *store = &shim->store;
    uint8_t other = store->active == 0 ? 1 : 0;
    if (store->state == WAITING && k210b_flash_idle(shim)) {
        store->state = WRITING;
        if (k210b_flash_write(shim, sector_address(other), store->sector, K210B_SECTOR, K210B_SECTOR) < 0)
            fail(shim);
    } else if (store->state == WRITING) {
        int result = k210b_flash_result(shim);
        if (result == K210B_LATER)
            return;
        if (result < 0) {
            fail(shim);
            return;
        }
        store->active = other;
        store->sequence++;
        store->state = IDLE;
    }
}

static uint32_t round_up(uint32_t bytes)
{
    return (bytes + K210B_FLASH_BLOCK - 1) & ~(uint32_t)(K210B_FLASH_BLOCK - 1);
}

/** End of the first live model that meets the range, 0 when none does. */
static uint32_t end_of_overlap(const k210b_t *shim, uint32_t addr, uint32_t size)
{
    for (uint32_t slot = 0; slot < K210B_SLOTS; slot++) {
        k210b_entry_t entry;
        k210b_store_entry(shim, slot, &entry);
        if (entry.used && addr < entry.address + round_up(entry.size) && entry.address < addr + size)
            return entry.address + round_up(entry.size);
    }
    return 0;
}

int k210b_store_overlaps(const k210b_t *shim, uint32_t addr, uint32_t size)
{
    return end_of_overlap(shim, addr, size) != 0;
}

uint32_t k210b_store_place(const k210b_t *shim, uint32_t size)
{
    uint32_t limit = k210b_min(K210B_FLASH_STORE_END, k210b_flash_bytes(shim));
    uint32_t addr = K210B_FLASH_STORE_MODELS;
    if (size > K210B_FLASH_STORE_END)
        return 0;
    while (addr + round_up(size) <= limit) {
        uint32_t end = end_of_overlap(shim, addr, round_up(size));
        if (end <= addr)
            return addr;
        addr = end;
    }
    return 0;
}
