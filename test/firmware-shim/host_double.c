#include "host_double.h"

#include <stdio.h>
#include <string.h>

#include "k210b/status.h"

int failures;

void check(int ok, const char *name, const char *what)
{
    if (!ok) {
        printf("not ok %s: %s\n", name, what);
        failures++;
    }
}

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(256)));
static uint8_t kpu_ram[2 * 1024 * 1024] __attribute__((aligned(256)));

void host_boot(host_t *host, uint8_t *flash)
{
    const k210b_config_t config = { .build_id = "test", .rx_ring_bytes = K210B_BOARD_RX };
    uint32_t random = host->random ? host->random : 1;
    faults_t faults = host->faults;
    uint8_t epoch = host->epoch;
    memset(host, 0, sizeof *host);
    host->random = random;
    host->faults = faults;
    host->epoch = epoch;
    memset(arena, 0xA5, sizeof arena);
    k210b_board_init(&host->board, flash, FLASH_LOG2, arena, sizeof arena, kpu_ram);
    host->board.random = k210b_random(&host->random);
    host->reader.out = host->raw;
    host->reader.cap = sizeof host->raw;
    k210b_cobs_restart(&host->reader);
    check(k210b_init(&host->shim, &host->board.port, &config) == K210B_OK, "init", "status");
    host_run(host, 2000);
}

static int chance(host_t *host, uint32_t per_mille)
{
    return k210b_random(&host->random) % 1000 < per_mille;
}

static void take_frame(host_t *host, const k210b_frame_t *frame, const uint8_t *payload, uint32_t len)
{
    seen_t seen = { .frame = *frame, .len = len };
    memcpy(seen.payload, payload, len);
    host->budget = frame->budget * 16u;
    if (frame->kind == K210B_KIND_RESPONSE) {
        host->response = seen;
        host->responses++;
    } else if (frame->kind == K210B_KIND_TRANSFER_STATUS) {
        check(k210b_decode(&k210b_row_transfer_status, payload, len, &host->status) > 0, "status", "decodes");
        memset(host->status_bitmap, 0, sizeof host->status_bitmap);
        memcpy(host->status_bitmap, host->status.bitmap, host->status.bitmap_length);
        host->statuses++;
    } else if (frame->kind == K210B_KIND_DATAGRAM && host->on_datagram) {
        host->on_datagram(host, &seen);
    }
}

static void end_segment(host_t *host)
{
    k210b_frame_t frame;
    size_t len;
    if (host->segment_bytes == 0)
        return;
    if (!k210b_cobs_complete(&host->reader) || k210b_frame_read(host->raw, host->reader.used, &frame, &len) < 0) {
        host->bad++;
        host->text_bytes += host->segment_bytes;
    } else if (!chance(host, host->faults.drop)) {
        take_frame(host, &frame, host->raw + K210B_FRAME_HEADER, (uint32_t)len);
    }
    host->segment_bytes = 0;
    k210b_cobs_restart(&host->reader);
}

static void receive(host_t *host)
{
    uint8_t bytes[512];
    uint32_t count;
    while ((count = k210b_board_take(&host->board, bytes, sizeof bytes)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            if (bytes[i] == 0) {
                end_segment(host);
                continue;
            }
            k210b_cobs_take(&host->reader, bytes[i]);
            host->segment_bytes++;
        }
    }
}

void host_run(host_t *host, uint32_t us)
{
    for (uint32_t passed = 0; passed < us && host->board.powered; passed += 100) {
        k210b_board_advance(&host->board, 100);
        k210b_poll(&host->shim, (uint32_t)host->board.now_us);
        receive(host);
    }
}

void host_send(host_t *host, uint8_t kind, uint8_t id, uint16_t number, const uint8_t *payload, uint32_t len)
{
    uint8_t wire[K210B_FRAME_WIRE];
    k210b_frame_t frame = { kind, id, number, host->epoch, K210B_FRAME_LAST, 0xFFFF };
    uint32_t bytes = (uint32_t)k210b_frame_write(&frame, payload, len, wire);
    if (chance(host, host->faults.flip))
        wire[k210b_random(&host->random) % bytes] ^= (uint8_t)(1u << (k210b_random(&host->random) & 7));
    if (!chance(host, host->faults.drop))
        k210b_board_send(&host->board, wire, bytes);
    if (chance(host, host->faults.twice))
        k210b_board_send(&host->board, wire, bytes);
}

int host_ask(host_t *host, uint8_t id, const void *request, void *answer)
{
    uint8_t payload[K210B_FRAME_PAYLOAD];
    const k210b_message_t *message = k210b_message_find(id);
    int len = k210b_encode(message->row, request, payload, sizeof payload);
    check(len >= 0, "ask", "encodes");
    uint16_t number = ++host->number;
    for (int attempt = 0; attempt < 40 && host->board.powered; attempt++) {
        host_send(host, K210B_KIND_REQUEST, id, number, payload, (uint32_t)len);
        for (int wait = 0; wait < 100 && host->board.powered; wait++) {
            host_run(host, 2000);
            if (host->responses == 0 || host->response.frame.number != number || host->response.frame.id != id)
                continue;
            if (host->response.payload[0] == 0 && answer)
                check(k210b_decode(message->answer, host->response.payload, host->response.len, answer) > 0, "answer",
                      "decodes");
            return host->response.payload[0];
        }
    }
    return 255;
}

int host_hello(host_t *host, uint16_t max_payload)
{
    k210b_wire_hello_t hello = { 1, 0, max_payload, 1 };
    k210b_wire_hello_answer_t answer;
    host->epoch = (uint8_t)(host->epoch % 255 + 1);
    return host_ask(host, K210B_ID_HELLO, &hello, &answer);
}
