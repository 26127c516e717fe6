/**
 * A board in memory for native tests: byte queues for the UART, a NOR flash that only clears bits and takes its time,
 * a camera with a test pattern, the KPU of kpu_reference.c. Time is virtual and moves by k210b_board_advance() only.
 */
#ifndef K210B_POSIX_BOARD_H
#define K210B_POSIX_BOARD_H

#include "k210b/port.h"
#include "kpu_reference.h"

enum { K210B_BOARD_RX = 16 * 1024, K210B_BOARD_TX = 4096 };

typedef struct k210b_board {
    k210b_port_t port;              /**< its ctx is this struct */
    uint64_t now_us;
    uint8_t powered;
    uint32_t random;                /**< seed of everything undefined, such as a cut erase */
    /* UART */
    uint8_t rx[K210B_BOARD_RX], tx[K210B_BOARD_TX];
    uint32_t rx_count, tx_count, overruns, baud;
    /* flash */
    uint8_t *flash;
    uint32_t flash_log2;
    uint64_t flash_until_us;
    uint32_t flash_ops;             /**< erases and programs started */
    uint32_t cut_at;                /**< power goes in the middle of this one; 0 = never */
    uint8_t flash_protected;        /**< writes do nothing, as with protection bits */
    uint32_t page_us, sector_us, block_us;
    /* camera */
    uint8_t *planes;
    uint16_t width, height;
    uint32_t frame_id;              /**< the sensor runs all the time */
    uint64_t frame_us, capture_from_us;
    /* KPU */
    k210b_kpu_reference_t kpu;
    int rebooted;                   /**< target of the reboot asked for, -1 = none */
} k210b_board_t;

/** A powered board. `flash` has 1 << flash_log2 bytes and keeps its content; `kpu_ram` has 2 MiB. */
void k210b_board_init(k210b_board_t *board, uint8_t *flash, uint32_t flash_log2, uint8_t *arena, uint32_t arena_bytes,
                      uint8_t *kpu_ram);
void k210b_board_advance(k210b_board_t *board, uint32_t us);
/** Bytes from the host; what does not fit is lost and counted. */
void k210b_board_send(k210b_board_t *board, const uint8_t *data, uint32_t len);
/** Bytes to the host; at most `cap`. */
uint32_t k210b_board_take(k210b_board_t *board, uint8_t *data, uint32_t cap);
/** Byte of the test pattern: differs in each frame, channel, row and column. */
uint8_t k210b_board_pattern(uint32_t frame_id, uint32_t channel, uint32_t y, uint32_t x);
/** xorshift32; `state` must not be 0. */
uint32_t k210b_random(uint32_t *state);

#endif
