/**
 * Encodes and decodes wire messages by walking the rows that scripts/generate writes from protocol/messages
 * (generated/k210b_protocol.h). Little endian, no padding; every length is checked before a byte is read or written.
 */
#ifndef K210B_CODEC_H
#define K210B_CODEC_H

#include <stddef.h>
#include <stdint.h>

/** What stands at one place of a row, and in the C struct of that row. */
enum {
    K210B_FIELD_U8,
    K210B_FIELD_U16,
    K210B_FIELD_U32,
    K210B_FIELD_U64,
    K210B_FIELD_F32,        /**< signed integers use the unsigned kinds: same bits */
    K210B_FIELD_FIXED,      /**< `limit` bytes in the struct, no prefix */
    K210B_FIELD_BYTES,      /**< const uint8_t * into the message and a uint16_t length */
    K210B_FIELD_TEXT,       /**< const char * into the message, not terminated, and a uint16_t length */
    K210B_FIELD_RECORDS     /**< array of structs in the struct and a uint16_t count */
};

struct k210b_row;

typedef struct k210b_field {
    uint8_t kind;
    uint8_t prefix;          /**< bytes of the length or count on the wire; 0 = a single value */
    uint16_t limit;          /**< largest length or count; size of a FIXED field */
    uint16_t offset;         /**< of the value in the struct */
    uint16_t count_offset;   /**< of the length or count in the struct, where prefix is not 0 */
    const struct k210b_row *record;
} k210b_field_t;

typedef struct k210b_row {
    const k210b_field_t *fields;
    uint8_t field_count;
    uint16_t struct_size;
    uint16_t min_bytes;      /**< encoded size with every list, text and byte string empty */
} k210b_row_t;

/** One message of the link; `answer` is NULL unless kind is K210B_KIND_REQUEST. */
typedef struct k210b_message {
    uint8_t id;
    uint8_t kind;
    const k210b_row_t *row;
    const k210b_row_t *answer;
} k210b_message_t;

/**
 * Encodes `value`, the struct of `row`, into `out`.
 * A byte string that already lies at its place in `out` is not copied: a picture can be made where it is sent from.
 * @return bytes written; K210B_ERR_SPACE when they do not fit; K210B_ERR_RANGE when a length is above its limit
 */
int k210b_encode(const k210b_row_t *row, const void *value, uint8_t *out, size_t cap);

/**
 * Decodes into `value`, the struct of `row`. Byte strings and texts point into `bytes`, which must outlive them.
 * Bytes after the last field are ignored: later minor versions append fields.
 * @return bytes read, or K210B_ERR_BAD_REQUEST
 */
int k210b_decode(const k210b_row_t *row, const uint8_t *bytes, size_t len, void *value);

/** The message with this id, or NULL. */
const k210b_message_t *k210b_message_find(uint8_t id);

#endif
