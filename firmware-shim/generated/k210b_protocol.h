/** Messages, limits and codes of the link. Written by scripts/generate from protocol/; do not edit. */
#ifndef K210B_PROTOCOL_H
#define K210B_PROTOCOL_H

#include <stdint.h>

#include "../include/k210b/codec.h"

#define K210B_VERSION_MAJOR 1u
#define K210B_VERSION_MINOR 0u
#define K210B_FRAME_HEADER_BYTES 8u
#define K210B_FRAME_CRC_BYTES 4u
#define K210B_FRAME_DELIMITER 0u
#define K210B_FRAME_BUDGET_UNIT_BYTES 16u
#define K210B_FRAME_LAST_FRAGMENT 128u
#define K210B_FRAME_MAX_FRAGMENTS 128u
#define K210B_PAYLOAD_MIN_BYTES 0x100u
#define K210B_PAYLOAD_DEFAULT_BYTES 0x400u
#define K210B_PAYLOAD_WISHED_BYTES 0x410u
#define K210B_PAYLOAD_MAX_BYTES 0x1000u
#define K210B_LINK_DEFAULT_BAUD 0x1C200u
#define K210B_LINK_BAUD_REVERT_MS 0x1F4u
#define K210B_TRANSFER_BLOCK_BYTES 0x1000u
#define K210B_TRANSFER_MAX_PIECE_BYTES 0x800u
#define K210B_TRANSFER_MAX_HASHES 240u
#define K210B_TRANSFER_MAX_BITMAP_BYTES 64u
#define K210B_MODEL_SLOTS 4u
#define K210B_MODEL_NAME_BYTES 32u
#define K210B_MODEL_CARD_BYTES 0x370u
#define K210B_FLASH_FIRMWARE 0u
#define K210B_FLASH_FIRMWARE_END 0x200000u
#define K210B_FLASH_STORE_DIRECTORY_A 0x200000u
#define K210B_FLASH_STORE_DIRECTORY_B 0x201000u
#define K210B_FLASH_STORE_MODELS 0x210000u
#define K210B_FLASH_STORE_END 0xD00000u
#define K210B_FLASH_SECTOR_BYTES 0x1000u
#define K210B_FLASH_BLOCK_BYTES 0x10000u
#define K210B_STORE_MAGIC 0x5344324Bu
#define K210B_STORE_VERSION 1u
#define K210B_STORE_HEADER_BYTES 12u
#define K210B_STORE_ENTRY_BYTES 0x3C0u
#define K210B_STORE_CRC_OFFSET 0xFFCu

enum {
    K210B_KIND_REQUEST = 0,
    K210B_KIND_RESPONSE = 1,
    K210B_KIND_DATAGRAM = 2,
    K210B_KIND_TRANSFER_BLOCK = 3,
    K210B_KIND_TRANSFER_STATUS = 4
};

enum {
    K210B_ID_HELLO = 1,
    K210B_ID_PING = 2,
    K210B_ID_ECHO = 3,
    K210B_ID_SET_BAUD = 4,
    K210B_ID_REBOOT = 5,
    K210B_ID_STATS = 6,
    K210B_ID_LOG = 7,
    K210B_ID_MODEL_LIST = 16,
    K210B_ID_MODEL_LOAD = 17,
    K210B_ID_MODEL_REMOVE = 18,
    K210B_ID_TRANSFER_OPEN = 32,
    K210B_ID_TRANSFER_HASHES = 33,
    K210B_ID_TRANSFER_BLOCK = 34,
    K210B_ID_TRANSFER_STATUS = 35,
    K210B_ID_TRANSFER_COMMIT = 36,
    K210B_ID_TRANSFER_ABORT = 37,
    K210B_ID_STREAM_CONFIG = 48,
    K210B_ID_RESULT = 49,
    K210B_ID_PICTURE = 50,
    K210B_ID_INFER = 51,
    K210B_ID_READ_OUTPUT = 52
};

enum {
    K210B_STATUS_OK = 0,
    K210B_STATUS_BAD_REQUEST = 1,
    K210B_STATUS_UNKNOWN_MESSAGE = 2,
    K210B_STATUS_VERSION = 3,
    K210B_STATUS_RANGE = 4,
    K210B_STATUS_NO_MEMORY = 5,
    K210B_STATUS_BUSY = 6,
    K210B_STATUS_NOT_FOUND = 7,
    K210B_STATUS_HASH = 8,
    K210B_STATUS_FLASH = 9,
    K210B_STATUS_MODEL_FORMAT = 10,
    K210B_STATUS_MODEL_VERSION = 11,
    K210B_STATUS_MODEL_UNSUPPORTED = 12,
    K210B_STATUS_SPACE = 13,
    K210B_STATUS_STATE = 14,
    K210B_STATUS_KPU = 15,
    K210B_STATUS_INTERNAL = 16
};

enum {
    K210B_SLOT_EMPTY = 0,
    K210B_SLOT_STORED = 1,
    K210B_SLOT_LOADED = 2,
    K210B_SLOT_FAILED = 3
};

enum {
    K210B_TARGET_MODEL_SLOT = 0,
    K210B_TARGET_INPUT = 1,
    K210B_TARGET_FLASH = 2
};

enum {
    K210B_SOURCE_CAMERA = 0,
    K210B_SOURCE_INPUT = 1
};

enum {
    K210B_PICTURE_JPEG = 1
};

enum {
    K210B_CARD_COLOUR_RGB = 0,
    K210B_CARD_COLOUR_BGR = 1,
    K210B_CARD_COLOUR_GREY = 2
};

enum {
    K210B_CARD_RESIZE_LETTERBOX = 0,
    K210B_CARD_RESIZE_STRETCH = 1,
    K210B_CARD_RESIZE_CROP = 2
};

enum {
    K210B_CARD_DECODER_NONE = 0,
    K210B_CARD_DECODER_SSD = 1,
    K210B_CARD_DECODER_YOLOV2 = 2
};

enum {
    K210B_CARD_TYPE_UINT8 = 0,
    K210B_CARD_TYPE_INT8 = 1,
    K210B_CARD_TYPE_INT16 = 2,
    K210B_CARD_TYPE_INT32 = 3,
    K210B_CARD_TYPE_FLOAT32 = 4
};

typedef struct k210b_wire_model_slot {
    uint8_t slot; /**< Slot number. */
    uint8_t state; /**< 0 empty, 1 stored, 2 loaded, 3 failed to load. */
    uint8_t status; /**< Why it failed, else 0. */
    uint32_t size; /**< Bytes of the kmodel. */
    uint8_t sha256[32]; /**< SHA-256 of the kmodel. */
    const char *name; /**< Name given on transfer. */
    uint16_t name_length;
} k210b_wire_model_slot_t;

typedef struct k210b_wire_box {
    int16_t x; /**< Left edge, 1/8 pixel. */
    int16_t y; /**< Top edge, 1/8 pixel. */
    int16_t w; /**< Width, 1/8 pixel. */
    int16_t h; /**< Height, 1/8 pixel. */
    uint16_t score; /**< Score * 65535. */
    uint8_t label; /**< Class index. */
} k210b_wire_box_t;

typedef struct k210b_wire_card_output {
    uint16_t channels; /**< Channels. */
    uint16_t height; /**< Rows; 1 where there is no map. */
    uint16_t width; /**< Columns; 1 where there is no map. */
    uint8_t type; /**< 0 uint8, 1 int8, 2 int16, 3 int32, 4 float32. */
    float scale; /**< real = (code - zeroPoint) * scale. */
    int32_t zero_point; /**< See scale. */
} k210b_wire_card_output_t;

typedef struct k210b_wire_card_anchor {
    float w; /**< Width in cells. */
    float h; /**< Height in cells. */
} k210b_wire_card_anchor_t;

typedef struct k210b_wire_card_head {
    uint8_t scores; /**< Output index of the scores. */
    uint8_t boxes; /**< Output index of the boxes. */
    uint16_t stride; /**< Pixels per cell. */
    float min_sizes[8]; /**< Prior sizes in pixels. */
    uint16_t min_sizes_count;
} k210b_wire_card_head_t;

/** Opens a session with the epoch of this frame; the answer says what the board is and can do. */
typedef struct k210b_wire_hello {
    uint8_t major; /**< Major version of the host. */
    uint8_t minor; /**< Minor version of the host. */
    uint16_t max_payload; /**< Largest payload that the host takes and would like to send, 256..4096 bytes. */
    uint32_t host_nonce; /**< Random; tells two hosts apart in logs. */
} k210b_wire_hello_t;

/** Answer to hello. */
typedef struct k210b_wire_hello_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
    uint8_t major; /**< Major version of the firmware. */
    uint8_t minor; /**< Minor version of the firmware. */
    const char *build_id; /**< Build of the firmware. */
    uint16_t build_id_length;
    const char *board; /**< Board name. */
    uint16_t board_length;
    uint32_t boot_id; /**< Differs from boot to boot. */
    uint64_t device_time_us; /**< Microseconds since boot. */
    uint32_t cpu_hz; /**< CPU clock. */
    uint32_t kpu_hz; /**< KPU clock. */
    uint32_t free_bytes; /**< Memory free for models, working memory and inputs right now. */
    uint32_t limit_bytes; /**< The same with nothing loaded. */
    uint32_t kpu_ram_bytes; /**< KPU RAM. */
    uint32_t rx_ring_bytes; /**< Receive ring: never have more unanswered bytes than this on the way. */
    uint16_t max_payload; /**< Payload limit of this session: the smaller of both wishes. */
    uint8_t kmodel_versions; /**< Bit n = kmodel version n. */
    uint32_t opcodes; /**< Bit n = kmodel v4 layer opcode n (below 31); bit 31 = KPU layers. */
    uint32_t decoders; /**< Bit n = decoder kind n of the binary card. */
    uint8_t pipeline_length; /**< Pictures under way at once in the capture pipeline. */
    uint8_t slots; /**< Model slots. */
    uint32_t flash_id; /**< JEDEC id: maker << 16 | type << 8 | log2 of the size. */
    uint32_t bauds[16]; /**< Line rates worth trying, rising. */
    uint16_t bauds_count;
} k210b_wire_hello_answer_t;

/** Measures the round trip and the offset of the clocks; also proof of life. */
typedef struct k210b_wire_ping {
    uint64_t host_time_us; /**< Comes back untouched. */
} k210b_wire_ping_t;

/** Answer to ping. */
typedef struct k210b_wire_ping_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
    uint64_t host_time_us; /**< As sent. */
    uint64_t device_time_us; /**< Microseconds since boot when the answer was made. */
} k210b_wire_ping_answer_t;

/** Sends the bytes back. */
typedef struct k210b_wire_echo {
    const uint8_t *data; /**< Any bytes. */
    uint16_t data_length;
} k210b_wire_echo_t;

/** Answer to echo. */
typedef struct k210b_wire_echo_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
    const uint8_t *data; /**< The same bytes. */
    uint16_t data_length;
} k210b_wire_echo_answer_t;

/** Answered at the old rate; the board switches when that answer has left, and goes back to the old rate when no valid frame arrives within 500 ms. */
typedef struct k210b_wire_set_baud {
    uint32_t baud; /**< Wanted rate. */
} k210b_wire_set_baud_t;

/** Answer to setBaud. */
typedef struct k210b_wire_set_baud_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
    uint32_t baud; /**< Rate that will be set: the nearest one possible. */
} k210b_wire_set_baud_answer_t;

/** Restarts once the answer has left the wire. */
typedef struct k210b_wire_reboot {
    uint8_t target; /**< 0 = firmware, 1 = boot ROM (ISP). */
    uint32_t token; /**< The same token does not restart twice. */
} k210b_wire_reboot_t;

/** Answer to reboot. */
typedef struct k210b_wire_reboot_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
} k210b_wire_reboot_answer_t;

/** Counters since boot. */
typedef struct k210b_wire_stats {
    uint8_t none; /**< no fields */
} k210b_wire_stats_t;

/** Answer to stats. */
typedef struct k210b_wire_stats_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
    uint32_t frames_good; /**< Valid frames received. */
    uint32_t frames_bad; /**< Segments that looked like frames but were damaged. */
    uint32_t noise_bytes; /**< Bytes outside valid frames. */
    uint32_t console_bytes; /**< Bytes of console text sent. */
    uint32_t rx_overruns; /**< Bytes lost because the receive ring was full. */
    uint32_t frames_sent; /**< Frames sent. */
    uint32_t datagrams_dropped; /**< Datagrams that a newer one replaced before they left. */
    uint32_t results_sent; /**< Results sent. */
    uint32_t pictures_sent; /**< Pictures sent. */
} k210b_wire_stats_answer_t;

/** A line of the log. */
typedef struct k210b_wire_log {
    uint8_t level; /**< 0 debug, 1 information, 2 warning, 3 error. */
    uint64_t device_time_us; /**< Microseconds since boot. */
    const char *text; /**< The line, without end of line. */
    uint16_t text_length;
} k210b_wire_log_t;

/** Lists the model slots, empty ones included. */
typedef struct k210b_wire_model_list {
    uint8_t none; /**< no fields */
} k210b_wire_model_list_t;

/** Answer to modelList. */
typedef struct k210b_wire_model_list_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
    k210b_wire_model_slot_t entries[8]; /**< All slots. */
    uint16_t entries_count;
} k210b_wire_model_list_answer_t;

/** Reads a stored model into memory; loading a loaded model does nothing. */
typedef struct k210b_wire_model_load {
    uint8_t slot; /**< Slot number. */
} k210b_wire_model_load_t;

/** Answer to modelLoad. */
typedef struct k210b_wire_model_load_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
    uint32_t main_bytes; /**< Working memory of the model. */
    uint32_t free_bytes; /**< Memory left. */
} k210b_wire_model_load_answer_t;

/** Unloads the model and frees its slot; an empty slot is no error. */
typedef struct k210b_wire_model_remove {
    uint8_t slot; /**< Slot number. */
} k210b_wire_model_remove_t;

/** Answer to modelRemove. */
typedef struct k210b_wire_model_remove_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
} k210b_wire_model_remove_answer_t;

/** Announces a transfer. Opening what is open already (same target, slot, size and SHA-256) resumes it: same id, pieces kept. Anything else ends the open transfer. */
typedef struct k210b_wire_transfer_open {
    uint8_t target; /**< 0 model slot, 1 input tensor of the loaded model in the slot, 2 raw flash. */
    uint8_t slot; /**< Slot; 0 for raw flash. */
    uint32_t address; /**< Raw flash only: first byte, multiple of 4096. */
    uint32_t size; /**< Bytes to come, at least 1. */
    uint16_t block_bytes; /**< Bytes that one hash covers: 4096. */
    uint8_t sha256[32]; /**< SHA-256 of all bytes. */
    const char *name; /**< Model name. */
    uint16_t name_length;
    const uint8_t *card; /**< Binary card of the model. */
    uint16_t card_length;
} k210b_wire_transfer_open_t;

/** Answer to transferOpen. */
typedef struct k210b_wire_transfer_open_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
    uint16_t transfer_id; /**< Names the transfer from now on. */
    uint32_t address; /**< Flash address of the first byte; 0 for an input. */
    uint16_t blocks; /**< Blocks, rounded up. */
    uint16_t piece_bytes; /**< Bytes of one transferBlock: a power of two that divides the block and fits the payload. */
    uint32_t window_bytes; /**< Bytes of pieces that may be unacknowledged, at least two pieces. */
} k210b_wire_transfer_open_answer_t;

/** Compares blocks with what the target holds; equal ones count as received. */
typedef struct k210b_wire_transfer_hashes {
    uint16_t transfer_id; /**< From transferOpen. */
    uint16_t first; /**< Block of the first hash. */
    uint32_t crc32[240]; /**< CRC-32 of each block; the last block is short. */
    uint16_t crc32_count;
} k210b_wire_transfer_hashes_t;

/** Answer to transferHashes. */
typedef struct k210b_wire_transfer_hashes_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
    const uint8_t *bitmap; /**< Bit i (LSB first) = block first + i is there. */
    uint16_t bitmap_length;
} k210b_wire_transfer_hashes_answer_t;

/** One piece. Always answered by a transferStatus (which may answer several), also when it was there already. */
typedef struct k210b_wire_transfer_block {
    uint16_t transfer_id; /**< From transferOpen. */
    uint32_t offset; /**< Multiple of pieceBytes. */
    const uint8_t *data; /**< pieceBytes bytes, fewer in the last piece. */
    uint16_t data_length;
} k210b_wire_transfer_block_t;

/** Acknowledges pieces. A set bit means accepted, not yet in flash; commit waits for the flash. */
typedef struct k210b_wire_transfer_status {
    uint16_t transfer_id; /**< From transferOpen. */
    uint8_t status; /**< 0, or why the transfer cannot go on. */
    uint32_t first_missing; /**< Offset of the first piece not received; the size when nothing is missing. */
    uint32_t received_bytes; /**< Bytes of all pieces accepted or found in place. */
    uint16_t bitmap_first; /**< Piece of the first bit: the one at firstMissing. */
    const uint8_t *bitmap; /**< Bit i (LSB first) = piece bitmapFirst + i is received. */
    uint16_t bitmap_length;
} k210b_wire_transfer_status_t;

/** Waits for the flash, checks the SHA-256 of what the target now holds and makes it valid. BUSY = not ready, ask again. Repeating a commit gives the same answer. */
typedef struct k210b_wire_transfer_commit {
    uint16_t transfer_id; /**< From transferOpen. */
} k210b_wire_transfer_commit_t;

/** Answer to transferCommit. */
typedef struct k210b_wire_transfer_commit_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
    uint8_t sha256[32]; /**< SHA-256 computed on the board. */
} k210b_wire_transfer_commit_answer_t;

/** Frees the buffers; what is in flash stays and is found by the next transferHashes. */
typedef struct k210b_wire_transfer_abort {
    uint16_t transfer_id; /**< From transferOpen. */
} k210b_wire_transfer_abort_t;

/** Answer to transferAbort. */
typedef struct k210b_wire_transfer_abort_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
} k210b_wire_transfer_abort_answer_t;

/** Starts or stops the pipeline capture, infer, result, picture. */
typedef struct k210b_wire_stream_config {
    uint8_t slot; /**< Loaded model. */
    uint8_t results; /**< 1 = send results. */
    uint8_t picture_every; /**< Send the picture of every n-th result; 0 = none. */
    uint8_t quality; /**< JPEG quality 1..100. */
    float score_threshold; /**< Replaces the threshold of the card; 0 = as in the card. */
} k210b_wire_stream_config_t;

/** Answer to streamConfig. */
typedef struct k210b_wire_stream_config_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
} k210b_wire_stream_config_answer_t;

/** Boxes of one camera frame. */
typedef struct k210b_wire_result {
    uint32_t frame_id; /**< Camera frame, rising. */
    uint64_t capture_us; /**< Device time when the picture was complete. */
    uint64_t done_us; /**< Device time when the boxes were complete. */
    uint8_t slot; /**< Model slot. */
    uint8_t model_hash[8]; /**< First 8 bytes of the SHA-256 of the kmodel. */
    uint32_t stage_us[8]; /**< Microseconds of: capture wait, preprocessing, layers, decoding. */
    uint16_t stage_us_count;
    k210b_wire_box_t boxes[64]; /**< By falling score. */
    uint16_t boxes_count;
    uint16_t dropped; /**< Camera frames skipped since the previous result. */
} k210b_wire_result_t;

/** One camera picture, in as many fragments as it takes. */
typedef struct k210b_wire_picture {
    uint32_t frame_id; /**< The result with this frame id belongs to it. */
    uint64_t capture_us; /**< Device time when the picture was complete. */
    uint16_t width; /**< Pixels. */
    uint16_t height; /**< Pixels. */
    uint8_t format; /**< 1 = JPEG. */
    const uint8_t *data; /**< The encoded picture. */
    uint16_t data_length;
} k210b_wire_picture_t;

/** One run; the same token gets the same answer again without a second run. */
typedef struct k210b_wire_infer {
    uint8_t slot; /**< Loaded model. */
    uint8_t source; /**< 0 camera, 1 the transferred input. */
    uint32_t token; /**< Makes the request repeatable. */
} k210b_wire_infer_t;

/** Answer to infer. */
typedef struct k210b_wire_infer_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
    uint32_t frame_id; /**< Camera frame, rising. */
    uint64_t capture_us; /**< Device time when the picture was complete. */
    uint64_t done_us; /**< Device time when the boxes were complete. */
    uint8_t slot; /**< Model slot. */
    uint8_t model_hash[8]; /**< First 8 bytes of the SHA-256 of the kmodel. */
    uint32_t stage_us[8]; /**< Microseconds of: capture wait, preprocessing, layers, decoding. */
    uint16_t stage_us_count;
    k210b_wire_box_t boxes[64]; /**< By falling score. */
    uint16_t boxes_count;
    uint16_t dropped; /**< Camera frames skipped since the previous result. */
} k210b_wire_infer_answer_t;

/** Bytes of one output of the last infer, dense NCHW of the output type. */
typedef struct k210b_wire_read_output {
    uint8_t slot; /**< Loaded model. */
    uint8_t output; /**< Output index. */
    uint32_t offset; /**< First byte. */
    uint16_t length; /**< Bytes wanted; the answer holds fewer when the payload or the output ends. */
} k210b_wire_read_output_t;

/** Answer to readOutput. */
typedef struct k210b_wire_read_output_answer {
    uint8_t status; /**< Status code, 0 = OK. An answer with another status may end here. */
    uint32_t total; /**< Bytes of the whole output. */
    const uint8_t *data; /**< From offset on. */
    uint16_t data_length;
} k210b_wire_read_output_answer_t;

/** Binary model card, at most 880 bytes. */
typedef struct k210b_wire_card {
    uint8_t version; /**< 1. */
    uint16_t width; /**< Input width. */
    uint16_t height; /**< Input height. */
    uint8_t colour; /**< 0 rgb, 1 bgr, 2 grey. */
    uint8_t resize; /**< 0 letterbox at the top left, 1 stretch, 2 crop. */
    uint8_t fill; /**< Pixel value of the letterbox border. */
    k210b_wire_card_output_t outputs[12]; /**< In kmodel order. */
    uint16_t outputs_count;
    uint8_t decoder; /**< 0 none, 1 ssd, 2 yolov2. */
    float score_threshold; /**< Boxes below are dropped. */
    float iou_threshold; /**< A box that overlaps a better one by more is dropped. */
    uint16_t max_boxes; /**< Most boxes in a result. */
    uint8_t classes; /**< Classes; for yolov2 0 = objectness only. */
    uint16_t stride; /**< yolov2: pixels per cell. */
    k210b_wire_card_anchor_t anchors[16]; /**< yolov2: anchors. */
    uint16_t anchors_count;
    float centre_variance; /**< ssd: variance of the centre. */
    float size_variance; /**< ssd: variance of the size. */
    k210b_wire_card_head_t heads[6]; /**< ssd: scales, finest first. */
    uint16_t heads_count;
} k210b_wire_card_t;

/** First 12 bytes of a directory sector. */
typedef struct k210b_wire_store_header {
    uint32_t magic; /**< 'K2DS' = 0x5344324B. */
    uint16_t version; /**< 1. */
    uint16_t slot_count; /**< Entries that follow: 4. */
    uint32_t sequence; /**< Rises with every write. */
} k210b_wire_store_header_t;

/** One slot of the directory, 960 bytes. */
typedef struct k210b_wire_store_entry {
    uint8_t used; /**< 1 = a model is stored. */
    uint8_t flags; /**< 0. */
    uint16_t card_length; /**< Bytes of the binary card. */
    char name[32]; /**< Model name. */
    uint32_t address; /**< Flash address of the kmodel, multiple of 64 KiB. */
    uint32_t size; /**< Bytes of the kmodel. */
    uint8_t sha256[32]; /**< SHA-256 of the kmodel. */
    uint8_t card[880]; /**< Binary card, zero padded. */
    uint32_t reserved; /**< 0. */
} k210b_wire_store_entry_t;

/* Encoded size with every list, text and byte string empty. */
#define K210B_HELLO_MIN_BYTES 8u
#define K210B_HELLO_ANSWER_MIN_BYTES 59u
#define K210B_PING_MIN_BYTES 8u
#define K210B_PING_ANSWER_MIN_BYTES 17u
#define K210B_ECHO_MIN_BYTES 2u
#define K210B_ECHO_ANSWER_MIN_BYTES 3u
#define K210B_SET_BAUD_MIN_BYTES 4u
#define K210B_SET_BAUD_ANSWER_MIN_BYTES 5u
#define K210B_REBOOT_MIN_BYTES 5u
#define K210B_REBOOT_ANSWER_MIN_BYTES 1u
#define K210B_STATS_MIN_BYTES 0u
#define K210B_STATS_ANSWER_MIN_BYTES 37u
#define K210B_LOG_MIN_BYTES 10u
#define K210B_MODEL_LIST_MIN_BYTES 0u
#define K210B_MODEL_LIST_ANSWER_MIN_BYTES 2u
#define K210B_MODEL_LOAD_MIN_BYTES 1u
#define K210B_MODEL_LOAD_ANSWER_MIN_BYTES 9u
#define K210B_MODEL_REMOVE_MIN_BYTES 1u
#define K210B_MODEL_REMOVE_ANSWER_MIN_BYTES 1u
#define K210B_TRANSFER_OPEN_MIN_BYTES 47u
#define K210B_TRANSFER_OPEN_ANSWER_MIN_BYTES 15u
#define K210B_TRANSFER_HASHES_MIN_BYTES 5u
#define K210B_TRANSFER_HASHES_ANSWER_MIN_BYTES 2u
#define K210B_TRANSFER_BLOCK_MIN_BYTES 8u
#define K210B_TRANSFER_STATUS_MIN_BYTES 14u
#define K210B_TRANSFER_COMMIT_MIN_BYTES 2u
#define K210B_TRANSFER_COMMIT_ANSWER_MIN_BYTES 33u
#define K210B_TRANSFER_ABORT_MIN_BYTES 2u
#define K210B_TRANSFER_ABORT_ANSWER_MIN_BYTES 1u
#define K210B_STREAM_CONFIG_MIN_BYTES 8u
#define K210B_STREAM_CONFIG_ANSWER_MIN_BYTES 1u
#define K210B_RESULT_MIN_BYTES 33u
#define K210B_PICTURE_MIN_BYTES 19u
#define K210B_INFER_MIN_BYTES 6u
#define K210B_INFER_ANSWER_MIN_BYTES 34u
#define K210B_READ_OUTPUT_MIN_BYTES 8u
#define K210B_READ_OUTPUT_ANSWER_MIN_BYTES 7u
#define K210B_CARD_MIN_BYTES 33u
#define K210B_STORE_HEADER_MIN_BYTES 12u
#define K210B_STORE_ENTRY_MIN_BYTES 960u

extern const k210b_row_t k210b_row_model_slot;
extern const k210b_row_t k210b_row_box;
extern const k210b_row_t k210b_row_card_output;
extern const k210b_row_t k210b_row_card_anchor;
extern const k210b_row_t k210b_row_card_head;
extern const k210b_row_t k210b_row_hello;
extern const k210b_row_t k210b_row_hello_answer;
extern const k210b_row_t k210b_row_ping;
extern const k210b_row_t k210b_row_ping_answer;
extern const k210b_row_t k210b_row_echo;
extern const k210b_row_t k210b_row_echo_answer;
extern const k210b_row_t k210b_row_set_baud;
extern const k210b_row_t k210b_row_set_baud_answer;
extern const k210b_row_t k210b_row_reboot;
extern const k210b_row_t k210b_row_reboot_answer;
extern const k210b_row_t k210b_row_stats;
extern const k210b_row_t k210b_row_stats_answer;
extern const k210b_row_t k210b_row_log;
extern const k210b_row_t k210b_row_model_list;
extern const k210b_row_t k210b_row_model_list_answer;
extern const k210b_row_t k210b_row_model_load;
extern const k210b_row_t k210b_row_model_load_answer;
extern const k210b_row_t k210b_row_model_remove;
extern const k210b_row_t k210b_row_model_remove_answer;
extern const k210b_row_t k210b_row_transfer_open;
extern const k210b_row_t k210b_row_transfer_open_answer;
extern const k210b_row_t k210b_row_transfer_hashes;
extern const k210b_row_t k210b_row_transfer_hashes_answer;
extern const k210b_row_t k210b_row_transfer_block;
extern const k210b_row_t k210b_row_transfer_status;
extern const k210b_row_t k210b_row_transfer_commit;
extern const k210b_row_t k210b_row_transfer_commit_answer;
extern const k210b_row_t k210b_row_transfer_abort;
extern const k210b_row_t k210b_row_transfer_abort_answer;
extern const k210b_row_t k210b_row_stream_config;
extern const k210b_row_t k210b_row_stream_config_answer;
extern const k210b_row_t k210b_row_result;
extern const k210b_row_t k210b_row_picture;
extern const k210b_row_t k210b_row_infer;
extern const k210b_row_t k210b_row_infer_answer;
extern const k210b_row_t k210b_row_read_output;
extern const k210b_row_t k210b_row_read_output_answer;
extern const k210b_row_t k210b_row_card;
extern const k210b_row_t k210b_row_store_header;
extern const k210b_row_t k210b_row_store_entry;

/** All messages by rising id. */
#define K210B_MESSAGE_COUNT 21u
extern const k210b_message_t k210b_messages[K210B_MESSAGE_COUNT];

#endif
