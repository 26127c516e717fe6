/** One flash write at a time: erase, program page by page, read back and compare. Each wait is a state. */
#include "core.h"

enum { IDLE = 0, ERASING, PROGRAMMING, COMPARING, DONE };
enum { PAGE = 256 };

uint32_t k210b_flash_bytes(const k210b_t *shim)
{
    uint32_t log2_bytes = shim->port->flash_id(shim->port->ctx) & 0xFF;
    return log2_bytes >= 20 && log2_bytes <= 28 ? 1u << log2_bytes : 0;
}

int k210b_flash_idle(const k210b_t *shim)
{
    return shim->flash.state == IDLE && !shim->port->flash_busy(shim->port->ctx);
}

int k210b_flash_write(k210b_t *shim, uint32_t addr, const uint8_t *data, uint32_t len, uint32_t erase)
{
    k210b_flash_t *flash = &shim->flash;
    if (!k210b_flash_idle(shim))
        return K210B_ERR_BUSY;
    flash->addr = addr;
    flash->data = data;
    flash->len = len;
    flash->done = 0;
    flash->status = K210B_OK;
    flash->state = PROGRAMMING;
    if (erase == 0)
        return K210B_OK;
    flash->state = ERASING;
    if (shim->port->flash_erase(shim->port->ctx, addr - addr % erase, erase) < 0) {
        flash->state = IDLE;
        return K210B_ERR_FLASH;
    }
    return K210B_OK;
}

static void finish(k210b_flash_t *flash, int status)
{
    flash->state = DONE;
    flash->status = (int8_t)status;
}

int k210b_flash_result(k210b_t *shim)
{
    if (shim->flash.state != DONE)
        return K210B_LATER;
    shim->flash.state = IDLE;
    return shim->flash.status;
}

static int is_blank(const uint8_t *data, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        if (data[i] != 0xFF)
            return 0;
    return 1;
}

/** Starts the next page that is not blank; a page of 0xFF is right after the erase. */
static void program_next(k210b_t *shim)
{
    k210b_flash_t *flash = &shim->flash;
    while (flash->done < flash->len) {
        uint32_t addr = flash->addr + flash->done;
        const uint8_t *data = flash->data + flash->done;
        uint32_t count = k210b_min(flash->len - flash->done, PAGE - addr % PAGE);
        flash->done += count;
        if (is_blank(data, count))
            continue;
        if (shim->port->flash_program(shim->port->ctx, addr, data, count) < 0)
            finish(flash, K210B_ERR_FLASH);
        return;
    }
    flash->done = 0;
    flash->state = COMPARING;
}

/** Protection bits make the chip ignore writes without a word: only reading back shows it. isp.md 4.5. */
static void compare(k210b_t *shim)
{
    uint8_t page[PAGE];
    k210b_flash_t *flash = &shim->flash;
    for (; flash->done < flash->len; flash->done += k210b_min(PAGE, flash->len - flash->done)) {
        uint32_t count = k210b_min(PAGE, flash->len - flash->done);
        if (shim->port->flash_read(shim->port->ctx, flash->addr + flash->done, page, count) < 0
            || memcmp(page, flash->data + flash->done, count) != 0) {
            finish(flash, K210B_ERR_FLASH);
            return;
        }
    }
    finish(flash, K210B_OK);
}

void k210b_flash_poll(k210b_t *shim)
{
    k210b_flash_t *flash = &shim->flash;
    if (flash->state == IDLE || flash->state == DONE || shim->port->flash_busy(shim->port->ctx))
        return;
    if (flash->state == ERASING)
        flash->state = PROGRAMMING;
    if (flash->state == PROGRAMMING)
        program_next(shim);
    if (flash->state == COMPARING)
        compare(shim);
}
