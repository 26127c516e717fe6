/** What the stub's files share. */
#ifndef K210B_STUB_INTERNAL_H
#define K210B_STUB_INTERNAL_H

#include "stub.h"

/** A received packet; data points into the receiver's frame. */
typedef struct k210b_stub_packet {
    uint8_t op;
    uint16_t tag;
    uint32_t address;
    uint32_t length;      /**< length word; an argument in flash_erase */
    uint32_t data_bytes;
    const uint8_t *data;
} k210b_stub_packet_t;

/** Queues a reply of op and result. Replies that do not fit are dropped: the host asks again. */
void k210b_stub_reply(k210b_stub_t *stub, uint8_t op, uint8_t result);

/** Queues a reply packet of an extension; `packet` has room for the header before the data. */
void k210b_stub_reply_packet(k210b_stub_t *stub, uint8_t op, uint16_t tag, uint8_t result, uint8_t *packet,
                             uint32_t data_bytes);

/** Queues a reply packet without data. */
void k210b_stub_reply_result(k210b_stub_t *stub, const k210b_stub_packet_t *packet, uint8_t result);

/** CRC-32 of a packet; extensions include the first word. */
uint32_t k210b_stub_packet_crc(const uint8_t *packet, uint32_t length);

/** Bytes of the flash chip by its id, 0 when the id is no plausible one. */
uint32_t k210b_stub_flash_bytes(const k210b_stub_t *stub);

/** True when [address, address + length) lies in the flash and is not empty. */
int k210b_stub_in_flash(const k210b_stub_t *stub, uint32_t address, uint32_t length);

/** Does one step of the job; 1 when there may be more to do at once. */
int k210b_stub_job_step(k210b_stub_t *stub);

/** Does one step of the windowed write; 1 when there may be more to do at once. */
int k210b_stub_session_step(k210b_stub_t *stub);

/** Queues what has arrived and is programmed. */
void k210b_stub_send_status(k210b_stub_t *stub);

/** Programs the page at `address` unless all its bytes are 0xFF; 1 when a program was started, negative on error. */
int k210b_stub_program_page(const k210b_stub_t *stub, uint32_t address, const uint8_t *page);

#define K210B_STUB_HANDLER(name, op, least, most, argument)                                                            \
    void k210b_stub_on_##name(k210b_stub_t *stub, const k210b_stub_packet_t *packet);
K210B_ISP_COMMANDS(K210B_STUB_HANDLER)
#undef K210B_STUB_HANDLER

#endif
