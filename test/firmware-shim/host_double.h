/** The host's side of the link for native tests, with a board and its shim: virtual time, faults from a seed. */
#ifndef HOST_DOUBLE_H
#define HOST_DOUBLE_H

#include "../../firmware-shim/generated/k210b_protocol.h"
#include "board.h"
#include "k210b/k210b.h"

enum { FLASH_LOG2 = 22, ARENA_BYTES = 6 * 1024 * 1024 - 256 * 1024, MAX_SEEN = 64 };

/** Share of frames in 1/1000, each way. */
typedef struct faults {
    uint32_t drop, twice, flip;
} faults_t;

/** A frame that came from the board. */
typedef struct seen {
    k210b_frame_t frame;
    uint32_t len;
    uint8_t payload[K210B_FRAME_PAYLOAD];
} seen_t;

typedef struct host {
    k210b_board_t board;
    k210b_t shim;
    uint8_t epoch;
    uint16_t number;
    uint32_t random;
    faults_t faults;
    uint8_t raw[K210B_FRAME_RAW];
    k210b_cobs_reader_t reader;
    uint32_t segment_bytes;
    uint32_t bad, text_bytes;       /* segments and bytes that were no frame */
    seen_t response;                /* the last one */
    uint32_t responses;
    k210b_wire_transfer_status_t status;
    uint8_t status_bitmap[64];
    uint32_t statuses;
    uint32_t budget;                /* bytes, of the last frame */
    void (*on_datagram)(struct host *host, const seen_t *datagram);
} host_t;

/** Board with the given flash content (1 << FLASH_LOG2 bytes), shim booted, no session. */
void host_boot(host_t *host, uint8_t *flash);
/** Lets virtual time pass in steps of 100 us. */
void host_run(host_t *host, uint32_t us);
/** Sends one frame through the faults. */
void host_send(host_t *host, uint8_t kind, uint8_t id, uint16_t number, const uint8_t *payload, uint32_t len);
/** Asks until answered (same number); `answer` may be NULL. @return the status, 255 without any answer */
int host_ask(host_t *host, uint8_t id, const void *request, void *answer);
/** HELLO in a new epoch. */
int host_hello(host_t *host, uint16_t max_payload);

extern int failures;
void check(int ok, const char *name, const char *what);

#endif
