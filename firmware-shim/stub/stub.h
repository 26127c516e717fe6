/**
 * Flash stub: loaded to RAM by the boot ROM's ISP, then speaks the classic commands 0xD2..0xD7 that every K210 flasher
 * knows and the extensions 0xE0.. of protocol/isp (hashes, windowed write, read back). SLIP frames, see
 * protocol/isp/packet.ts for the packet. All state is in k210b_stub_t; nothing blocks, nothing allocates.
 */
#ifndef K210B_STUB_H
#define K210B_STUB_H

#include <stddef.h>
#include <stdint.h>

#include "k210b/port.h"
#include "k210b/sha256.h"
#include "k210b_isp.h"

enum {
    K210B_STUB_SECTOR = 4096,
    K210B_STUB_UNIT = 65536,
    K210B_STUB_PAGE = 256,
    K210B_STUB_HEADER = 16,
    K210B_STUB_FRAME = K210B_STUB_HEADER + K210B_STUB_UNIT,
    /** Room for the largest reply, every byte escaped, and a few short ones. */
    K210B_STUB_TX = 2 * (K210B_STUB_HEADER + K210B_STUB_SECTOR) + 1024,
    K210B_STUB_BITMAP = K210B_ISP_SESSION_SECTORS / 8,
    K210B_STUB_UNITS = K210B_ISP_SESSION_SECTORS / 16 + 1,
    K210B_STUB_FIRST_BAUD = 115200
};

/** SLIP receiver: one frame at a time. */
typedef struct k210b_stub_rx {
    uint8_t frame[K210B_STUB_FRAME];
    uint32_t length;
    uint8_t escaped;   /**< the byte before was 0xDB */
    uint8_t damaged;   /**< too long or an unknown escape: dropped at its end */
    uint32_t bad_frames;
} k210b_stub_rx_t;

/** Replies on their way, already SLIP coded. */
typedef struct k210b_stub_tx {
    uint8_t ring[K210B_STUB_TX];
    uint32_t head;
    uint32_t count;
} k210b_stub_tx_t;

/** What a job does; one at a time, each step waits for the flash chip without blocking. */
typedef enum k210b_stub_job_kind {
    K210B_STUB_IDLE = 0,
    K210B_STUB_ERASE,
    K210B_STUB_WRITE,
    K210B_STUB_HASH_SECTORS,
    K210B_STUB_HASH_RANGE
} k210b_stub_job_kind_t;

typedef struct k210b_stub_job {
    k210b_stub_job_kind_t kind;
    uint16_t tag;
    uint32_t at;        /**< next flash address */
    uint32_t end;
    uint32_t erased_to; /**< WRITE: the range is erased up to here */
    uint32_t start;
    k210b_sha256_t sha;
    uint8_t crcs[4 * K210B_ISP_SESSION_SECTORS];
} k210b_stub_job_t;

/** A windowed write: sectors arrive in any order into slots, are programmed in order of arrival. */
typedef struct k210b_stub_session {
    uint8_t open;
    uint8_t failed;                       /**< the flash refused an erase or a page */
    uint8_t status_due;
    uint16_t tag;
    uint16_t count;                       /**< sectors in the range */
    uint16_t received;
    uint16_t programmed;
    uint32_t base;                        /**< flash address of sector 0 */
    uint8_t arrived[K210B_STUB_BITMAP];   /**< arrived, or not to be sent */
    uint8_t wanted[K210B_STUB_BITMAP];    /**< will be sent */
    uint8_t blank[K210B_STUB_BITMAP];     /**< holds 0xFF only, says the host */
    uint8_t erased[K210B_STUB_BITMAP];    /**< may be programmed */
    uint8_t decided[K210B_STUB_UNITS];    /**< 64 KiB units whose way of erasing is chosen */
    uint8_t slots[K210B_ISP_WINDOW_SECTORS][K210B_STUB_SECTOR];
    uint16_t slot_sector[K210B_ISP_WINDOW_SECTORS];
    uint32_t first;                       /**< slot being programmed */
    uint32_t filled;
    uint32_t offset;                      /**< next byte of that slot */
} k210b_stub_session_t;

/** What happens once the last reply has left the wire. */
typedef enum k210b_stub_after {
    K210B_STUB_NOTHING = 0,
    K210B_STUB_SWITCH_BAUD,
    K210B_STUB_REBOOT,
    K210B_STUB_EXECUTE
} k210b_stub_after_t;

typedef struct k210b_stub {
    const k210b_port_t *port;
    k210b_stub_rx_t rx;
    k210b_stub_tx_t tx;
    k210b_stub_job_t job;
    k210b_stub_session_t session;
    k210b_stub_after_t after;
    uint32_t after_value;
    uint32_t baud;
    uint32_t old_baud;
    uint8_t baud_on_trial;  /**< nothing valid has arrived at the new rate yet */
    uint32_t now_us;
    uint32_t last_valid_us; /**< time of the last valid packet or rate change */
    uint8_t scratch[K210B_STUB_HEADER + K210B_STUB_SECTOR];
} k210b_stub_t;

/** Prepares the stub; sends nothing. The port must outlive it. */
void k210b_stub_init(k210b_stub_t *stub, const k210b_port_t *port);

/** One turn of the loop: takes received bytes, starts and finishes flash work, sends. Never waits. now_us may wrap. */
void k210b_stub_poll(k210b_stub_t *stub, uint32_t now_us);

#endif
