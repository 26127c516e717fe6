/**
 * The shim as a WebAssembly module for the virtual board: the port's services are imports, the loop is an export.
 * Memory is what the chip has: 6 MiB of SRAM less 0.25 MiB for the firmware itself, and 2 MiB of KPU RAM.
 */
#include "k210b/k210b.h"

#ifndef K210B_BUILD_ID
#define K210B_BUILD_ID "unversioned" /* build.sh passes what build-id.sh prints */
#endif

#define IMPORT(name) __attribute__((import_module("k210b"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

IMPORT(uart_tx_space) int uart_tx_space(void);
IMPORT(uart_tx) int uart_tx(const uint8_t *data, int len);
IMPORT(uart_tx_idle) int uart_tx_idle(void);
IMPORT(uart_rx) int uart_rx(uint8_t *data, int cap);
IMPORT(uart_rx_overruns) int uart_rx_overruns(void);
IMPORT(uart_set_baud) int uart_set_baud(int baud);
IMPORT(flash_read) int flash_read(int addr, uint8_t *data, int len);
IMPORT(flash_erase) int flash_erase(int addr, int size);
IMPORT(flash_program) int flash_program(int addr, const uint8_t *data, int len);
IMPORT(flash_busy) int flash_busy(void);
IMPORT(flash_id) int flash_id(void);
IMPORT(flash_status) int flash_status(void);
IMPORT(kpu_start) int kpu_start(const uint64_t *layer, const uint8_t *bn, int bn_bytes, const uint8_t *activation,
                                const uint8_t *weights, int weight_bytes, int weight_bits);
IMPORT(kpu_done) int kpu_done(void);
IMPORT(camera_start) int camera_start(uint8_t *planes, int width, int height);
IMPORT(camera_done) int camera_done(uint32_t *frame_id, uint64_t *time_us);
IMPORT(reboot) int board_reboot(int target);
IMPORT(boot_id) int boot_id(void);

enum {
    ARENA_BYTES = 6 * 1024 * 1024 - 256 * 1024,
    KPU_RAM_BYTES = 2 * 1024 * 1024,
    CLOCK_HZ = 400000000,
    RX_RING_BYTES = 16 * 1024   /* at least what the virtual UART's ring and the polls between two rounds hold */
};

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(256)));
static uint8_t kpu_memory[KPU_RAM_BYTES] __attribute__((aligned(256)));
static k210b_t shim;
static k210b_port_t port;
static const uint32_t bauds[] = { 115200, 230400, 460800, 921600, 1500000, 2000000, 3000000 };

static size_t tx_space(void *ctx) { (void)ctx; return (size_t)uart_tx_space(); }
static int tx(void *ctx, const uint8_t *data, size_t len) { (void)ctx; return uart_tx(data, (int)len); }
static int tx_idle(void *ctx) { (void)ctx; return uart_tx_idle(); }
static size_t rx(void *ctx, uint8_t *buf, size_t cap) { (void)ctx; return (size_t)uart_rx(buf, (int)cap); }
static uint32_t rx_overruns(void *ctx) { (void)ctx; return (uint32_t)uart_rx_overruns(); }
static int set_baud(void *ctx, uint32_t baud) { (void)ctx; return uart_set_baud((int)baud); }

static int read_flash(void *ctx, uint32_t addr, uint8_t *buf, size_t len)
{
    (void)ctx;
    return flash_read((int)addr, buf, (int)len);
}

static int erase_flash(void *ctx, uint32_t addr, uint32_t size) { (void)ctx; return flash_erase((int)addr, (int)size); }

static int program_flash(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
    (void)ctx;
    return flash_program((int)addr, data, (int)len);
}

static int is_flash_busy(void *ctx) { (void)ctx; return flash_busy(); }
static uint32_t read_flash_id(void *ctx) { (void)ctx; return (uint32_t)flash_id(); }
static uint32_t read_flash_status(void *ctx) { (void)ctx; return (uint32_t)flash_status(); }

static int start_kpu(void *ctx, const uint64_t layer[12], const k210b_kpu_tables_t *tables)
{
    (void)ctx;
    return kpu_start(layer, tables->bn, (int)tables->bn_bytes, tables->activation, tables->weights,
                     (int)tables->weight_bytes, tables->weight_bits);
}

static int is_kpu_done(void *ctx) { (void)ctx; return kpu_done(); }

static int start_camera(void *ctx, uint8_t *planes, uint16_t width, uint16_t height)
{
    (void)ctx;
    return camera_start(planes, width, height);
}

static int is_camera_done(void *ctx, uint32_t *frame_id, uint64_t *time_us)
{
    (void)ctx;
    return camera_done(frame_id, time_us);
}

static int do_reboot(void *ctx, int target) { (void)ctx; return board_reboot(target); }

EXPORT(boot) void boot(void)
{
    static const k210b_port_t services = {
        .tx_space = tx_space, .tx = tx, .tx_idle = tx_idle, .rx = rx, .rx_overruns = rx_overruns, .set_baud = set_baud,
        .flash_read = read_flash, .flash_erase = erase_flash, .flash_program = program_flash,
        .flash_busy = is_flash_busy, .flash_id = read_flash_id, .flash_status = read_flash_status,
        .kpu_ram = kpu_memory, .kpu_start = start_kpu, .kpu_done = is_kpu_done,
        .camera_start = start_camera, .camera_done = is_camera_done,
        .arena = arena, .arena_bytes = ARENA_BYTES,
        .board = "virtual", .cpu_hz = CLOCK_HZ, .kpu_hz = CLOCK_HZ,
        .reboot = do_reboot,
    };
    static const k210b_config_t config = {
        .build_id = K210B_BUILD_ID, .rx_ring_bytes = RX_RING_BYTES,
        .bauds = bauds, .baud_count = sizeof bauds / sizeof bauds[0],
    };
    port = services;
    port.boot_id = (uint32_t)boot_id();
    k210b_init(&shim, &port, &config);
}

/** @return 1 when there is work that waits for nothing: poll again soon */
EXPORT(poll) int poll(int now_us)
{
    k210b_poll(&shim, (uint32_t)now_us);
    return k210b_busy(&shim);
}

/** Address of the KPU's RAM in linear memory. */
EXPORT(kpu_ram) uint8_t *kpu_ram(void)
{
    return kpu_memory;
}
