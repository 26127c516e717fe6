/** What the parts of the core offer each other. Not for ports. */
#ifndef K210B_CORE_H
#define K210B_CORE_H

#include "../generated/k210b_protocol.h"
#include "k210b/crc32.h"
#include "k210b/k210b.h"
#include "k210b/mem.h"
#include "k210b/status.h"

/** A handler's answer for "not yet": it is called again at every poll until it answers. */
#define K210B_LATER 1

/** Microseconds from `since` to now, right across a wrap. */
static inline uint32_t k210b_elapsed(const k210b_t *shim, uint32_t since)
{
    return shim->now_us - since;
}

static inline int k210b_bit(const uint8_t *bits, uint32_t i)
{
    return (bits[i >> 3] >> (i & 7)) & 1;
}

static inline void k210b_bit_set(uint8_t *bits, uint32_t i)
{
    bits[i >> 3] |= (uint8_t)(1u << (i & 7));
}

static inline uint32_t k210b_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* link.c: bytes to frames */
void k210b_link_init(k210b_t *shim);
/** Takes what the port has received. */
void k210b_link_receive(k210b_t *shim);
/** Bytes that the host may have on the way: the header's budget and the window of transfers. */
uint32_t k210b_link_budget(const k210b_t *shim);

/* send.c: frames to bytes, by priority */
void k210b_link_send(k210b_t *shim);
/** Text outside frames; what does not fit into the port at once is left out. */
void k210b_console(k210b_t *shim, const char *text);
/** Forgets a frame that has not begun to leave (new session). */
void k210b_send_reset(k210b_t *shim);

/* rate.c: line rate and reboot, once an answer has left */
void k210b_rate_poll(k210b_t *shim);
/** A valid frame came: a new rate works. */
void k210b_rate_confirm(k210b_t *shim);

/* dispatch.c: requests */
/** A valid frame of the session, or a HELLO. */
void k210b_dispatch(k210b_t *shim, const k210b_frame_t *frame, const uint8_t *payload, uint32_t len);
/** Goes on with requests whose handlers said K210B_LATER. */
void k210b_dispatch_poll(k210b_t *shim);
/** Forgets all requests. */
void k210b_dispatch_reset(k210b_t *shim);
/** Decodes the request of `reply` into `value`; 0 or K210B_ERR_BAD_REQUEST. */
int k210b_request(const k210b_reply_t *reply, void *value);
/** Encodes the answer of `reply` from `value` (which may point into the request); 0 or an error. */
int k210b_answer(k210b_t *shim, k210b_reply_t *reply, const void *value);

/** Handlers: 0 = answered, K210B_LATER, or an error that becomes a bare status. */
typedef int k210b_handler_t(k210b_t *shim, k210b_reply_t *reply);
k210b_handler_t k210b_on_hello, k210b_on_ping, k210b_on_echo, k210b_on_set_baud, k210b_on_reboot, k210b_on_stats;
k210b_handler_t k210b_on_model_list, k210b_on_model_load, k210b_on_model_remove;
k210b_handler_t k210b_on_transfer_open, k210b_on_transfer_hashes, k210b_on_transfer_commit, k210b_on_transfer_abort;
k210b_handler_t k210b_on_stream_config, k210b_on_infer, k210b_on_read_output;

/* log.c */
enum { K210B_LOG_DEBUG = 0, K210B_LOG_INFO = 1, K210B_LOG_WARNING = 2, K210B_LOG_ERROR = 3 };
/** Keeps `text` followed by `number` (negative numbers are statuses and print as such); the oldest line gives way. */
void k210b_log(k210b_t *shim, uint8_t level, const char *text, int32_t number);
/** Encodes the oldest line into `out`; 0 when there is none. */
uint32_t k210b_log_take(k210b_t *shim, uint8_t *out, uint32_t cap);
/** Appends decimal digits at out[at..cap); returns the new end. */
uint32_t k210b_put_decimal(char *out, uint32_t at, uint32_t cap, uint32_t number);
uint32_t k210b_put_text(char *out, uint32_t at, uint32_t cap, const char *text);

/* flash.c: one write at a time */
/** Starts: erase `erase` bytes at addr (0: none, 4096, 65536), then program. `data` stays valid until the end. */
int k210b_flash_write(k210b_t *shim, uint32_t addr, const uint8_t *data, uint32_t len, uint32_t erase);
void k210b_flash_poll(k210b_t *shim);
/** For the one who started the write: K210B_LATER, or its outcome, once. */
int k210b_flash_result(k210b_t *shim);
/** 1 when nothing is under way: only then can the flash be read. */
int k210b_flash_idle(const k210b_t *shim);
/** Bytes of the chip; 0 when its id makes no sense. */
uint32_t k210b_flash_bytes(const k210b_t *shim);

/* store.c: the directory */
/** Reads both sectors; the newer valid one counts, without one the store is empty. */
void k210b_store_open(k210b_t *shim);
void k210b_store_entry(const k210b_t *shim, uint32_t slot, k210b_entry_t *entry);
/** Binary card of a slot; entry.card_length bytes. */
const uint8_t *k210b_store_card(const k210b_t *shim, uint32_t slot);
/** Begins to write a directory with this slot changed; entry->used 0 clears it. K210B_ERR_BUSY while one is written. */
int k210b_store_put(k210b_t *shim, uint32_t slot, const k210b_entry_t *entry, const uint8_t *card);
void k210b_store_poll(k210b_t *shim);
/** 1 while the directory is being written; afterwards store.status tells how it went. */
int k210b_store_busy(const k210b_t *shim);
/** Free flash for `size` bytes, 64 KiB aligned, away from every live model; 0 when there is none. */
uint32_t k210b_store_place(const k210b_t *shim, uint32_t size);
/** 1 when a live model lies in the range. */
int k210b_store_overlaps(const k210b_t *shim, uint32_t addr, uint32_t size);

/* models.c: models in memory */
enum { K210B_LOADED_NO = 0, K210B_LOADED_READING, K210B_LOADED_YES, K210B_LOADED_FAILED };
/** Begins to load a slot: 0, K210B_ERR_NOT_FOUND, K210B_ERR_BUSY, K210B_ERR_NO_MEMORY. Others make room if needed. */
int k210b_models_load(k210b_t *shim, uint32_t slot);
void k210b_models_poll(k210b_t *shim);
void k210b_models_unload(k210b_t *shim, uint32_t slot);
/** The model of a slot when it can run, else NULL. */
k210b_loaded_t *k210b_models_get(k210b_t *shim, uint32_t slot);
/** Room for the input tensor, beside the model; NULL when there is none. */
uint8_t *k210b_models_input(k210b_t *shim, uint32_t slot);
uint32_t k210b_models_free_bytes(const k210b_t *shim);

/* transfer.c (pieces and status), transfer_open.c, transfer_commit.c (requests), transfer_write.c (flash) */
enum { K210B_TRANSFER_IDLE = 0, K210B_TRANSFER_OPEN, K210B_TRANSFER_STORING, K210B_TRANSFER_DONE };
void k210b_transfer_block(k210b_t *shim, const uint8_t *payload, uint32_t len);
/** Ends it and frees the buffers; not while the flash works on one. */
void k210b_transfer_end(k210b_t *shim, uint8_t state);
/** 1 while the flash works on a buffer. */
int k210b_transfer_writing(const k210b_t *shim);
/** 1 when every piece of the block has arrived or was there. */
int k210b_transfer_have_block(const k210b_transfer_t *transfer, uint32_t block);
/** 1 when at least one has. */
int k210b_transfer_has_piece(const k210b_transfer_t *transfer, uint32_t block);
uint32_t k210b_transfer_status(k210b_t *shim, uint8_t *out, uint32_t cap);
/** Bytes of block `block`: 4096, fewer in the last. */
uint32_t k210b_transfer_pieces_of(const k210b_transfer_t *transfer, uint32_t block);
uint32_t k210b_transfer_block_bytes(const k210b_transfer_t *transfer, uint32_t block);
void k210b_transfer_mark(k210b_transfer_t *transfer, uint32_t piece);
/** Starts and finishes flash writes. */
void k210b_transfer_write_poll(k210b_t *shim);
/** Takes a piece into a buffer: 1 taken, 0 no room. */
int k210b_transfer_buffer(k210b_t *shim, uint32_t piece, const uint8_t *data, uint32_t len);
uint32_t k210b_transfer_room(const k210b_t *shim);
/** 1 when no buffer holds anything that is not in flash. */
int k210b_transfer_written(const k210b_t *shim);

/* capture.c: camera pictures */
enum { K210B_PLANE_FREE = 0, K210B_PLANE_CAPTURING, K210B_PLANE_READY, K210B_PLANE_HELD };
void k210b_capture_poll(k210b_t *shim);
uint8_t *k210b_plane(const k210b_t *shim, uint32_t plane);
/** The newest finished picture, now held by the caller; K210B_NONE when there is none. */
uint8_t k210b_capture_take(k210b_t *shim);
/** Gives a held picture back. */
void k210b_capture_release(k210b_t *shim, uint8_t plane);

/* pipeline.c: capture, infer, result, picture; stream_requests.c: its requests */
void k210b_pipeline_init(k210b_t *shim);
void k210b_pipeline_poll(k210b_t *shim);
/** Ends what a session asked for. */
void k210b_pipeline_reset(k210b_t *shim);
/** 1 when a run uses the model of the slot. */
int k210b_pipeline_uses(const k210b_t *shim, uint32_t slot);
/** 1 when somebody waits for a camera picture. */
int k210b_pipeline_wants_picture(const k210b_t *shim);
enum { K210B_INFER_NONE = 0, K210B_INFER_WAITING, K210B_INFER_RUNNING, K210B_INFER_DONE, K210B_INFER_TAKEN };

/* found.c: boxes of a run */
/** Decodes the outputs of the finished run into pipeline.found. */
int k210b_found_decode(k210b_t *shim);
/** As the rows result and inferAnswer. */
void k210b_found_result(const k210b_found_t *found, k210b_wire_result_t *row);
void k210b_found_answer(const k210b_found_t *found, k210b_wire_infer_answer_t *row);

/* stream.c: results and pictures on their way out */
void k210b_stream_init(k210b_t *shim);
void k210b_stream_result(k210b_t *shim, const k210b_found_t *found);
/** 1 when the picture in `plane` was taken over (and will be freed), 0 when the encoder has no room. */
int k210b_stream_picture(k210b_t *shim, uint8_t plane);
void k210b_stream_poll(k210b_t *shim);
/** The oldest result waiting; NULL when there is none. Taken by k210b_stream_result_sent. */
const uint8_t *k210b_stream_next_result(const k210b_t *shim, uint32_t *length);
void k210b_stream_result_sent(k210b_t *shim);
/** Next fragment of the picture under way; NULL when there is none. `last` is set on the last. */
const uint8_t *k210b_stream_fragment(k210b_t *shim, uint32_t *length, uint8_t *index, int *last);
void k210b_stream_reset(k210b_t *shim);

#endif
