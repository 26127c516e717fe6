/**
 * Services that the shim and the flash stub need from a board. One struct, filled by ports/<name>/.
 * None may block. Calls return 0 (or a count) or a negative K210B_ERR_*. `ctx` is handed back untouched.
 * The same struct is served by silicon (ports/k210, ports/rt-thread), by WebAssembly imports (ports/wasm) and by
 * plain C doubles in tests (ports/posix).
 */
#ifndef K210B_PORT_H
#define K210B_PORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where the parameters of one KPU layer lie; the port turns them into the addresses of words 4, 5 and 7. */
typedef struct k210b_kpu_tables {
    const uint8_t *bn;         /**< 8 bytes per output channel (kpu.md section 5) */
    const uint8_t *activation; /**< 144 bytes */
    const uint8_t *weights;    /**< weight_bytes bytes, 8 or 16 bit as the model says */
    uint32_t bn_bytes;
    uint32_t weight_bytes;
    uint8_t weight_bits;       /**< 8 or 16 */
} k210b_kpu_tables_t;

/** Reboot targets. */
enum { K210B_REBOOT_FIRMWARE = 0, K210B_REBOOT_ROM = 1 };

typedef struct k210b_port {
    void *ctx;

    /* UART */
    size_t (*tx_space)(void *ctx);                                  /**< bytes that tx() would take now */
    int (*tx)(void *ctx, const uint8_t *data, size_t len);          /**< len <= tx_space() */
    int (*tx_idle)(void *ctx);                                      /**< 1 = the last byte has left the wire */
    size_t (*rx)(void *ctx, uint8_t *buf, size_t cap);              /**< takes what has arrived, at most cap bytes */
    uint32_t (*rx_overruns)(void *ctx);                             /**< bytes lost so far because nobody took them */
    int (*set_baud)(void *ctx, uint32_t baud);                      /**< at once; K210B_ERR_RANGE if impossible */

    /* NOR flash, byte addresses. Erase and program start the operation; flash_busy() is polled until 0. */
    int (*flash_read)(void *ctx, uint32_t addr, uint8_t *buf, size_t len);
    int (*flash_erase)(void *ctx, uint32_t addr, uint32_t size);    /**< size 4096 or 65536, addr aligned to it */
    int (*flash_program)(void *ctx, uint32_t addr, const uint8_t *data, size_t len); /**< inside one 256-byte page */
    int (*flash_busy)(void *ctx);
    uint32_t (*flash_id)(void *ctx);                                /**< JEDEC maker << 16 | type << 8 | log2 size */
    uint32_t (*flash_status)(void *ctx);                            /**< status registers 1 | 2 << 8 | 3 << 16 */

    /* KPU: one layer at a time. The twelve words are those of the kmodel with addresses left as in the file. */
    uint8_t *kpu_ram;                                               /**< 2 MiB, row layout of kpu.md section 4 */
    int (*kpu_start)(void *ctx, const uint64_t layer[12], const k210b_kpu_tables_t *tables);
    int (*kpu_done)(void *ctx);                                     /**< 1 = finished, 0 = running, negative = fault */

    /* Camera: planar RGB, width x height as asked for, one capture at a time. */
    int (*camera_start)(void *ctx, uint8_t *planes, uint16_t width, uint16_t height);
    /** 1 = the picture is in `planes`, 0 = not yet; number and time (microseconds, as now_us but 64 bit) of it. */
    int (*camera_done)(void *ctx, uint32_t *frame_id, uint64_t *time_us);

    /* Arena for models, working memory and pictures: the caller's memory, 256-byte aligned. */
    uint8_t *arena;
    uint32_t arena_bytes;

    uint32_t boot_id;                                               /**< differs from boot to boot */
    const char *board;                                              /**< name for HELLO, for example "virtual" */
    uint32_t cpu_hz;
    uint32_t kpu_hz;
    int (*reboot)(void *ctx, int target);                           /**< K210B_REBOOT_*; does not return on silicon */
    /** Execute code loaded to RAM (stub only); NULL where there is none. */
    int (*execute)(void *ctx, uint32_t addr);
    /** RAM write for the stub's 0xD8; NULL where there is none. */
    int (*ram_write)(void *ctx, uint32_t addr, const uint8_t *data, size_t len);
} k210b_port_t;

#ifdef __cplusplus
}
#endif
#endif
