/** Start-up and the order of one turn; see k210b/k210b.h. */
#include "k210b/k210b.h"

#include "core.h"

enum { BOOT_BANNER = 0, BOOT_STORE, BOOT_MODEL, BOOT_DONE };

enum {
    DEFAULT_RING = 4096,
    DEFAULT_WIDTH = 320,
    DEFAULT_HEIGHT = 240,
    PICTURE_BYTES = 32 * 1024,
    BLOCK_BYTES = K210B_WRITE_BUFFERS * K210B_SECTOR,
    LEAST_MODEL_BYTES = 64 * 1024,
    PROTECTION_BITS = 0x1C,     /* status register 1 */
    COMPLEMENT_BIT = 0x4000,    /* status register 2 */
    ALIGN = 256
};

/** The firmware's share of SRAM holds code and state. */
typedef char k210b_state_fits[sizeof(k210b_t) < 96 * 1024 ? 1 : -1];

static void set_defaults(k210b_config_t *config)
{
    if (!config->build_id)
        config->build_id = "unknown";
    if (config->rx_ring_bytes == 0)
        config->rx_ring_bytes = DEFAULT_RING;
    if (config->baud == 0)
        config->baud = K210B_LINK_DEFAULT_BAUD;
    if (config->camera_width == 0)
        config->camera_width = DEFAULT_WIDTH;
    if (config->camera_height == 0)
        config->camera_height = DEFAULT_HEIGHT;
}

/** Buffers of fixed size from the end of the arena; the rest is for models. */
static int divide_arena(k210b_t *shim)
{
    uint32_t pixels = (uint32_t)shim->config.camera_width * shim->config.camera_height;
    shim->plane_bytes = (3 * pixels + ALIGN - 1) & ~(uint32_t)(ALIGN - 1);
    shim->picture_bytes = PICTURE_BYTES;
    uint32_t fixed = K210B_PLANES * shim->plane_bytes + K210B_PICTURES * PICTURE_BYTES + BLOCK_BYTES;
    uint32_t arena = shim->port->arena_bytes & ~(uint32_t)(ALIGN - 1);
    if (arena < fixed + LEAST_MODEL_BYTES)
        return K210B_ERR_NO_MEMORY;
    shim->model_bytes = arena - fixed;
    shim->planes = shim->port->arena + shim->model_bytes;
    shim->pictures = shim->planes + K210B_PLANES * shim->plane_bytes;
    shim->blocks = shim->pictures + K210B_PICTURES * PICTURE_BYTES;
    return K210B_OK;
}

int k210b_init(k210b_t *shim, const k210b_port_t *port, const k210b_config_t *config)
{
    memset(shim, 0, sizeof *shim);
    shim->port = port;
    shim->config = *config;
    set_defaults(&shim->config);
    if (divide_arena(shim) < 0)
        return K210B_ERR_NO_MEMORY;
    shim->models.loading = K210B_NONE;
    shim->transfer.writing = K210B_NONE;
    shim->transfer.id = (uint16_t)(port->boot_id * 101); /* ids of the last boot must not come again soon */
    shim->store.active = K210B_NONE;
    k210b_link_init(shim);
    k210b_pipeline_init(shim);
    k210b_stream_init(shim);
    return K210B_OK;
}

static void print_banner(k210b_t *shim)
{
    char text[128];
    uint32_t at = k210b_put_text(text, 0, sizeof text - 1, "\r\nk210-bridge shim ");
    at = k210b_put_text(text, at, sizeof text - 1, shim->config.build_id);
    at = k210b_put_text(text, at, sizeof text - 1, " boot ");
    at = k210b_put_decimal(text, at, sizeof text - 1, shim->port->boot_id);
    at = k210b_put_text(text, at, sizeof text - 1, "\r\n");
    text[at] = 0;
    k210b_console(shim, text);
}

/** With BP0..2 or CMP set the chip takes erases and programs and does nothing. isp.md 4.5 */
static void warn_of_protection(k210b_t *shim)
{
    uint32_t status = shim->port->flash_status(shim->port->ctx);
    if ((status & (PROTECTION_BITS | COMPLEMENT_BIT)) != 0)
        k210b_log(shim, K210B_LOG_WARNING, "flash is write protected, status registers ", (int32_t)(status & 0xFFFF));
}

/** Banner, directory, model of slot 0: one step a poll, requests are answered from the start. */
static void boot(k210b_t *shim)
{
    k210b_entry_t entry;
    if (shim->boot == BOOT_DONE)
        return;
    if (shim->boot == BOOT_BANNER) {
        print_banner(shim);
        shim->boot = BOOT_STORE;
    }
    if (!k210b_flash_idle(shim))
        return;
    if (shim->boot == BOOT_STORE) {
        k210b_store_open(shim);
        warn_of_protection(shim);
        if (shim->store.active == K210B_NONE)
            k210b_log(shim, K210B_LOG_INFO, "model store is empty, slots: ", K210B_SLOTS);
        shim->boot = BOOT_MODEL;
        return;
    }
    shim->boot = BOOT_DONE;
    k210b_store_entry(shim, 0, &entry);
    if (entry.used && k210b_models_load(shim, 0) < 0)
        k210b_log(shim, K210B_LOG_ERROR, "model of slot 0 does not fit: ", K210B_ERR_NO_MEMORY);
}

static void advance_clock(k210b_t *shim, uint32_t now_us)
{
    if (shim->started)
        shim->time_us += (uint32_t)(now_us - shim->now_us);
    shim->now_us = now_us;
    shim->started = 1;
}

void k210b_poll(k210b_t *shim, uint32_t now_us)
{
    advance_clock(shim, now_us);
    boot(shim);
    k210b_link_receive(shim);
    k210b_flash_poll(shim);
    k210b_store_poll(shim);
    k210b_transfer_write_poll(shim);
    k210b_models_poll(shim);
    k210b_capture_poll(shim);
    k210b_pipeline_poll(shim);
    k210b_stream_poll(shim);
    k210b_dispatch_poll(shim);
    k210b_link_send(shim);
    k210b_rate_poll(shim);
}

static int has_work_reply(const k210b_link_t *link)
{
    for (uint32_t i = 0; i < K210B_REPLIES; i++)
        if (link->replies[i].state == K210B_REPLY_WORKING)
            return 1;
    return 0;
}

int k210b_busy(const k210b_t *shim)
{
    return shim->boot != BOOT_DONE || shim->models.loading != K210B_NONE || shim->pipeline.state != 0
        || shim->stream.encoding != K210B_NONE || shim->stream.sending != K210B_NONE
        || shim->link.wire_sent < shim->link.wire_used || shim->link.after != K210B_AFTER_NOTHING
        || has_work_reply(&shim->link);
}
