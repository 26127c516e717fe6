/** A host that transfers bytes: open, hashes, pieces in the window, commit. */
#ifndef SENDER_H
#define SENDER_H

#include "host_double.h"

typedef struct sender {
    const uint8_t *bytes;
    uint32_t size;
    uint8_t slot, target;
    uint32_t address;               /* raw flash */
    const uint8_t *card;
    uint16_t card_length;
    k210b_wire_transfer_open_answer_t opened;
    uint32_t sent_pieces, known_blocks;
} sender_t;

/** Each returns the board's status, 254 when it takes too long. */
int sender_open(host_t *host, sender_t *sender);
/** Sends what is missing; `scatter` of 1000 pieces are chosen at random. */
int sender_pieces(host_t *host, sender_t *sender, uint32_t scatter);
int sender_commit(host_t *host, sender_t *sender);
/** All of it. */
int sender_transfer(host_t *host, sender_t *sender, uint32_t scatter);

#endif
