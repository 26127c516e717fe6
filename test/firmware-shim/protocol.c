/** Codec of the C core against the golden vectors that the TypeScript tests use; prints one line a check that fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../firmware-shim/generated/k210b_golden.h"
#include "k210b/codec.h"
#include "k210b/crc32.h"
#include "k210b/status.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int failures;

static void check(int ok, const char *name, const char *what)
{
    if (!ok) {
        printf("not ok %s: %s\n", name, what);
        failures++;
    }
}

/** Exactly as many bytes as asked for, so that the address sanitizer sees the first byte too many. */
static uint8_t *copy_of(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = (uint8_t *)malloc(len == 0 ? 1 : len);
    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

static void check_encode(const golden_payload_t *golden)
{
    uint8_t *out = (uint8_t *)malloc(golden->payload_bytes + 1);
    int bytes = k210b_encode(golden->row, golden->value, out, golden->payload_bytes);
    uint32_t cap;
    check(bytes == (int)golden->payload_bytes, golden->name, "encoded length");
    check(memcmp(out, golden->payload, golden->payload_bytes) == 0, golden->name, "encoded bytes");
    for (cap = 0; cap < golden->payload_bytes; cap++)
        check(k210b_encode(golden->row, golden->value, out, cap) == K210B_ERR_SPACE, golden->name, "small buffer");
    free(out);
}

static void check_decode(const golden_payload_t *golden)
{
    uint8_t *input = copy_of(golden->payload, golden->payload_bytes);
    void *value = calloc(1, golden->row->struct_size);
    uint8_t *again = (uint8_t *)malloc(golden->payload_bytes + 1);
    uint32_t len;
    check(k210b_decode(golden->row, input, golden->payload_bytes, value) == (int)golden->payload_bytes, golden->name,
          "decoded length");
    check(k210b_encode(golden->row, value, again, golden->payload_bytes) == (int)golden->payload_bytes, golden->name,
          "length of the second encoding");
    check(memcmp(again, golden->payload, golden->payload_bytes) == 0, golden->name, "second encoding");
    free(input);
    for (len = 0; len < golden->payload_bytes; len++) {
        input = copy_of(golden->payload, len);
        check(k210b_decode(golden->row, input, len, value) == K210B_ERR_BAD_REQUEST, golden->name, "cut payload");
        free(input);
    }
    free(again);
    free(value);
}

/** Random bytes for every row: the decoder may accept or refuse, the sanitizers watch. */
static void fuzz_rows(void)
{
    uint32_t state = 210, round, i, m;
    uint8_t bytes[600];
    for (m = 0; m < K210B_MESSAGE_COUNT; m++) {
        const k210b_row_t *row = k210b_messages[m].row;
        void *value = calloc(1, row->struct_size);
        for (round = 0; round < 200; round++) {
            uint32_t len;
            state = state * 1664525u + 1013904223u;
            len = state >> 23;
            for (i = 0; i < len; i++) {
                state = state * 1664525u + 1013904223u;
                bytes[i] = (uint8_t)(state >> (round % 2 ? 24 : 29));
            }
            uint8_t *input = copy_of(bytes, len);
            (void)k210b_decode(row, input, len, value);
            free(input);
        }
        free(value);
    }
}

static void check_limits(void)
{
    k210b_wire_transfer_block_t block = { 0 };
    uint8_t out[64];
    block.data = out;
    block.data_length = K210B_TRANSFER_MAX_PIECE_BYTES + 1;
    check(k210b_encode(&k210b_row_transfer_block, &block, out, sizeof out) == K210B_ERR_RANGE, "block", "too long");
    check(k210b_message_find(K210B_ID_INFER)->answer == &k210b_row_infer_answer, "find", "answer row");
    check(k210b_message_find(0xEE) == NULL, "find", "unknown id");
    /* The core's error codes are minus the status codes of the protocol, all of them. */
    check((int)K210B_STATUS_OK == K210B_OK, "status", "OK");
    check(K210B_STATUS_BAD_REQUEST == -K210B_ERR_BAD_REQUEST, "status", "BAD_REQUEST");
    check(K210B_STATUS_UNKNOWN_MESSAGE == -K210B_ERR_UNKNOWN_MESSAGE, "status", "UNKNOWN_MESSAGE");
    check(K210B_STATUS_VERSION == -K210B_ERR_VERSION, "status", "VERSION");
    check(K210B_STATUS_RANGE == -K210B_ERR_RANGE, "status", "RANGE");
    check(K210B_STATUS_NO_MEMORY == -K210B_ERR_NO_MEMORY, "status", "NO_MEMORY");
    check(K210B_STATUS_BUSY == -K210B_ERR_BUSY, "status", "BUSY");
    check(K210B_STATUS_NOT_FOUND == -K210B_ERR_NOT_FOUND, "status", "NOT_FOUND");
    check(K210B_STATUS_HASH == -K210B_ERR_HASH, "status", "HASH");
    check(K210B_STATUS_FLASH == -K210B_ERR_FLASH, "status", "FLASH");
    check(K210B_STATUS_MODEL_FORMAT == -K210B_ERR_MODEL_FORMAT, "status", "MODEL_FORMAT");
    check(K210B_STATUS_MODEL_VERSION == -K210B_ERR_MODEL_VERSION, "status", "MODEL_VERSION");
    check(K210B_STATUS_MODEL_UNSUPPORTED == -K210B_ERR_MODEL_UNSUPPORTED, "status", "MODEL_UNSUPPORTED");
    check(K210B_STATUS_SPACE == -K210B_ERR_SPACE, "status", "SPACE");
    check(K210B_STATUS_STATE == -K210B_ERR_STATE, "status", "STATE");
    check(K210B_STATUS_KPU == -K210B_ERR_KPU, "status", "KPU");
    check(K210B_STATUS_INTERNAL == -K210B_ERR_INTERNAL, "status", "INTERNAL");
}

/** A picture is encoded around the bytes that lie in the message already. */
static void check_in_place(void)
{
    uint8_t out[K210B_PICTURE_MIN_BYTES + 100];
    k210b_wire_picture_t picture = { 0 };
    memset(out, 0xAB, sizeof out);
    picture.data = out + K210B_PICTURE_MIN_BYTES;
    picture.data_length = 100;
    check(k210b_encode(&k210b_row_picture, &picture, out, sizeof out) == (int)sizeof out, "picture", "length");
    check(out[K210B_PICTURE_MIN_BYTES] == 0xAB && out[sizeof out - 1] == 0xAB, "picture", "data in place");
}

int main(void)
{
    size_t i;
    for (i = 0; i < COUNT(golden_payloads); i++) {
        check_encode(&golden_payloads[i]);
        check_decode(&golden_payloads[i]);
    }
    for (i = 0; i < COUNT(golden_crcs); i++)
        check(k210b_crc32(0, golden_crcs[i].data, golden_crcs[i].bytes) == golden_crcs[i].crc, golden_crcs[i].name, "crc");
    check(golden_cobs[0].encoded_bytes == 2 && golden_slip[0].encoded_bytes > 0, "tables", "present");
    check_limits();
    check_in_place();
    fuzz_rows();
    printf("%d golden payloads, %d failures\n", (int)COUNT(golden_payloads), failures);
    return failures == 0 ? 0 : 1;
}
