/**
 * Transfers and the model store of the shim: lossy wire, resume, flash faults, and a power cut in every flash operation
 * of the replacement of a model. Argument: seed.
 */
#include "sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../firmware-shim/src/core.h"

enum { MODEL_BYTES = 150001, BLOCKS = (MODEL_BYTES + 4095) / 4096 };

static uint8_t flash[1 << FLASH_LOG2];
static uint8_t model_a[MODEL_BYTES], model_b[MODEL_BYTES];
static host_t host;

static void fill(uint8_t *bytes, uint32_t seed)
{
    for (uint32_t i = 0; i < MODEL_BYTES; i++)
        bytes[i] = (uint8_t)k210b_random(&seed);
}

static const k210b_wire_model_slot_t *slot_row(uint8_t slot)
{
    static k210b_wire_model_list_answer_t answer;
    k210b_wire_model_list_t request = { 0 };
    check(host_ask(&host, K210B_ID_MODEL_LIST, &request, &answer) == 0, "list", "answered");
    return &answer.entries[slot];
}

/** What the slot says lies in flash with that hash. */
static int holds(uint8_t slot, const uint8_t *bytes)
{
    uint8_t digest[32], stored[32];
    k210b_entry_t entry;
    k210b_store_entry(&host.shim, slot, &entry);
    const k210b_wire_model_slot_t *row = slot_row(slot);
    k210b_sha256(bytes, MODEL_BYTES, digest);
    if (row->state == K210B_SLOT_EMPTY || memcmp(row->sha256, digest, 32) != 0)
        return 0;
    k210b_sha256(flash + entry.address, entry.size, stored);
    return memcmp(stored, digest, 32) == 0;
}

static void restart(uint8_t *content)
{
    memset(&host.faults, 0, sizeof host.faults);
    host_boot(&host, content);
    host_run(&host, 50000);
    check(host_hello(&host, 1040) == 0, "restart", "session");
}

static void clean_and_unchanged(void)
{
    sender_t sender = { .bytes = model_a, .size = MODEL_BYTES };
    memset(flash, 0xFF, sizeof flash);
    restart(flash);
    check(sender_transfer(&host, &sender, 0) == 0, "clean", "transfer");
    check(holds(0, model_a), "clean", "stored");
    uint32_t ops = host.board.flash_ops;
    check(sender_transfer(&host, &sender, 0) == 0, "unchanged", "transfer");
    check(sender.sent_pieces == 0 && sender.known_blocks == BLOCKS, "unchanged", "nothing is sent");
    check(host.board.flash_ops == ops, "unchanged", "nothing is written");
    restart(flash);
    check(holds(0, model_a), "clean", "survives a restart");
}

static void lossy(uint32_t seed)
{
    sender_t sender = { .bytes = model_b, .size = MODEL_BYTES, .slot = 1 };
    memset(flash, 0xFF, sizeof flash);
    host.random = seed;
    restart(flash);
    host.faults = (faults_t){ .drop = 100, .twice = 100, .flip = 100 };
    check(sender_transfer(&host, &sender, 300) == 0, "lossy", "transfer");
    memset(&host.faults, 0, sizeof host.faults);
    check(holds(1, model_b), "lossy", "stored");
    check(slot_row(0)->state == K210B_SLOT_EMPTY, "lossy", "other slots are empty");
}

static void small_payload(void)
{
    sender_t sender = { .bytes = model_a, .size = 30000, .target = K210B_TARGET_FLASH, .address = 0x300000 };
    memset(flash, 0xFF, sizeof flash);
    restart(flash);
    check(host_hello(&host, 256) == 0, "small payload", "session");
    check(sender_open(&host, &sender) == 0 && sender.opened.piece_bytes == 128, "small payload", "pieces of 128 bytes");
    check(sender_pieces(&host, &sender, 900) == 0 && sender_commit(&host, &sender) == 0, "small payload", "raw transfer");
    check(memcmp(flash + 0x300000, model_a, 30000) == 0, "small payload", "in flash");
}

static void refusals(void)
{
    sender_t sender = { .bytes = model_a, .size = 4096, .target = K210B_TARGET_FLASH };
    k210b_wire_transfer_commit_t unknown = { 999 };
    memset(flash, 0xFF, sizeof flash);
    restart(flash);
    const uint32_t forbidden[] = { 0, 0x100000, 0x1FF000, 0x200000, 0x201000, 0x20F000, 0x210001, 1u << FLASH_LOG2,
                                   0xFFFFF000u };
    for (uint32_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        sender.address = forbidden[i];
        check(sender_open(&host, &sender) == K210B_STATUS_RANGE, "raw flash", "forbidden address");
    }
    sender.target = K210B_TARGET_INPUT;
    check(sender_open(&host, &sender) == K210B_STATUS_STATE, "input", "needs a loaded model");
    sender.target = K210B_TARGET_MODEL_SLOT;
    sender.slot = 4;
    check(sender_open(&host, &sender) == K210B_STATUS_RANGE, "slot", "4 does not exist");
    check(host_ask(&host, K210B_ID_TRANSFER_COMMIT, &unknown, NULL) == K210B_STATUS_NOT_FOUND, "commit", "unknown id");
    sender.slot = 0;
    check(sender_open(&host, &sender) == 0, "slot", "0 does");
    unknown.transfer_id = sender.opened.transfer_id;
    check(host_ask(&host, K210B_ID_TRANSFER_COMMIT, &unknown, NULL) == K210B_STATUS_STATE, "commit", "incomplete");
    host.board.flash_protected = 1;
    check(sender_pieces(&host, &sender, 0) == K210B_STATUS_FLASH || sender_commit(&host, &sender) == K210B_STATUS_FLASH, "protected flash",
          "is noticed");
}

/** Slot 0 holds A; B replaces it; the power goes in flash operation `cut_at`. 1 when the power really went. */
static int replace_with_cut(const uint8_t *content, uint32_t cut_at)
{
    sender_t sender = { .bytes = model_b, .size = MODEL_BYTES };
    memcpy(flash, content, sizeof flash);
    restart(flash);
    host.board.cut_at = cut_at;
    int status = sender_transfer(&host, &sender, 0);
    if (host.board.powered) {
        check(status == 0 && holds(0, model_b), "power cut", "the last operation was the last");
        return 0;
    }
    restart(flash);
    check(holds(0, model_a) || holds(0, model_b), "power cut", "one whole model is in the slot");
    check(sender_transfer(&host, &sender, 0) == 0 && holds(0, model_b), "power cut", "the transfer goes on");
    return 1;
}

/** Every operation near the end (directory) is tried, of the many page programs before a sample. */
static uint32_t power_cuts(void)
{
    static uint8_t content[sizeof flash];
    sender_t first = { .bytes = model_a, .size = MODEL_BYTES };
    sender_t second = { .bytes = model_b, .size = MODEL_BYTES };
    memset(flash, 0xFF, sizeof flash);
    restart(flash);
    check(sender_transfer(&host, &first, 0) == 0, "power cut", "first model");
    memcpy(content, flash, sizeof flash);
    restart(flash);
    check(sender_transfer(&host, &second, 0) == 0, "power cut", "undisturbed");
    uint32_t ops = host.board.flash_ops;
    uint32_t cuts = 0;
    for (uint32_t cut_at = 1; cut_at <= ops; cut_at += cut_at + 25 >= ops ? 1 : 29)
        cuts += (uint32_t)replace_with_cut(content, cut_at);
    check(!replace_with_cut(content, ops + 1), "power cut", "none after the end");
    return cuts;
}

/** Resume sends what is missing and little more. */
static void resume(void)
{
    sender_t sender = { .bytes = model_a, .size = MODEL_BYTES };
    memset(flash, 0xFF, sizeof flash);
    restart(flash);
    host.board.cut_at = 400;
    check(sender_transfer(&host, &sender, 0) != 0 && !host.board.powered, "resume", "cut");
    uint32_t before = sender.sent_pieces;
    restart(flash);
    check(sender_transfer(&host, &sender, 0) == 0 && holds(0, model_a), "resume", "done");
    check(sender.known_blocks * 16 + 64 >= 400 - 16, "resume", "blocks in flash are found again");
    check(before + sender.sent_pieces < (MODEL_BYTES + 1023) / 1024 + 80, "resume", "little is sent twice");
}

static void remove_models(void)
{
    sender_t sender = { .bytes = model_a, .size = MODEL_BYTES };
    k210b_wire_model_remove_t request = { 0 };
    memset(flash, 0xFF, sizeof flash);
    restart(flash);
    check(sender_transfer(&host, &sender, 0) == 0, "remove", "stored");
    sender.slot = 3;
    check(sender_transfer(&host, &sender, 0) == 0 && sender.sent_pieces == 0, "second slot", "shares the flash of the first");
    check(host_ask(&host, K210B_ID_MODEL_REMOVE, &request, NULL) == 0, "remove", "answered");
    check(slot_row(0)->state == K210B_SLOT_EMPTY && holds(3, model_a), "remove", "the other slot stays");
    check(host_ask(&host, K210B_ID_MODEL_REMOVE, &request, NULL) == 0, "remove", "empty slot is no error");
}

int main(int argc, char **argv)
{
    uint32_t seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1;
    fill(model_a, 11);
    fill(model_b, 22);
    host.random = seed;
    clean_and_unchanged();
    lossy(seed);
    small_payload();
    refusals();
    resume();
    remove_models();
    uint32_t cuts = power_cuts();
    printf("transfer: seed %u, %u power cuts, %d failures\n", seed, cuts, failures);
    return failures != 0;
}
