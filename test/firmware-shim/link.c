/** Frames, sessions, noise and line rate of the shim against a host in C. Argument: seed. */
#include "host_double.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../firmware-shim/generated/k210b_golden.h"
#include "k210b/status.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static uint8_t flash[1 << FLASH_LOG2];
static host_t host;

static void golden_frames(void)
{
    uint8_t raw[K210B_FRAME_RAW], wire[K210B_FRAME_WIRE];
    for (uint32_t i = 0; i < COUNT(golden_payloads); i++) {
        const golden_payload_t *golden = &golden_payloads[i];
        if (golden->frame_bytes == 0)
            continue;
        k210b_cobs_reader_t reader = { .out = raw, .cap = sizeof raw };
        k210b_frame_t frame;
        size_t len = 0;
        k210b_cobs_restart(&reader);
        for (uint32_t j = 1; j + 1 < golden->frame_bytes; j++)
            k210b_cobs_take(&reader, golden->frame[j]);
        check(k210b_cobs_complete(&reader), golden->name, "complete");
        check(k210b_frame_read(raw, reader.used, &frame, &len) == K210B_OK, golden->name, "reads");
        check(len == golden->payload_bytes && memcmp(raw + 8, golden->payload, len) == 0, golden->name, "payload");
        size_t bytes = k210b_frame_write(&frame, golden->payload, golden->payload_bytes, wire);
        check(bytes == golden->frame_bytes && memcmp(wire, golden->frame, bytes) == 0, golden->name, "writes");
    }
}

static void golden_stuffing(void)
{
    for (uint32_t i = 0; i < COUNT(golden_cobs); i++) {
        const golden_stuffed_t *golden = &golden_cobs[i];
        uint8_t *out = malloc(K210B_COBS_MAX(golden->decoded_bytes) + 1);
        k210b_cobs_writer_t writer;
        k210b_cobs_begin(&writer, out);
        k210b_cobs_put(&writer, golden->decoded, golden->decoded_bytes);
        size_t bytes = k210b_cobs_end(&writer);
        check(bytes == golden->encoded_bytes && memcmp(out, golden->encoded, bytes) == 0, golden->name, "stuffs");
        k210b_cobs_reader_t reader = { .out = out, .cap = golden->decoded_bytes };
        k210b_cobs_restart(&reader);
        for (uint32_t j = 0; j < golden->encoded_bytes; j++)
            k210b_cobs_take(&reader, golden->encoded[j]);
        check(k210b_cobs_complete(&reader) && reader.used == golden->decoded_bytes
                  && memcmp(out, golden->decoded, reader.used) == 0, golden->name, "unstuffs");
        free(out);
    }
}

static int ping(uint64_t time_us)
{
    k210b_wire_ping_t request = { time_us };
    k210b_wire_ping_answer_t answer = { .host_time_us = ~time_us };
    int status = host_ask(&host, K210B_ID_PING, &request, &answer);
    return status == 0 && answer.host_time_us != time_us ? 254 : status;
}

static void epochs(void)
{
    host_boot(&host, flash);
    check(ping(1) == 255, "epoch", "no answer before HELLO");
    check(host.text_bytes > 0 || host.segment_bytes > 0, "banner", "is console text");
    check(host_hello(&host, 1040) == 0 && ping(2) == 0, "epoch", "session opens");
    host.epoch++;
    check(ping(3) == 255, "epoch", "another epoch is dropped");
    host.epoch--;
    check(ping(4) == 0, "epoch", "the old one goes on");
    k210b_wire_stream_config_t config = { .slot = 0, .results = 1 };
    k210b_wire_stream_config_answer_t answer;
    check(host_ask(&host, K210B_ID_STREAM_CONFIG, &config, &answer) == K210B_STATUS_STATE, "stream", "needs a model");
    check(host_hello(&host, 256) == 0 && host.shim.link.payload_limit == 256, "epoch", "renegotiates the payload");
    check(ping(5) == 0, "epoch", "new session answers");
    k210b_wire_hello_t other = { 1, 0, 1040, 99 };
    host.number = 0; /* a host that began anew and drew the same epoch */
    check(host_ask(&host, K210B_ID_HELLO, &other, NULL) == 0 && host.shim.link.payload_limit == 1040, "epoch",
          "another host in it opens a session of its own");
    check(ping(6) == 0, "epoch", "its requests are not taken for repeats");
}

/** All replies are taken: later requests are dropped, earlier ones stay answered. */
static void repeated_requests(void)
{
    uint8_t payload[8] = { 1 };
    host_boot(&host, flash);
    host_hello(&host, 1040);
    for (uint16_t number = 100; number < 120; number++) {
        host_send(&host, K210B_KIND_REQUEST, K210B_ID_PING, number, payload, 8);
        host_run(&host, 1000);
        check(host.response.frame.number == number, "repeat", "answered");
    }
    uint32_t before = host.responses;
    seen_t last = host.response;
    host_send(&host, K210B_KIND_REQUEST, K210B_ID_PING, 119, payload, 8);
    host_run(&host, 1000);
    check(host.responses == before + 1 && memcmp(last.payload, host.response.payload, last.len) == 0, "repeat",
          "same bytes again");
}

static void noise(uint32_t seed)
{
    uint8_t bytes[700];
    host_boot(&host, flash);
    host.random = seed;
    host_hello(&host, 1040);
    for (int round = 0; round < 3000; round++) {
        uint32_t len = k210b_random(&host.random) % sizeof bytes;
        uint32_t zeros = k210b_random(&host.random) % 64 + 1;
        for (uint32_t i = 0; i < len; i++)
            bytes[i] = k210b_random(&host.random) % zeros == 0 ? 0 : (uint8_t)k210b_random(&host.random);
        k210b_board_send(&host.board, bytes, len);
        host_run(&host, 100);
    }
    check(host.shim.link.counters.frames_good == 1, "noise", "nothing was taken for a frame");
    check(host.shim.link.counters.noise_bytes > 100000 && host.shim.link.counters.frames_bad > 100, "noise", "counted");
    check(ping(9) == 0, "noise", "the link still works");
}

/** Intact frames with random ids, kinds and payloads: every handler meets lengths it does not expect. */
static void random_requests(uint32_t seed)
{
    uint8_t payload[600];
    host_boot(&host, flash);
    host.random = seed;
    host_hello(&host, 1040);
    for (int round = 0; round < 6000; round++) {
        uint32_t len = k210b_random(&host.random) % (round % 2 ? sizeof payload : 40);
        for (uint32_t i = 0; i < len; i++)
            payload[i] = k210b_random(&host.random) % 3 == 0 ? (uint8_t)k210b_random(&host.random) : 0;
        uint8_t id = k210b_messages[k210b_random(&host.random) % K210B_MESSAGE_COUNT].id;
        if (id == K210B_ID_SET_BAUD || id == K210B_ID_REBOOT || id == K210B_ID_HELLO)
            continue;
        host_send(&host, id == K210B_ID_TRANSFER_BLOCK ? K210B_KIND_TRANSFER_BLOCK : K210B_KIND_REQUEST, id,
                  (uint16_t)(1000 + round), payload, len);
        host_run(&host, 300);
    }
    host_run(&host, 1000000);
    check(ping(10) == 0, "random requests", "the link still works");
}

static void line_rate(void)
{
    k210b_wire_set_baud_t request = { 1500000 };
    k210b_wire_set_baud_answer_t answer;
    k210b_wire_reboot_t again = { K210B_REBOOT_ROM, 77 };
    k210b_wire_reboot_answer_t rebooted;
    host_boot(&host, flash);
    host_hello(&host, 1040);
    check(host_ask(&host, K210B_ID_SET_BAUD, &request, &answer) == 0 && host.board.baud == 1500000, "rate", "switches");
    host_run(&host, 400000);
    check(ping(1) == 0, "rate", "a frame confirms it");
    host_run(&host, 1000000);
    check(host.board.baud == 1500000, "rate", "stays");
    request.baud = 3000000;
    host_ask(&host, K210B_ID_SET_BAUD, &request, &answer);
    host_run(&host, 600000);
    check(host.board.baud == 1500000, "rate", "goes back without a frame");
    check(host_ask(&host, K210B_ID_REBOOT, &again, &rebooted) == 0 && host.board.rebooted == K210B_REBOOT_ROM, "reboot",
          "is asked of the port");
}

int main(int argc, char **argv)
{
    uint32_t seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1;
    memset(flash, 0xFF, sizeof flash);
    golden_frames();
    golden_stuffing();
    epochs();
    repeated_requests();
    line_rate();
    noise(seed);
    random_requests(seed);
    printf("link: seed %u, %d failures\n", seed, failures);
    return failures != 0;
}
