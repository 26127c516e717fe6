/** Descriptor tables of the link messages. Written by scripts/generate from protocol/; do not edit. */
#include "k210b_protocol.h"

#include <stddef.h>

static const k210b_field_t model_slot_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_model_slot_t, slot), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_model_slot_t, state), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_model_slot_t, status), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_model_slot_t, size), 0, NULL },
    { K210B_FIELD_FIXED, 0, 32, offsetof(k210b_wire_model_slot_t, sha256), 0, NULL },
    { K210B_FIELD_TEXT, 1, 32, offsetof(k210b_wire_model_slot_t, name), offsetof(k210b_wire_model_slot_t, name_length), NULL },
};
const k210b_row_t k210b_row_model_slot = { model_slot_fields, 6, sizeof(k210b_wire_model_slot_t), 40 };

static const k210b_field_t box_fields[] = {
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_box_t, x), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_box_t, y), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_box_t, w), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_box_t, h), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_box_t, score), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_box_t, label), 0, NULL },
};
const k210b_row_t k210b_row_box = { box_fields, 6, sizeof(k210b_wire_box_t), 11 };

static const k210b_field_t card_output_fields[] = {
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_card_output_t, channels), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_card_output_t, height), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_card_output_t, width), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_card_output_t, type), 0, NULL },
    { K210B_FIELD_F32, 0, 0, offsetof(k210b_wire_card_output_t, scale), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_card_output_t, zero_point), 0, NULL },
};
const k210b_row_t k210b_row_card_output = { card_output_fields, 6, sizeof(k210b_wire_card_output_t), 15 };

static const k210b_field_t card_anchor_fields[] = {
    { K210B_FIELD_F32, 0, 0, offsetof(k210b_wire_card_anchor_t, w), 0, NULL },
    { K210B_FIELD_F32, 0, 0, offsetof(k210b_wire_card_anchor_t, h), 0, NULL },
};
const k210b_row_t k210b_row_card_anchor = { card_anchor_fields, 2, sizeof(k210b_wire_card_anchor_t), 8 };

static const k210b_field_t card_head_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_card_head_t, scores), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_card_head_t, boxes), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_card_head_t, stride), 0, NULL },
    { K210B_FIELD_F32, 1, 8, offsetof(k210b_wire_card_head_t, min_sizes), offsetof(k210b_wire_card_head_t, min_sizes_count), NULL },
};
const k210b_row_t k210b_row_card_head = { card_head_fields, 4, sizeof(k210b_wire_card_head_t), 5 };

static const k210b_field_t hello_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_hello_t, major), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_hello_t, minor), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_hello_t, max_payload), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_hello_t, host_nonce), 0, NULL },
};
const k210b_row_t k210b_row_hello = { hello_fields, 4, sizeof(k210b_wire_hello_t), 8 };

static const k210b_field_t hello_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_hello_answer_t, status), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_hello_answer_t, major), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_hello_answer_t, minor), 0, NULL },
    { K210B_FIELD_TEXT, 1, 64, offsetof(k210b_wire_hello_answer_t, build_id), offsetof(k210b_wire_hello_answer_t, build_id_length), NULL },
    { K210B_FIELD_TEXT, 1, 32, offsetof(k210b_wire_hello_answer_t, board), offsetof(k210b_wire_hello_answer_t, board_length), NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_hello_answer_t, boot_id), 0, NULL },
    { K210B_FIELD_U64, 0, 0, offsetof(k210b_wire_hello_answer_t, device_time_us), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_hello_answer_t, cpu_hz), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_hello_answer_t, kpu_hz), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_hello_answer_t, free_bytes), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_hello_answer_t, limit_bytes), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_hello_answer_t, kpu_ram_bytes), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_hello_answer_t, rx_ring_bytes), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_hello_answer_t, max_payload), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_hello_answer_t, kmodel_versions), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_hello_answer_t, opcodes), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_hello_answer_t, decoders), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_hello_answer_t, pipeline_length), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_hello_answer_t, slots), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_hello_answer_t, flash_id), 0, NULL },
    { K210B_FIELD_U32, 1, 16, offsetof(k210b_wire_hello_answer_t, bauds), offsetof(k210b_wire_hello_answer_t, bauds_count), NULL },
};
const k210b_row_t k210b_row_hello_answer = { hello_answer_fields, 21, sizeof(k210b_wire_hello_answer_t), 59 };

static const k210b_field_t ping_fields[] = {
    { K210B_FIELD_U64, 0, 0, offsetof(k210b_wire_ping_t, host_time_us), 0, NULL },
};
const k210b_row_t k210b_row_ping = { ping_fields, 1, sizeof(k210b_wire_ping_t), 8 };

static const k210b_field_t ping_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_ping_answer_t, status), 0, NULL },
    { K210B_FIELD_U64, 0, 0, offsetof(k210b_wire_ping_answer_t, host_time_us), 0, NULL },
    { K210B_FIELD_U64, 0, 0, offsetof(k210b_wire_ping_answer_t, device_time_us), 0, NULL },
};
const k210b_row_t k210b_row_ping_answer = { ping_answer_fields, 3, sizeof(k210b_wire_ping_answer_t), 17 };

static const k210b_field_t echo_fields[] = {
    { K210B_FIELD_BYTES, 2, 4080, offsetof(k210b_wire_echo_t, data), offsetof(k210b_wire_echo_t, data_length), NULL },
};
const k210b_row_t k210b_row_echo = { echo_fields, 1, sizeof(k210b_wire_echo_t), 2 };

static const k210b_field_t echo_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_echo_answer_t, status), 0, NULL },
    { K210B_FIELD_BYTES, 2, 4080, offsetof(k210b_wire_echo_answer_t, data), offsetof(k210b_wire_echo_answer_t, data_length), NULL },
};
const k210b_row_t k210b_row_echo_answer = { echo_answer_fields, 2, sizeof(k210b_wire_echo_answer_t), 3 };

static const k210b_field_t set_baud_fields[] = {
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_set_baud_t, baud), 0, NULL },
};
const k210b_row_t k210b_row_set_baud = { set_baud_fields, 1, sizeof(k210b_wire_set_baud_t), 4 };

static const k210b_field_t set_baud_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_set_baud_answer_t, status), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_set_baud_answer_t, baud), 0, NULL },
};
const k210b_row_t k210b_row_set_baud_answer = { set_baud_answer_fields, 2, sizeof(k210b_wire_set_baud_answer_t), 5 };

static const k210b_field_t reboot_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_reboot_t, target), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_reboot_t, token), 0, NULL },
};
const k210b_row_t k210b_row_reboot = { reboot_fields, 2, sizeof(k210b_wire_reboot_t), 5 };

static const k210b_field_t reboot_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_reboot_answer_t, status), 0, NULL },
};
const k210b_row_t k210b_row_reboot_answer = { reboot_answer_fields, 1, sizeof(k210b_wire_reboot_answer_t), 1 };

const k210b_row_t k210b_row_stats = { NULL, 0, sizeof(k210b_wire_stats_t), 0 };

static const k210b_field_t stats_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_stats_answer_t, status), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_stats_answer_t, frames_good), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_stats_answer_t, frames_bad), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_stats_answer_t, noise_bytes), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_stats_answer_t, console_bytes), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_stats_answer_t, rx_overruns), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_stats_answer_t, frames_sent), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_stats_answer_t, datagrams_dropped), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_stats_answer_t, results_sent), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_stats_answer_t, pictures_sent), 0, NULL },
};
const k210b_row_t k210b_row_stats_answer = { stats_answer_fields, 10, sizeof(k210b_wire_stats_answer_t), 37 };

static const k210b_field_t log_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_log_t, level), 0, NULL },
    { K210B_FIELD_U64, 0, 0, offsetof(k210b_wire_log_t, device_time_us), 0, NULL },
    { K210B_FIELD_TEXT, 1, 200, offsetof(k210b_wire_log_t, text), offsetof(k210b_wire_log_t, text_length), NULL },
};
const k210b_row_t k210b_row_log = { log_fields, 3, sizeof(k210b_wire_log_t), 10 };

const k210b_row_t k210b_row_model_list = { NULL, 0, sizeof(k210b_wire_model_list_t), 0 };

static const k210b_field_t model_list_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_model_list_answer_t, status), 0, NULL },
    { K210B_FIELD_RECORDS, 1, 8, offsetof(k210b_wire_model_list_answer_t, entries), offsetof(k210b_wire_model_list_answer_t, entries_count), &k210b_row_model_slot },
};
const k210b_row_t k210b_row_model_list_answer = { model_list_answer_fields, 2, sizeof(k210b_wire_model_list_answer_t), 2 };

static const k210b_field_t model_load_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_model_load_t, slot), 0, NULL },
};
const k210b_row_t k210b_row_model_load = { model_load_fields, 1, sizeof(k210b_wire_model_load_t), 1 };

static const k210b_field_t model_load_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_model_load_answer_t, status), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_model_load_answer_t, main_bytes), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_model_load_answer_t, free_bytes), 0, NULL },
};
const k210b_row_t k210b_row_model_load_answer = { model_load_answer_fields, 3, sizeof(k210b_wire_model_load_answer_t), 9 };

static const k210b_field_t model_remove_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_model_remove_t, slot), 0, NULL },
};
const k210b_row_t k210b_row_model_remove = { model_remove_fields, 1, sizeof(k210b_wire_model_remove_t), 1 };

static const k210b_field_t model_remove_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_model_remove_answer_t, status), 0, NULL },
};
const k210b_row_t k210b_row_model_remove_answer = { model_remove_answer_fields, 1, sizeof(k210b_wire_model_remove_answer_t), 1 };

static const k210b_field_t transfer_open_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_transfer_open_t, target), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_transfer_open_t, slot), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_transfer_open_t, address), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_transfer_open_t, size), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_transfer_open_t, block_bytes), 0, NULL },
    { K210B_FIELD_FIXED, 0, 32, offsetof(k210b_wire_transfer_open_t, sha256), 0, NULL },
    { K210B_FIELD_TEXT, 1, 32, offsetof(k210b_wire_transfer_open_t, name), offsetof(k210b_wire_transfer_open_t, name_length), NULL },
    { K210B_FIELD_BYTES, 2, 880, offsetof(k210b_wire_transfer_open_t, card), offsetof(k210b_wire_transfer_open_t, card_length), NULL },
};
const k210b_row_t k210b_row_transfer_open = { transfer_open_fields, 8, sizeof(k210b_wire_transfer_open_t), 47 };

static const k210b_field_t transfer_open_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_transfer_open_answer_t, status), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_transfer_open_answer_t, transfer_id), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_transfer_open_answer_t, address), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_transfer_open_answer_t, blocks), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_transfer_open_answer_t, piece_bytes), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_transfer_open_answer_t, window_bytes), 0, NULL },
};
const k210b_row_t k210b_row_transfer_open_answer = { transfer_open_answer_fields, 6, sizeof(k210b_wire_transfer_open_answer_t), 15 };

static const k210b_field_t transfer_hashes_fields[] = {
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_transfer_hashes_t, transfer_id), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_transfer_hashes_t, first), 0, NULL },
    { K210B_FIELD_U32, 1, 240, offsetof(k210b_wire_transfer_hashes_t, crc32), offsetof(k210b_wire_transfer_hashes_t, crc32_count), NULL },
};
const k210b_row_t k210b_row_transfer_hashes = { transfer_hashes_fields, 3, sizeof(k210b_wire_transfer_hashes_t), 5 };

static const k210b_field_t transfer_hashes_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_transfer_hashes_answer_t, status), 0, NULL },
    { K210B_FIELD_BYTES, 1, 30, offsetof(k210b_wire_transfer_hashes_answer_t, bitmap), offsetof(k210b_wire_transfer_hashes_answer_t, bitmap_length), NULL },
};
const k210b_row_t k210b_row_transfer_hashes_answer = { transfer_hashes_answer_fields, 2, sizeof(k210b_wire_transfer_hashes_answer_t), 2 };

static const k210b_field_t transfer_block_fields[] = {
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_transfer_block_t, transfer_id), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_transfer_block_t, offset), 0, NULL },
    { K210B_FIELD_BYTES, 2, 2048, offsetof(k210b_wire_transfer_block_t, data), offsetof(k210b_wire_transfer_block_t, data_length), NULL },
};
const k210b_row_t k210b_row_transfer_block = { transfer_block_fields, 3, sizeof(k210b_wire_transfer_block_t), 8 };

static const k210b_field_t transfer_status_fields[] = {
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_transfer_status_t, transfer_id), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_transfer_status_t, status), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_transfer_status_t, first_missing), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_transfer_status_t, received_bytes), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_transfer_status_t, bitmap_first), 0, NULL },
    { K210B_FIELD_BYTES, 1, 64, offsetof(k210b_wire_transfer_status_t, bitmap), offsetof(k210b_wire_transfer_status_t, bitmap_length), NULL },
};
const k210b_row_t k210b_row_transfer_status = { transfer_status_fields, 6, sizeof(k210b_wire_transfer_status_t), 14 };

static const k210b_field_t transfer_commit_fields[] = {
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_transfer_commit_t, transfer_id), 0, NULL },
};
const k210b_row_t k210b_row_transfer_commit = { transfer_commit_fields, 1, sizeof(k210b_wire_transfer_commit_t), 2 };

static const k210b_field_t transfer_commit_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_transfer_commit_answer_t, status), 0, NULL },
    { K210B_FIELD_FIXED, 0, 32, offsetof(k210b_wire_transfer_commit_answer_t, sha256), 0, NULL },
};
const k210b_row_t k210b_row_transfer_commit_answer = { transfer_commit_answer_fields, 2, sizeof(k210b_wire_transfer_commit_answer_t), 33 };

static const k210b_field_t transfer_abort_fields[] = {
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_transfer_abort_t, transfer_id), 0, NULL },
};
const k210b_row_t k210b_row_transfer_abort = { transfer_abort_fields, 1, sizeof(k210b_wire_transfer_abort_t), 2 };

static const k210b_field_t transfer_abort_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_transfer_abort_answer_t, status), 0, NULL },
};
const k210b_row_t k210b_row_transfer_abort_answer = { transfer_abort_answer_fields, 1, sizeof(k210b_wire_transfer_abort_answer_t), 1 };

static const k210b_field_t stream_config_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_stream_config_t, slot), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_stream_config_t, results), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_stream_config_t, picture_every), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_stream_config_t, quality), 0, NULL },
    { K210B_FIELD_F32, 0, 0, offsetof(k210b_wire_stream_config_t, score_threshold), 0, NULL },
};
const k210b_row_t k210b_row_stream_config = { stream_config_fields, 5, sizeof(k210b_wire_stream_config_t), 8 };

static const k210b_field_t stream_config_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_stream_config_answer_t, status), 0, NULL },
};
const k210b_row_t k210b_row_stream_config_answer = { stream_config_answer_fields, 1, sizeof(k210b_wire_stream_config_answer_t), 1 };

static const k210b_field_t result_fields[] = {
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_result_t, frame_id), 0, NULL },
    { K210B_FIELD_U64, 0, 0, offsetof(k210b_wire_result_t, capture_us), 0, NULL },
    { K210B_FIELD_U64, 0, 0, offsetof(k210b_wire_result_t, done_us), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_result_t, slot), 0, NULL },
    { K210B_FIELD_FIXED, 0, 8, offsetof(k210b_wire_result_t, model_hash), 0, NULL },
    { K210B_FIELD_U32, 1, 8, offsetof(k210b_wire_result_t, stage_us), offsetof(k210b_wire_result_t, stage_us_count), NULL },
    { K210B_FIELD_RECORDS, 1, 64, offsetof(k210b_wire_result_t, boxes), offsetof(k210b_wire_result_t, boxes_count), &k210b_row_box },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_result_t, dropped), 0, NULL },
};
const k210b_row_t k210b_row_result = { result_fields, 8, sizeof(k210b_wire_result_t), 33 };

static const k210b_field_t picture_fields[] = {
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_picture_t, frame_id), 0, NULL },
    { K210B_FIELD_U64, 0, 0, offsetof(k210b_wire_picture_t, capture_us), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_picture_t, width), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_picture_t, height), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_picture_t, format), 0, NULL },
    { K210B_FIELD_BYTES, 2, 65000, offsetof(k210b_wire_picture_t, data), offsetof(k210b_wire_picture_t, data_length), NULL },
};
const k210b_row_t k210b_row_picture = { picture_fields, 6, sizeof(k210b_wire_picture_t), 19 };

static const k210b_field_t infer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_infer_t, slot), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_infer_t, source), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_infer_t, token), 0, NULL },
};
const k210b_row_t k210b_row_infer = { infer_fields, 3, sizeof(k210b_wire_infer_t), 6 };

static const k210b_field_t infer_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_infer_answer_t, status), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_infer_answer_t, frame_id), 0, NULL },
    { K210B_FIELD_U64, 0, 0, offsetof(k210b_wire_infer_answer_t, capture_us), 0, NULL },
    { K210B_FIELD_U64, 0, 0, offsetof(k210b_wire_infer_answer_t, done_us), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_infer_answer_t, slot), 0, NULL },
    { K210B_FIELD_FIXED, 0, 8, offsetof(k210b_wire_infer_answer_t, model_hash), 0, NULL },
    { K210B_FIELD_U32, 1, 8, offsetof(k210b_wire_infer_answer_t, stage_us), offsetof(k210b_wire_infer_answer_t, stage_us_count), NULL },
    { K210B_FIELD_RECORDS, 1, 64, offsetof(k210b_wire_infer_answer_t, boxes), offsetof(k210b_wire_infer_answer_t, boxes_count), &k210b_row_box },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_infer_answer_t, dropped), 0, NULL },
};
const k210b_row_t k210b_row_infer_answer = { infer_answer_fields, 9, sizeof(k210b_wire_infer_answer_t), 34 };

static const k210b_field_t read_output_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_read_output_t, slot), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_read_output_t, output), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_read_output_t, offset), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_read_output_t, length), 0, NULL },
};
const k210b_row_t k210b_row_read_output = { read_output_fields, 4, sizeof(k210b_wire_read_output_t), 8 };

static const k210b_field_t read_output_answer_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_read_output_answer_t, status), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_read_output_answer_t, total), 0, NULL },
    { K210B_FIELD_BYTES, 2, 4080, offsetof(k210b_wire_read_output_answer_t, data), offsetof(k210b_wire_read_output_answer_t, data_length), NULL },
};
const k210b_row_t k210b_row_read_output_answer = { read_output_answer_fields, 3, sizeof(k210b_wire_read_output_answer_t), 7 };

static const k210b_field_t card_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_card_t, version), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_card_t, width), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_card_t, height), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_card_t, colour), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_card_t, resize), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_card_t, fill), 0, NULL },
    { K210B_FIELD_RECORDS, 1, 12, offsetof(k210b_wire_card_t, outputs), offsetof(k210b_wire_card_t, outputs_count), &k210b_row_card_output },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_card_t, decoder), 0, NULL },
    { K210B_FIELD_F32, 0, 0, offsetof(k210b_wire_card_t, score_threshold), 0, NULL },
    { K210B_FIELD_F32, 0, 0, offsetof(k210b_wire_card_t, iou_threshold), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_card_t, max_boxes), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_card_t, classes), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_card_t, stride), 0, NULL },
    { K210B_FIELD_RECORDS, 1, 16, offsetof(k210b_wire_card_t, anchors), offsetof(k210b_wire_card_t, anchors_count), &k210b_row_card_anchor },
    { K210B_FIELD_F32, 0, 0, offsetof(k210b_wire_card_t, centre_variance), 0, NULL },
    { K210B_FIELD_F32, 0, 0, offsetof(k210b_wire_card_t, size_variance), 0, NULL },
    { K210B_FIELD_RECORDS, 1, 6, offsetof(k210b_wire_card_t, heads), offsetof(k210b_wire_card_t, heads_count), &k210b_row_card_head },
};
const k210b_row_t k210b_row_card = { card_fields, 17, sizeof(k210b_wire_card_t), 33 };

static const k210b_field_t store_header_fields[] = {
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_store_header_t, magic), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_store_header_t, version), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_store_header_t, slot_count), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_store_header_t, sequence), 0, NULL },
};
const k210b_row_t k210b_row_store_header = { store_header_fields, 4, sizeof(k210b_wire_store_header_t), 12 };

static const k210b_field_t store_entry_fields[] = {
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_store_entry_t, used), 0, NULL },
    { K210B_FIELD_U8, 0, 0, offsetof(k210b_wire_store_entry_t, flags), 0, NULL },
    { K210B_FIELD_U16, 0, 0, offsetof(k210b_wire_store_entry_t, card_length), 0, NULL },
    { K210B_FIELD_FIXED, 0, 32, offsetof(k210b_wire_store_entry_t, name), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_store_entry_t, address), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_store_entry_t, size), 0, NULL },
    { K210B_FIELD_FIXED, 0, 32, offsetof(k210b_wire_store_entry_t, sha256), 0, NULL },
    { K210B_FIELD_FIXED, 0, 880, offsetof(k210b_wire_store_entry_t, card), 0, NULL },
    { K210B_FIELD_U32, 0, 0, offsetof(k210b_wire_store_entry_t, reserved), 0, NULL },
};
const k210b_row_t k210b_row_store_entry = { store_entry_fields, 9, sizeof(k210b_wire_store_entry_t), 960 };

const k210b_message_t k210b_messages[K210B_MESSAGE_COUNT] = {
    { K210B_ID_HELLO, K210B_KIND_REQUEST, &k210b_row_hello, &k210b_row_hello_answer },
    { K210B_ID_PING, K210B_KIND_REQUEST, &k210b_row_ping, &k210b_row_ping_answer },
    { K210B_ID_ECHO, K210B_KIND_REQUEST, &k210b_row_echo, &k210b_row_echo_answer },
    { K210B_ID_SET_BAUD, K210B_KIND_REQUEST, &k210b_row_set_baud, &k210b_row_set_baud_answer },
    { K210B_ID_REBOOT, K210B_KIND_REQUEST, &k210b_row_reboot, &k210b_row_reboot_answer },
    { K210B_ID_STATS, K210B_KIND_REQUEST, &k210b_row_stats, &k210b_row_stats_answer },
    { K210B_ID_LOG, K210B_KIND_DATAGRAM, &k210b_row_log, NULL },
    { K210B_ID_MODEL_LIST, K210B_KIND_REQUEST, &k210b_row_model_list, &k210b_row_model_list_answer },
    { K210B_ID_MODEL_LOAD, K210B_KIND_REQUEST, &k210b_row_model_load, &k210b_row_model_load_answer },
    { K210B_ID_MODEL_REMOVE, K210B_KIND_REQUEST, &k210b_row_model_remove, &k210b_row_model_remove_answer },
    { K210B_ID_TRANSFER_OPEN, K210B_KIND_REQUEST, &k210b_row_transfer_open, &k210b_row_transfer_open_answer },
    { K210B_ID_TRANSFER_HASHES, K210B_KIND_REQUEST, &k210b_row_transfer_hashes, &k210b_row_transfer_hashes_answer },
    { K210B_ID_TRANSFER_BLOCK, K210B_KIND_TRANSFER_BLOCK, &k210b_row_transfer_block, NULL },
    { K210B_ID_TRANSFER_STATUS, K210B_KIND_TRANSFER_STATUS, &k210b_row_transfer_status, NULL },
    { K210B_ID_TRANSFER_COMMIT, K210B_KIND_REQUEST, &k210b_row_transfer_commit, &k210b_row_transfer_commit_answer },
    { K210B_ID_TRANSFER_ABORT, K210B_KIND_REQUEST, &k210b_row_transfer_abort, &k210b_row_transfer_abort_answer },
    { K210B_ID_STREAM_CONFIG, K210B_KIND_REQUEST, &k210b_row_stream_config, &k210b_row_stream_config_answer },
    { K210B_ID_RESULT, K210B_KIND_DATAGRAM, &k210b_row_result, NULL },
    { K210B_ID_PICTURE, K210B_KIND_DATAGRAM, &k210b_row_picture, NULL },
    { K210B_ID_INFER, K210B_KIND_REQUEST, &k210b_row_infer, &k210b_row_infer_answer },
    { K210B_ID_READ_OUTPUT, K210B_KIND_REQUEST, &k210b_row_read_output, &k210b_row_read_output_answer },
};
