/** The flash stub as a WebAssembly module for the virtual board: imports of "k210b" become the port. */
#include "stub.h"

#define IMPORT(name) __attribute__((import_module("k210b"), import_name(#name))) extern

IMPORT(uart_tx_space) int32_t host_uart_tx_space(void);
IMPORT(uart_tx) int32_t host_uart_tx(const uint8_t *data, int32_t len);
IMPORT(uart_tx_idle) int32_t host_uart_tx_idle(void);
IMPORT(uart_rx) int32_t host_uart_rx(uint8_t *buf, int32_t cap);
IMPORT(uart_rx_overruns) int32_t host_uart_rx_overruns(void);
IMPORT(uart_set_baud) int32_t host_uart_set_baud(int32_t baud);
IMPORT(flash_read) int32_t host_flash_read(uint32_t addr, uint8_t *buf, int32_t len);
IMPORT(flash_erase) int32_t host_flash_erase(uint32_t addr, uint32_t size);
IMPORT(flash_program) int32_t host_flash_program(uint32_t addr, const uint8_t *data, int32_t len);
IMPORT(flash_busy) int32_t host_flash_busy(void);
IMPORT(flash_id) int32_t host_flash_id(void);
IMPORT(flash_status) int32_t host_flash_status(void);
IMPORT(reboot) int32_t host_reboot(int32_t target);
IMPORT(execute) int32_t host_execute(uint32_t addr);
IMPORT(ram_write) int32_t host_ram_write(uint32_t addr, const uint8_t *data, int32_t len);

static size_t tx_space(void *ctx) { (void)ctx; return (size_t)host_uart_tx_space(); }
static int tx(void *ctx, const uint8_t *data, size_t len) { (void)ctx; return host_uart_tx(data, (int32_t)len); }
static int tx_idle(void *ctx) { (void)ctx; return host_uart_tx_idle(); }
static size_t rx(void *ctx, uint8_t *buf, size_t cap) { (void)ctx; return (size_t)host_uart_rx(buf, (int32_t)cap); }
static uint32_t rx_overruns(void *ctx) { (void)ctx; return (uint32_t)host_uart_rx_overruns(); }
static int set_baud(void *ctx, uint32_t baud) { (void)ctx; return host_uart_set_baud((int32_t)baud); }
static int flash_read(void *ctx, uint32_t addr, uint8_t *buf, size_t len)
{
    (void)ctx;
    return host_flash_read(addr, buf, (int32_t)len);
}
static int flash_erase(void *ctx, uint32_t addr, uint32_t size) { (void)ctx; return host_flash_erase(addr, size); }
static int flash_program(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
    (void)ctx;
    return host_flash_program(addr, data, (int32_t)len);
}
static int flash_busy(void *ctx) { (void)ctx; return host_flash_busy(); }
static uint32_t flash_id(void *ctx) { (void)ctx; return (uint32_t)host_flash_id(); }
static uint32_t flash_status(void *ctx) { (void)ctx; return (uint32_t)host_flash_status(); }
static int reboot(void *ctx, int target) { (void)ctx; return host_reboot(target); }
static int execute(void *ctx, uint32_t addr) { (void)ctx; return host_execute(addr); }
static int ram_write(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
    (void)ctx;
    return host_ram_write(addr, data, (int32_t)len);
}

static const k210b_port_t port = {
    .tx_space = tx_space,
    .tx = tx,
    .tx_idle = tx_idle,
    .rx = rx,
    .rx_overruns = rx_overruns,
    .set_baud = set_baud,
    .flash_read = flash_read,
    .flash_erase = flash_erase,
    .flash_program = flash_program,
    .flash_busy = flash_busy,
    .flash_id = flash_id,
    .flash_status = flash_status,
    .board = "stub",
    .reboot = reboot,
    .execute = execute,
    .ram_write = ram_write,
};

/* A module needs one instance somewhere: this file is the port, the core itself has no globals. */
static k210b_stub_t stub;

__attribute__((export_name("boot"))) void boot(void)
{
    k210b_stub_init(&stub, &port);
}

__attribute__((export_name("poll"))) void poll(int32_t now_us)
{
    k210b_stub_poll(&stub, (uint32_t)now_us);
}

/** The stub uses no KPU RAM. */
__attribute__((export_name("kpu_ram"))) int32_t kpu_ram(void)
{
    return 0;
}
