/** State of the shim, one struct for each part. Plain data inside k210b_t; nothing here is for callers to touch. */
#ifndef K210B_STATE_H
#define K210B_STATE_H

#include "k210b/card.h"
#include "k210b/decode.h"
#include "k210b/frame.h"
#include "k210b/image.h"
#include "k210b/jpeg.h"
#include "k210b/model.h"
#include "k210b/sha256.h"

enum {
    K210B_SLOTS = 4,                /**< model slots */
    K210B_SECTOR = 4096,            /**< smallest erase, and the block of transfers */
    K210B_FLASH_BLOCK = 65536,      /**< large erase */
    K210B_REPLIES = 6,              /**< requests remembered */
    K210B_LOG_LINES = 8,
    K210B_LOG_TEXT = 96,
    K210B_RESULTS = 2,              /**< results waiting to be sent */
    K210B_RESULT_BYTES = 1024,
    K210B_BOXES = 64,
    K210B_STAGES = 4,               /**< capture wait, preprocessing, layers, decoding */
    K210B_PIECES = 65535,           /**< most pieces in a transfer: their numbers have 16 bits on the wire */
    K210B_BLOCKS = 4096,            /**< 16 MiB in sectors */
    K210B_WRITE_BUFFERS = 12,       /**< sectors received and not yet in flash */
    K210B_PLANES = 3,               /**< one captured, one waiting, one being encoded */
    K210B_PICTURES = 2,             /**< one being sent, one being encoded */
    K210B_PICTURE_HEADER = 19,      /**< row `picture` before its data */
    K210B_NONE = 0xFF
};

/** What a request waits for; see dispatch.c. */
enum { K210B_REPLY_FREE = 0, K210B_REPLY_WORKING, K210B_REPLY_READY, K210B_REPLY_SENT };

/** One request, from its arrival until a newer one takes its place: the answer can be given again. */
typedef struct k210b_reply {
    uint8_t state;
    uint8_t id;
    uint16_t number;
    uint32_t crc;               /**< of the request: the same number with other bytes is another request */
    uint32_t order;             /**< rises: the oldest answered one is replaced */
    uint32_t since_us;
    uint32_t step;              /**< for the handler: how far it got */
    uint32_t length;
    uint8_t payload[K210B_FRAME_PAYLOAD]; /**< the request while working, then the answer */
} k210b_reply_t;

/** What the board does when the answer has left the wire. */
enum { K210B_AFTER_NOTHING = 0, K210B_AFTER_BAUD, K210B_AFTER_REBOOT };

typedef struct k210b_counters {
    uint32_t frames_good, frames_bad, noise_bytes, console_bytes;
    uint32_t frames_sent, datagrams_dropped, results_sent, pictures_sent;
} k210b_counters_t;

typedef struct k210b_link {
    /* receiving */
    uint8_t raw[K210B_FRAME_RAW];
    k210b_cobs_reader_t reader;
    uint32_t segment_bytes;     /**< encoded bytes since the last delimiter */
    /* sending */
    uint8_t wire[K210B_FRAME_WIRE];
    uint32_t wire_used, wire_sent;
    uint32_t tx_capacity;       /**< largest tx_space() seen: what an idle port takes */
    uint16_t counter[256];      /**< frame number of each one-way message id */
    /* session */
    uint8_t open;
    uint8_t epoch;
    uint16_t payload_limit;
    uint32_t host_nonce;        /**< of the HELLO that opened the session */
    uint32_t order;
    k210b_reply_t replies[K210B_REPLIES];
    /* line rate, reboot */
    uint8_t after;              /**< K210B_AFTER_*; nothing else is sent meanwhile */
    uint8_t after_reply;        /**< index of the answer that has to leave first */
    uint8_t trial;              /**< a new rate is in use and not yet confirmed by a frame */
    uint8_t reboot_target;
    uint32_t baud, next_baud, old_baud, trial_since_us;
    k210b_counters_t counters;
} k210b_link_t;

typedef struct k210b_log {
    uint8_t count, first;
    struct {
        uint8_t level;
        uint8_t length;
        uint64_t time_us;
        char text[K210B_LOG_TEXT];
    } lines[K210B_LOG_LINES];
} k210b_log_t;

/** One flash write under way: erase, program page by page, compare. */
typedef struct k210b_flash {
    uint8_t state;              /**< see flash.c */
    int8_t status;              /**< of the last write, K210B_ERR_FLASH when it failed */
    uint32_t addr, done, len;
    const uint8_t *data;
} k210b_flash_t;

/** One slot of the directory, without its card. */
typedef struct k210b_entry {
    uint8_t used;
    uint16_t card_length;
    char name[32];
    uint32_t address, size;
    uint8_t sha256[32];
} k210b_entry_t;

/** Model store: the sector image as it is in flash, or as it is being written. */
typedef struct k210b_store {
    uint8_t state;              /**< see store.c */
    uint8_t active;             /**< 0 or 1: the valid sector; K210B_NONE when there is none */
    int8_t status;              /**< of the last write */
    uint32_t sequence;
    uint8_t sector[K210B_SECTOR];
} k210b_store_t;

/** A sector on its way to flash. */
typedef struct k210b_write_buffer {
    uint16_t block;             /**< index in the transfer */
    uint8_t state;              /**< see transfer_write.c */
    uint32_t have;              /**< bit for each of at most 32 pieces that are in this buffer */
    uint32_t run;               /**< those of them that the flash is working on */
} k210b_write_buffer_t;

typedef struct k210b_transfer {
    uint8_t state;              /**< see transfer.c */
    uint8_t target, slot;
    int8_t status;              /**< why it cannot go on */
    uint8_t status_due;         /**< a transferStatus is to be sent */
    uint8_t starved;            /**< a piece found no buffer */
    uint8_t writing;            /**< index of the buffer that the flash is working on, or K210B_NONE */
    uint8_t hashing;            /**< commit: SHA-256 under way */
    uint16_t id;
    uint16_t piece_bytes;
    uint32_t address, size, pieces, blocks;
    uint32_t received;          /**< pieces */
    uint32_t first_missing;     /**< piece */
    uint32_t hashed;            /**< bytes */
    uint8_t sha256[32];
    uint8_t digest[32];         /**< computed by commit */
    k210b_sha256_t hash;
    char name[32];
    uint16_t card_length;
    uint8_t card[K210B_CARD_BYTES];
    uint8_t *memory;            /**< the buffers, or the input tensor */
    k210b_write_buffer_t buffers[K210B_WRITE_BUFFERS];
    uint8_t have[K210B_PIECES / 8 + 1];
    uint8_t erased[K210B_BLOCKS / 8];
} k210b_transfer_t;

/** A model in memory. Offsets are into the arena. */
typedef struct k210b_loaded {
    uint8_t state;              /**< see models.c */
    int8_t status;              /**< why loading failed */
    uint8_t has_input;          /**< the input tensor is complete */
    uint8_t last_infer;         /**< the outputs are those of the last infer */
    uint32_t at, bytes;         /**< its part of the arena: file, working memory, input */
    uint32_t main_at, input_at; /**< input_at 0: no room taken for it */
    uint32_t size, read;        /**< of the file */
    uint8_t sha256[32];
    k210b_model_t model;
    k210b_card_t card;
} k210b_loaded_t;

typedef struct k210b_models {
    uint8_t loading;            /**< slot, or K210B_NONE */
    k210b_sha256_t hash;
    k210b_loaded_t slots[K210B_SLOTS];
} k210b_models_t;

/** A camera picture. */
typedef struct k210b_plane {
    uint8_t state;              /**< see pipeline.c */
    uint32_t frame_id;
    uint64_t capture_us;
} k210b_plane_t;

/** What a run has found; in 1/8 pixels of the source picture. */
typedef struct k210b_found {
    uint32_t frame_id;
    uint64_t capture_us, done_us;
    uint8_t slot;
    uint8_t count;
    uint16_t dropped;
    uint8_t model_hash[8];
    uint32_t stage_us[K210B_STAGES];
    struct {
        int16_t x, y, w, h;
        uint16_t score;
        uint8_t label;
    } boxes[K210B_BOXES];
} k210b_found_t;

typedef struct k210b_pipeline {
    /* streamConfig */
    uint8_t results, slot, picture_every, quality;
    float score_threshold;
    /* capture */
    k210b_plane_t planes[K210B_PLANES];
    uint8_t capturing;          /**< plane, or K210B_NONE */
    uint8_t camera_failed;      /**< said so in the log */
    uint32_t last_frame_id;     /**< of the last result */
    uint32_t since_picture;     /**< results since the last picture */
    /* run */
    uint8_t state;
    uint8_t plane;              /**< of the run, or K210B_NONE for a transferred input */
    uint8_t run_slot;
    uint8_t for_infer;
    uint8_t channel;            /**< preprocessing: next row */
    uint16_t row;
    uint32_t idle_since_us;     /**< end of the run before */
    uint32_t stage_since_us;    /**< start of the present stage */
    k210b_image_map_t map;
    k210b_run_t run;
    k210b_found_t found;
    k210b_box_t candidates[K210B_CANDIDATES];
    /* infer requests */
    uint8_t infer_state, infer_slot, infer_source;
    int8_t infer_status;
    uint32_t infer_token, infer_since_us;
    k210b_found_t infer_found;
} k210b_pipeline_t;

/** Results and pictures on their way out. */
typedef struct k210b_stream {
    struct {
        uint32_t length;
        uint8_t payload[K210B_RESULT_BYTES];
    } results[K210B_RESULTS];
    uint8_t result_first, result_count;
    uint8_t encoding;           /**< picture buffer being filled, or K210B_NONE */
    uint8_t encode_plane;
    uint8_t sending;            /**< picture buffer being sent, or K210B_NONE */
    uint8_t ready;              /**< picture buffer waiting, or K210B_NONE */
    uint8_t fragment;
    uint32_t length[K210B_PICTURES], sent;
    k210b_jpeg_t jpeg;
} k210b_stream_t;

#endif
