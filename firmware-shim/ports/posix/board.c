/** The board in memory; see board.h. */
#include "board.h"

#include <string.h>

#include "k210b/status.h"

enum { PAGE = 256, SECTOR = 4096, BLOCK = 65536, FRAME_PERIOD_US = 33333 };

uint32_t k210b_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static size_t tx_space(void *ctx)
{
    const k210b_board_t *board = ctx;
    return board->powered ? K210B_BOARD_TX - board->tx_count : 0;
}

static int tx(void *ctx, const uint8_t *data, size_t len)
{
    k210b_board_t *board = ctx;
    if (len > tx_space(ctx))
        return K210B_ERR_SPACE;
    memcpy(board->tx + board->tx_count, data, len);
    board->tx_count += (uint32_t)len;
    return (int)len;
}

static int tx_idle(void *ctx) { return ((const k210b_board_t *)ctx)->tx_count == 0; }

static uint32_t take_bytes(uint8_t *queue, uint32_t *count, uint8_t *data, uint32_t cap)
{
    uint32_t taken = *count < cap ? *count : cap;
    memcpy(data, queue, taken);
    memmove(queue, queue + taken, *count - taken);
    *count -= taken;
    return taken;
}

static size_t rx(void *ctx, uint8_t *buf, size_t cap)
{
    k210b_board_t *board = ctx;
    return take_bytes(board->rx, &board->rx_count, buf, (uint32_t)cap);
}

static uint32_t rx_overruns(void *ctx) { return ((const k210b_board_t *)ctx)->overruns; }

static int set_baud(void *ctx, uint32_t baud)
{
    ((k210b_board_t *)ctx)->baud = baud;
    return K210B_OK;
}

void k210b_board_send(k210b_board_t *board, const uint8_t *data, uint32_t len)
{
    uint32_t fits = K210B_BOARD_RX - board->rx_count;
    if (len > fits) {
        board->overruns += len - fits;
        len = fits;
    }
    memcpy(board->rx + board->rx_count, data, len);
    board->rx_count += len;
}

uint32_t k210b_board_take(k210b_board_t *board, uint8_t *data, uint32_t cap)
{
    return take_bytes(board->tx, &board->tx_count, data, cap);
}

static uint32_t flash_size(const k210b_board_t *board) { return 1u << board->flash_log2; }
static int flash_busy(void *ctx) { return ((const k210b_board_t *)ctx)->flash_until_us > ((k210b_board_t *)ctx)->now_us; }
static uint32_t flash_id(void *ctx) { return 0xEF4000u | ((const k210b_board_t *)ctx)->flash_log2; }
static uint32_t flash_status(void *ctx) { return (uint32_t)flash_busy(ctx); }

static int flash_read(void *ctx, uint32_t addr, uint8_t *buf, size_t len)
{
    k210b_board_t *board = ctx;
    if (!board->powered || flash_busy(ctx))
        return K210B_ERR_BUSY;
    if (addr > flash_size(board) || len > flash_size(board) - addr)
        return K210B_ERR_RANGE;
    memcpy(buf, board->flash + addr, len);
    return K210B_OK;
}

/** Counts the operation; 1 when the power goes in the middle of it. */
static int start_operation(k210b_board_t *board, uint32_t us)
{
    board->flash_ops++;
    board->flash_until_us = board->now_us + us;
    if (board->flash_ops != board->cut_at)
        return 0;
    board->powered = 0;
    return 1;
}

/** Each bit that was to change has done so or not. */
static uint8_t half_done(k210b_board_t *board, uint8_t before, uint8_t after)
{
    uint8_t changed = (uint8_t)k210b_random(&board->random);
    return (uint8_t)((before & ~changed) | (after & changed));
}

static int flash_erase(void *ctx, uint32_t addr, uint32_t size)
{
    k210b_board_t *board = ctx;
    if (!board->powered || flash_busy(ctx))
        return K210B_ERR_BUSY;
    if ((size != SECTOR && size != BLOCK) || addr % size != 0 || addr >= flash_size(board))
        return K210B_ERR_RANGE;
    int cut = start_operation(board, size == SECTOR ? board->sector_us : board->block_us);
    for (uint32_t i = addr; i < addr + size && !board->flash_protected; i++)
        board->flash[i] = cut ? half_done(board, board->flash[i], 0xFF) : 0xFF;
    return K210B_OK;
}

static int flash_program(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
    k210b_board_t *board = ctx;
    if (!board->powered || flash_busy(ctx))
        return K210B_ERR_BUSY;
    if (len == 0 || addr >= flash_size(board) || addr % PAGE + len > PAGE)
        return K210B_ERR_RANGE;
    int cut = start_operation(board, board->page_us);
    for (uint32_t i = 0; i < len && !board->flash_protected; i++) {
        uint8_t *byte = board->flash + addr + i;
        uint8_t after = *byte & data[i];
        *byte = cut ? half_done(board, *byte, after) : after;
    }
    return K210B_OK;
}

static int kpu_start(void *ctx, const uint64_t layer[12], const k210b_kpu_tables_t *tables)
{
    return k210b_kpu_reference_start(&((k210b_board_t *)ctx)->kpu, layer, tables);
}

static int kpu_done(void *ctx) { return k210b_kpu_reference_done(&((k210b_board_t *)ctx)->kpu); }

uint8_t k210b_board_pattern(uint32_t frame_id, uint32_t channel, uint32_t y, uint32_t x)
{
    return (uint8_t)(x + y * 3 + channel * 85 + frame_id * 7);
}

static int camera_start(void *ctx, uint8_t *planes, uint16_t width, uint16_t height)
{
    k210b_board_t *board = ctx;
    if (board->planes)
        return K210B_ERR_BUSY;
    board->planes = planes;
    board->width = width;
    board->height = height;
    board->capture_from_us = board->now_us;
    return K210B_OK;
}

static int camera_done(void *ctx, uint32_t *frame_id, uint64_t *time_us)
{
    k210b_board_t *board = ctx;
    if (!board->planes || board->frame_us <= board->capture_from_us)
        return 0;
    uint8_t *to = board->planes;
    for (uint32_t channel = 0; channel < 3; channel++)
        for (uint32_t y = 0; y < board->height; y++)
            for (uint32_t x = 0; x < board->width; x++)
                *to++ = k210b_board_pattern(board->frame_id, channel, y, x);
    board->planes = NULL;
    *frame_id = board->frame_id;
    *time_us = board->frame_us;
    return 1;
}

static int reboot(void *ctx, int target)
{
    ((k210b_board_t *)ctx)->rebooted = target;
    return K210B_OK;
}

void k210b_board_advance(k210b_board_t *board, uint32_t us)
{
    board->now_us += us;
    while (board->frame_us + FRAME_PERIOD_US <= board->now_us) {
        board->frame_us += FRAME_PERIOD_US;
        board->frame_id++;
    }
}

void k210b_board_init(k210b_board_t *board, uint8_t *flash, uint32_t flash_log2, uint8_t *arena, uint32_t arena_bytes,
                      uint8_t *kpu_ram)
{
    memset(board, 0, sizeof *board);
    board->powered = 1;
    board->random = 1;
    board->baud = 115200;
    board->rebooted = -1;
    board->flash = flash;
    board->flash_log2 = flash_log2;
    board->page_us = 400; /* W25Q128, typical: isp.md 4.5 */
    board->sector_us = 45000;
    board->block_us = 150000;
    board->kpu.ram = kpu_ram;
    board->port = (k210b_port_t){
        .ctx = board,
        .tx_space = tx_space, .tx = tx, .tx_idle = tx_idle, .rx = rx, .rx_overruns = rx_overruns, .set_baud = set_baud,
        .flash_read = flash_read, .flash_erase = flash_erase, .flash_program = flash_program,
        .flash_busy = flash_busy, .flash_id = flash_id, .flash_status = flash_status,
        .kpu_ram = kpu_ram, .kpu_start = kpu_start, .kpu_done = kpu_done,
        .camera_start = camera_start, .camera_done = camera_done,
        .arena = arena, .arena_bytes = arena_bytes,
        .boot_id = 1, .board = "posix", .cpu_hz = 400000000, .kpu_hz = 400000000,
        .reboot = reboot,
    };
}
