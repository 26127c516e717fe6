/**
 * The shim: link, model store, kmodel runs, results and pictures behind two calls. Portable C99, no heap, no globals;
 * the board is a k210b_port_t. README.md has the structure and the memory budget.
 */
#ifndef K210B_K210B_H
#define K210B_K210B_H

#include "k210b/port.h"
#include "k210b/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a build decides. Zero in a number means its default. */
typedef struct k210b_config {
    const char *build_id;       /**< version and source hash for HELLO, at most 64 bytes */
    uint32_t rx_ring_bytes;     /**< receive ring of the port; default 4096 */
    uint32_t baud;              /**< rate that the port starts with; default 115200 */
    const uint32_t *bauds;      /**< rates to offer, rising, `baud_count` of them (at most 16) */
    uint32_t baud_count;
    uint16_t camera_width;      /**< default 320 */
    uint16_t camera_height;     /**< default 240 */
} k210b_config_t;

/** All state of the shim, about 68 KiB: the caller's memory, most easily static. */
typedef struct k210b {
    const k210b_port_t *port;
    k210b_config_t config;
    uint32_t now_us;            /**< as given to the last poll */
    uint64_t time_us;           /**< since the first poll */
    uint8_t boot;               /**< see k210b.c */
    uint8_t started;            /**< the first poll has been */
    /* parts of the arena */
    uint32_t model_bytes;       /**< from its start: models, their working memory and inputs */
    uint32_t plane_bytes;       /**< of one camera picture */
    uint32_t picture_bytes;     /**< of one picture buffer */
    uint8_t *planes, *pictures, *blocks;
    k210b_link_t link;
    k210b_log_t log;
    k210b_flash_t flash;
    k210b_store_t store;
    k210b_models_t models;
    k210b_transfer_t transfer;
    k210b_pipeline_t pipeline;
    k210b_stream_t stream;
} k210b_t;

/**
 * Prepares the shim; nothing is sent before the first poll. `port` and `config->build_id` must outlive it.
 * @return 0, or K210B_ERR_NO_MEMORY when the arena cannot hold the camera's buffers and a model
 */
int k210b_init(k210b_t *shim, const k210b_port_t *port, const k210b_config_t *config);

/** One turn of the loop: eats received bytes, starts and finishes work, never waits. now_us may wrap. */
void k210b_poll(k210b_t *shim, uint32_t now_us);

/** 1 when the next poll has work to do without anything arriving: a port that sleeps between polls does not then. */
int k210b_busy(const k210b_t *shim);

#ifdef __cplusplus
}
#endif
#endif
