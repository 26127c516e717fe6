#include "sender.h"

#include <string.h>

#include "k210b/crc32.h"
#include "k210b/sha256.h"

int sender_open(host_t *host, sender_t *sender)
{
    k210b_wire_transfer_open_t request = { .target = sender->target, .slot = sender->slot, .address = sender->address,
                                           .size = sender->size, .block_bytes = 4096, .name = "net",
                                           .name_length = 3, .card = sender->card,
                                           .card_length = sender->card_length };
    k210b_sha256(sender->bytes, sender->size, request.sha256);
    return host_ask(host, K210B_ID_TRANSFER_OPEN, &request, &sender->opened);
}

static int send_hashes(host_t *host, sender_t *sender)
{
    k210b_wire_transfer_hashes_t request = { .transfer_id = sender->opened.transfer_id };
    k210b_wire_transfer_hashes_answer_t answer = { .bitmap_length = 0 };
    request.crc32_count = sender->opened.blocks;
    for (uint32_t i = 0; i < request.crc32_count; i++) {
        uint32_t left = sender->size - i * 4096;
        request.crc32[i] = k210b_crc32(0, sender->bytes + i * 4096, left < 4096 ? left : 4096);
    }
    int status = host_ask(host, K210B_ID_TRANSFER_HASHES, &request, &answer);
    sender->known_blocks = 0;
    for (uint32_t i = 0; status == 0 && i < request.crc32_count; i++)
        sender->known_blocks += (answer.bitmap[i / 8] >> (i % 8)) & 1;
    return status;
}

static void send_piece(host_t *host, sender_t *sender, uint32_t piece)
{
    uint8_t payload[4096];
    uint32_t offset = piece * sender->opened.piece_bytes;
    uint32_t left = sender->size - offset;
    k210b_wire_transfer_block_t block = { .transfer_id = sender->opened.transfer_id, .offset = offset,
                                          .data = sender->bytes + offset };
    block.data_length = (uint16_t)(left < sender->opened.piece_bytes ? left : sender->opened.piece_bytes);
    int len = k210b_encode(&k210b_row_transfer_block, &block, payload, sizeof payload);
    host_send(host, K210B_KIND_TRANSFER_BLOCK, K210B_ID_TRANSFER_BLOCK, (uint16_t)piece, payload, (uint32_t)len);
    sender->sent_pieces++;
}

/** 1 when the last status is one of this transfer. */
static int is_told(const host_t *host, const sender_t *sender)
{
    return host->statuses > 0 && host->status.transfer_id == sender->opened.transfer_id;
}

static uint32_t first_missing(const host_t *host, const sender_t *sender)
{
    return is_told(host, sender) ? host->status.first_missing / sender->opened.piece_bytes : 0;
}

static int is_missing(const host_t *host, const sender_t *sender, uint32_t piece)
{
    uint32_t first = first_missing(host, sender);
    if (!is_told(host, sender))
        return 1;
    if (piece < first)
        return 0;
    uint32_t bit = piece - first;
    return bit >= host->status.bitmap_length * 8u || ((host->status_bitmap[bit / 8] >> (bit % 8)) & 1) == 0;
}

static int is_complete(const host_t *host, const sender_t *sender)
{
    return is_told(host, sender) && host->status.first_missing == sender->size;
}

/** Sends missing pieces, `scatter` of 1000 in random order, until none is missing. 0 when done. */
int sender_pieces(host_t *host, sender_t *sender, uint32_t scatter)
{
    uint32_t pieces = (sender->size + sender->opened.piece_bytes - 1) / sender->opened.piece_bytes;
    for (uint32_t round = 0; round < 20000 && host->board.powered; round++) {
        uint32_t window = host->budget / (sender->opened.piece_bytes + 32u);
        uint32_t first = first_missing(host, sender);
        uint32_t count = 0;
        if (is_complete(host, sender))
            return 0;
        if (is_told(host, sender) && host->status.status != 0)
            return host->status.status;
        if (window == 0 && round % 64 == 63)
            send_piece(host, sender, first); /* nothing was said for long: one frame is always allowed */
        for (uint32_t i = first; i < pieces && count < window && count < 10; i++) {
            uint32_t piece = k210b_random(&host->random) % 1000 < scatter ? k210b_random(&host->random) % pieces : i;
            if (!is_missing(host, sender, piece))
                continue;
            send_piece(host, sender, piece);
            count++;
        }
        host_run(host, 3000);
    }
    return 254;
}

int sender_commit(host_t *host, sender_t *sender)
{
    k210b_wire_transfer_commit_t request = { sender->opened.transfer_id };
    k210b_wire_transfer_commit_answer_t answer;
    uint8_t digest[32];
    int status = K210B_STATUS_BUSY;
    k210b_sha256(sender->bytes, sender->size, digest);
    for (int i = 0; i < 200 && status == K210B_STATUS_BUSY && host->board.powered; i++)
        status = host_ask(host, K210B_ID_TRANSFER_COMMIT, &request, &answer);
    if (status == 0)
        check(memcmp(answer.sha256, digest, 32) == 0, "commit", "digest");
    return status;
}

int sender_transfer(host_t *host, sender_t *sender, uint32_t scatter)
{
    sender->sent_pieces = 0;
    int status = sender_open(host, sender);
    if (status == 0 && sender->target != K210B_TARGET_INPUT)
        status = send_hashes(host, sender);
    if (status == 0 && sender->known_blocks < sender->opened.blocks)
        status = sender_pieces(host, sender, scatter);
    return status == 0 ? sender_commit(host, sender) : status;
}
