/** Native test of the flash stub: a port double with a NOR flash in memory, driven frame by frame, then by noise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "k210b/crc32.h"
#include "k210b/status.h"
#include "stub.h"

enum { FLASH = 1 << 20, LINE = 1 << 19, STEP_US = 100 };

typedef struct double_board {
    k210b_port_t port;
    k210b_stub_t stub;
    uint8_t flash[FLASH];
    uint8_t to_stub[LINE];
    uint8_t from_stub[LINE];
    size_t to_read, to_count, from_count;
    uint32_t now_us, busy_until_us, baud, erases, programs;
    int reboot_target, refuse_erase;
    uint32_t executed, ram_address;
} board_t;

static int checks, failures;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        checks++;                                                                                                      \
        if (!(condition)) {                                                                                            \
            failures++;                                                                                                \
            printf("line %d: %s\n", __LINE__, #condition);                                                             \
        }                                                                                                              \
    } while (0)

static size_t tx_space(void *ctx) { (void)ctx; return 64; }
static int tx(void *ctx, const uint8_t *data, size_t len)
{
    board_t *b = ctx;
    if (b->from_count + len <= LINE) {
        memcpy(b->from_stub + b->from_count, data, len);
        b->from_count += len;
    }
    return (int)len;
}
static int tx_idle(void *ctx) { (void)ctx; return 1; }
static size_t rx(void *ctx, uint8_t *buf, size_t cap)
{
    board_t *b = ctx;
    size_t left = b->to_count - b->to_read;
    size_t take = left < cap ? left : cap;
    memcpy(buf, b->to_stub + b->to_read, take);
    b->to_read += take;
    return take;
}
static uint32_t rx_overruns(void *ctx) { (void)ctx; return 5; }
static int set_baud(void *ctx, uint32_t baud)
{
    board_t *b = ctx;
    if (baud > 5000000 || baud < 9600)
        return K210B_ERR_RANGE;
    b->baud = baud;
    return 0;
}
static int busy(const board_t *b) { return (int32_t)(b->busy_until_us - b->now_us) > 0; }
static int flash_busy(void *ctx) { return busy(ctx); }
static int flash_read(void *ctx, uint32_t addr, uint8_t *buf, size_t len)
{
    board_t *b = ctx;
    if (busy(b) || addr + len > FLASH)
        return K210B_ERR_FLASH;
    memcpy(buf, b->flash + addr, len);
    return 0;
}
static int flash_erase(void *ctx, uint32_t addr, uint32_t size)
{
    board_t *b = ctx;
    if (b->refuse_erase)
        return K210B_ERR_FLASH;
    if (busy(b) || addr % size != 0 || addr + size > FLASH || (size != 4096 && size != 65536))
        abort(); /* the stub must never ask for this */
    memset(b->flash + addr, 0xFF, size);
    b->busy_until_us = b->now_us + 1000;
    b->erases++;
    return 0;
}
static int flash_program(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
    board_t *b = ctx;
    if (busy(b) || addr % 256 + len > 256 || addr + len > FLASH)
        abort();
    for (size_t i = 0; i < len; i++)
        b->flash[addr + i] &= data[i];
    b->busy_until_us = b->now_us + 50;
    b->programs++;
    return 0;
}
static uint32_t flash_id(void *ctx) { (void)ctx; return 0xEF4014; }
static uint32_t flash_status(void *ctx) { (void)ctx; return 0x000200; }
static int reboot(void *ctx, int target) { ((board_t *)ctx)->reboot_target = target; return 0; }
static int execute(void *ctx, uint32_t addr) { ((board_t *)ctx)->executed = addr; return 0; }
static int ram_write(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
    (void)data;
    (void)len;
    ((board_t *)ctx)->ram_address = addr;
    return 0;
}

static board_t *new_board(void)
{
    board_t *b = calloc(1, sizeof *b);
    memset(b->flash, 0xFF, FLASH);
    b->baud = 115200;
    b->reboot_target = -1;
    b->port = (k210b_port_t){
        .ctx = b, .tx_space = tx_space, .tx = tx, .tx_idle = tx_idle, .rx = rx, .rx_overruns = rx_overruns,
        .set_baud = set_baud, .flash_read = flash_read, .flash_erase = flash_erase, .flash_program = flash_program,
        .flash_busy = flash_busy, .flash_id = flash_id, .flash_status = flash_status, .reboot = reboot,
        .execute = execute, .ram_write = ram_write};
    k210b_stub_init(&b->stub, &b->port);
    return b;
}

static void run(board_t *b, uint32_t us)
{
    for (uint32_t t = 0; t < us; t += STEP_US) {
        b->now_us += STEP_US;
        k210b_stub_poll(&b->stub, b->now_us);
    }
    b->to_read = b->to_count = 0;
}

static void put_wire(board_t *b, uint8_t byte) { b->to_stub[b->to_count++] = byte; }

static void send_raw(board_t *b, const uint8_t *bytes, size_t len)
{
    put_wire(b, 0xC0);
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == 0xC0 || bytes[i] == 0xDB) {
            put_wire(b, 0xDB);
            put_wire(b, bytes[i] == 0xC0 ? 0xDC : 0xDD);
        } else {
            put_wire(b, bytes[i]);
        }
    }
    put_wire(b, 0xC0);
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/** Sends one packet; `damage` is xored into its CRC. */
static void send(board_t *b, uint8_t op, uint16_t tag, uint32_t address, uint32_t length, const void *data,
                 size_t data_bytes, uint32_t damage)
{
    uint8_t packet[16 + 65536] = {op, 0, (uint8_t)tag, (uint8_t)(tag >> 8)};
    put32(packet + 8, address);
    put32(packet + 12, length);
    if (data_bytes > 0)
        memcpy(packet + 16, data, data_bytes);
    uint32_t crc = op >= 0xE0 ? k210b_crc32(0, packet, 4) : 0;
    put32(packet + 4, k210b_crc32(crc, packet + 8, 8 + data_bytes) ^ damage);
    send_raw(b, packet, 16 + data_bytes);
}

static void request(board_t *b, uint8_t op, uint32_t address, const void *data, size_t data_bytes)
{
    send(b, op, 7, address, (uint32_t)data_bytes, data, data_bytes, 0);
}

/** Decodes the last complete frame from the stub into `out` and forgets all; returns its length, 0 when none came. */
static size_t reply(board_t *b, uint8_t *out)
{
    size_t length = 0, last = 0;
    static uint8_t frame[LINE];
    for (size_t i = 0; i < b->from_count; i++) {
        uint8_t byte = b->from_stub[i];
        if (byte == 0xC0) {
            if (length > 0) {
                memcpy(out, frame, length);
                last = length;
            }
            length = 0;
        } else if (byte == 0xDB) {
            frame[length++] = b->from_stub[++i] == 0xDC ? 0xC0 : 0xDB;
        } else {
            frame[length++] = byte;
        }
    }
    b->from_count = 0;
    return last;
}

static int answered(board_t *b, uint8_t op, uint8_t result)
{
    static uint8_t out[LINE];
    return reply(b, out) == 2 && out[0] == op && out[1] == result;
}

static void fill(uint8_t *bytes, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24);
    }
}

static void test_classic(void)
{
    board_t *b = new_board();
    static uint8_t data[65536];
    const uint8_t greeting[13] = {0xD2};
    fill(data, sizeof data, 1);
    send_raw(b, greeting, sizeof greeting);
    run(b, 1000);
    CHECK(answered(b, 0xD2, 0xE0));
    send(b, 0xD2, 0, 0, 0, NULL, 0, 0);
    run(b, 1000);
    CHECK(answered(b, 0xD2, 0xE0));
    send(b, 0xD7, 0, 1, 0, NULL, 0, 0);
    run(b, 1000);
    CHECK(answered(b, 0xD7, 0xE0));
    request(b, 0xD4, 0x10000, data, 65536);
    run(b, 100000);
    CHECK(answered(b, 0xD4, 0xE0));
    CHECK(memcmp(b->flash + 0x10000, data, 65536) == 0);
    CHECK(b->erases == 1 && b->programs == 256);
    request(b, 0xD4, 0x11000, data, 4096);
    run(b, 100000);
    CHECK(answered(b, 0xD4, 0xE0));
    CHECK(memcmp(b->flash + 0x11000, data, 4096) == 0 && memcmp(b->flash + 0x12000, data + 0x2000, 4096) == 0);
    send(b, 0xD3, 0, 0x10000, 0x11000, NULL, 0, 0);
    run(b, 100000);
    CHECK(answered(b, 0xD3, 0xE0));
    CHECK(b->flash[0x10000] == 0xFF && b->flash[0x20FFF] == 0xFF);
    send(b, 0xD3, 0, 0, 0xFFFFFFEE, NULL, 0, 0);
    run(b, 1000000);
    CHECK(answered(b, 0xD3, 0xE0));
    send(b, 0xD5, 0, 0, 0, NULL, 0, 0);
    run(b, 1000);
    CHECK(b->reboot_target == K210B_REBOOT_FIRMWARE);
    send(b, 0xD5, 0, 1, 0, NULL, 0, 0);
    run(b, 1000);
    CHECK(b->reboot_target == K210B_REBOOT_ROM);
    free(b);
}

static void test_refusals(void)
{
    board_t *b = new_board();
    static uint8_t data[4097];
    request(b, 0xD4, 0x800, data, 4096);
    run(b, 1000);
    CHECK(answered(b, 0xD4, 0xE1));
    request(b, 0xD4, FLASH, data, 4096);
    run(b, 1000);
    CHECK(answered(b, 0xD4, 0xE1));
    request(b, 0xD4, 0, data, 4097);
    run(b, 1000);
    CHECK(answered(b, 0xD4, 0xE1));
    send(b, 0xD4, 0, 0, 4096, data, 4096, 1);
    run(b, 1000);
    CHECK(answered(b, 0xD4, 0xE2));
    send(b, 0xD3, 0, 0, 0, NULL, 0, 0);
    run(b, 1000);
    CHECK(answered(b, 0xD3, 0xE1));
    request(b, 0xD9, 0, NULL, 0);
    run(b, 1000);
    CHECK(answered(b, 0xD9, 0xE3));
    CHECK(b->erases == 0 && b->programs == 0);
    b->refuse_erase = 1;
    request(b, 0xD4, 0, data, 4096);
    run(b, 1000);
    CHECK(answered(b, 0xD4, 0xE5));
    free(b);
}

static void test_baud(void)
{
    board_t *b = new_board();
    uint8_t rate[4];
    put32(rate, 1500000);
    request(b, 0xD6, 0, rate, 4);
    run(b, 1000);
    CHECK(answered(b, 0xD6, 0xE0) && b->baud == 1500000);
    run(b, 600000);
    CHECK(b->baud == 115200); /* nothing valid came at the new rate */
    request(b, 0xD6, 0, rate, 4);
    run(b, 1000);
    send(b, 0xD2, 0, 0, 0, NULL, 0, 0);
    run(b, 600000);
    CHECK(b->baud == 1500000);
    run(b, 11000000);
    CHECK(b->baud == 115200); /* the host is gone */
    put32(rate, 50000000);
    request(b, 0xD6, 0, rate, 4);
    run(b, 1000);
    CHECK(b->baud == 115200);
    free(b);
}

static void test_extensions(void)
{
    board_t *b = new_board();
    static uint8_t out[LINE];
    uint8_t argument[4], digest[32];
    fill(b->flash, FLASH, 3);
    request(b, 0xE0, 0, NULL, 0);
    run(b, 1000);
    CHECK(reply(b, out) == 16 + 24 && out[2] == 7 && out[8] == 0xE0);
    CHECK(get32(out + 20) == 15 && get32(out + 24) == 0xEF4014 && get32(out + 28) == 0x200 && get32(out + 32) == 5);
    put32(argument, 3);
    request(b, 0xE1, 0x2000, argument, 4);
    run(b, 10000);
    CHECK(reply(b, out) == 16 + 12 && get32(out + 24) == k210b_crc32(0, b->flash + 0x4000, 4096));
    put32(argument, 10000);
    request(b, 0xE2, 0x123, argument, 4);
    run(b, 10000);
    k210b_sha256(b->flash + 0x123, 10000, digest);
    CHECK(reply(b, out) == 16 + 32 && memcmp(out + 16, digest, 32) == 0);
    put32(argument, 4096);
    request(b, 0xE3, 0x123, argument, 4);
    run(b, 100000);
    CHECK(reply(b, out) == 16 + 4096 && memcmp(out + 16, b->flash + 0x123, 4096) == 0);
    CHECK(get32(out + 4) == k210b_crc32(k210b_crc32(0, out, 4), out + 8, 8 + 4096));
    put32(argument, 4097);
    request(b, 0xE3, 0, argument, 4);
    run(b, 1000);
    CHECK(reply(b, out) == 16 && out[8] == 0xE1);
    put32(argument, 513);
    request(b, 0xE1, 0, argument, 4);
    run(b, 1000);
    CHECK(reply(b, out) == 16 && out[8] == 0xE1);
    request(b, 0xE7, 0x80001000, argument, 4);
    run(b, 1000);
    CHECK(reply(b, out) == 16 && out[8] == 0xE0 && b->ram_address == 0x80001000);
    request(b, 0xE8, 0x80001000, NULL, 0);
    run(b, 1000);
    CHECK(reply(b, out) == 16 && out[8] == 0xE0 && b->executed == 0x80001000);
    free(b);
}

/** Opens a session of 40 sectors at 0x8000 (unit skew 8): all wanted but sector 5; sectors 32..39 are blank. */
static void open_session(board_t *b, uint16_t tag)
{
    uint8_t data[4 + 10] = {40, 0, 0, 0, 0xDF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF};
    send(b, 0xE4, tag, 0x8000, sizeof data, data, sizeof data, 0);
}

static void send_sector(board_t *b, uint16_t tag, uint32_t sector, const uint8_t *content, uint32_t damage)
{
    send(b, 0xE5, tag, sector, 4096, content + 4096 * sector, 4096, damage);
}

static void test_session(void)
{
    board_t *b = new_board();
    static uint8_t out[LINE], content[40 * 4096], kept[4096];
    fill(content, sizeof content, 9);
    fill(b->flash, FLASH, 4);
    memset(b->flash + 0x8000 + 32 * 4096, 0xFF, 8 * 4096);
    memcpy(kept, b->flash + 0x8000 + 5 * 4096, 4096);
    open_session(b, 1);
    run(b, 1000);
    CHECK(reply(b, out) == 16 + 8 + 5 && out[0] == 0xE6 && out[20] == 32 && out[24] == 0x20);
    for (uint32_t i = 0; i < 40; i++) {
        if (i == 5)
            continue;
        send_sector(b, 1, i, content, i == 17); /* 17 is damaged on its way */
        if (i % 3 == 0)
            send_sector(b, 1, i, content, 0);   /* sent twice */
        send_sector(b, 2, i, kept - 4096 * i, 0); /* of another session */
        run(b, 3000);
    }
    run(b, 100000);
    CHECK(reply(b, out) == 16 + 8 + 5 && out[16] == 38 && out[18] == 38 && out[26] == 0xFD);
    open_session(b, 1); /* repeated after sectors came: a new session, nothing arrived */
    run(b, 1000);
    CHECK(reply(b, out) == 16 + 8 + 5 && out[16] == 0);
    for (uint32_t i = 40; i-- > 0;) {
        if (i != 5)
            send_sector(b, 1, i, content, 0);
        if (i == 20 || i == 0)
            run(b, 200000);
    }
    CHECK(reply(b, out) == 16 + 8 + 5 && out[16] == 39 && out[18] == 39 && out[20] == 32);
    for (uint32_t i = 0; i < 32; i++)
        CHECK(memcmp(b->flash + 0x8000 + i * 4096, i == 5 ? kept : content + i * 4096, 4096) == 0);
    free(b);
}

static void test_session_erases(void)
{
    board_t *b = new_board();
    static uint8_t out[LINE], content[16 * 4096];
    uint8_t data[8] = {16, 0, 0, 0, 0xFF, 0xFF, 0, 0};
    fill(content, sizeof content, 2);
    memset(b->flash, 0, 0x10000);
    send(b, 0xE4, 3, 0, sizeof data, data, sizeof data, 0);
    for (uint32_t i = 0; i < 16; i++)
        send_sector(b, 3, i, content, 0);
    run(b, 200000);
    CHECK(b->erases == 1 && memcmp(b->flash, content, sizeof content) == 0);
    data[4] = 7; /* three sectors: small erases */
    data[5] = 0;
    send(b, 0xE4, 4, 0, sizeof data, data, sizeof data, 0);
    for (uint32_t i = 0; i < 3; i++)
        send_sector(b, 4, i, content, 0);
    run(b, 200000);
    CHECK(b->erases == 4 && memcmp(b->flash, content, sizeof content) == 0);
    data[6] = data[7] = 0xFF; /* the host says blank: no erase at all */
    memset(b->flash, 0xFF, 0x10000);
    send(b, 0xE4, 5, 0, sizeof data, data, sizeof data, 0);
    for (uint32_t i = 0; i < 3; i++)
        send_sector(b, 5, i, content, 0);
    run(b, 200000);
    CHECK(b->erases == 4 && memcmp(b->flash, content, 3 * 4096) == 0);
    b->refuse_erase = 1;
    data[6] = data[7] = 0;
    send(b, 0xE4, 6, 0, sizeof data, data, sizeof data, 0);
    send_sector(b, 6, 0, content, 0);
    run(b, 200000);
    request(b, 0xE6, 0, NULL, 0);
    run(b, 1000);
    CHECK(reply(b, out) > 0 && out[8] == 0xE5);
    data[0] = 0;
    send(b, 0xE4, 7, 0, sizeof data, data, sizeof data, 0);
    run(b, 1000);
    CHECK(reply(b, out) == 16 && out[8] == 0xE1);
    free(b);
}

/** Noise, then valid packets with random fields: nothing may break and the stub must still answer. */
static void test_noise(uint32_t seed)
{
    board_t *b = new_board();
    static uint8_t noise[6000];
    for (int round = 0; round < 300; round++) {
        fill(noise, sizeof noise, seed + (uint32_t)round);
        if (round % 2) {
            memcpy(b->to_stub, noise, sizeof noise);
            b->to_count = sizeof noise;
        } else {
            uint8_t op = (uint8_t)(0xD0 + noise[0] % 32);
            uint32_t size = noise[1] % 2 ? get32(noise + 2) % 5000 : noise[2] % 8;
            uint32_t length = noise[3] % 2 ? size : get32(noise + 6);
            send(b, op, noise[4], get32(noise + 10) >> noise[5] % 32, length, noise, size, 0);
        }
        run(b, 20000);
    }
    run(b, 12000000);
    b->from_count = 0;
    send(b, 0xD2, 0, 0, 0, NULL, 0, 0);
    send(b, 0xD2, 0, 0, 0, NULL, 0, 0);
    run(b, 1000);
    CHECK(answered(b, 0xD2, 0xE0));
    free(b);
}

int main(void)
{
    test_classic();
    test_refusals();
    test_baud();
    test_extensions();
    test_session();
    test_session_erases();
    for (uint32_t seed = 1; seed <= 5; seed++)
        test_noise(seed * 1000);
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
