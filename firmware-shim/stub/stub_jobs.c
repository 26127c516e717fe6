/** Work that takes many turns: erase, classic write, hashes. */
#include "k210b/crc32.h"
#include "k210b/mem.h"
#include "stub_internal.h"

static int finish(k210b_stub_t *stub, uint8_t op, uint8_t result)
{
    stub->job.kind = K210B_STUB_IDLE;
    stub->last_valid_us = stub->now_us;
    k210b_stub_reply(stub, op, result);
    return 0;
}

static int step_erase(k210b_stub_t *stub)
{
    k210b_stub_job_t *job = &stub->job;
    if (job->at == job->end)
        return finish(stub, K210B_ISP_FLASH_ERASE, K210B_ISP_RESULT_OK);
    int large = job->at % K210B_STUB_UNIT == 0 && job->end - job->at >= K210B_STUB_UNIT;
    uint32_t size = large ? K210B_STUB_UNIT : K210B_STUB_SECTOR;
    if (stub->port->flash_erase(stub->port->ctx, job->at, size) < 0)
        return finish(stub, K210B_ISP_FLASH_ERASE, K210B_ISP_RESULT_EXECUTION);
    job->at += size;
    return 1;
}

/** Erases the one unit that is written, then programs page by page. */
static int step_write(k210b_stub_t *stub)
{
    k210b_stub_job_t *job = &stub->job;
    const uint8_t *data = stub->rx.frame + K210B_STUB_HEADER;
    if (job->erased_to != job->end) {
        if (stub->port->flash_erase(stub->port->ctx, job->start, job->end - job->start) < 0)
            return finish(stub, K210B_ISP_FLASH_WRITE, K210B_ISP_RESULT_EXECUTION);
        job->erased_to = job->end;
        return 1;
    }
    int started = 0;
    while (started == 0 && job->at < job->end) {
        started = k210b_stub_program_page(stub, job->at, data + (job->at - job->start));
        job->at += K210B_STUB_PAGE;
    }
    if (started < 0)
        return finish(stub, K210B_ISP_FLASH_WRITE, K210B_ISP_RESULT_EXECUTION);
    if (started == 0) {
        stub->rx.length = 0; /* what the frame held is used up */
        return finish(stub, K210B_ISP_FLASH_WRITE, K210B_ISP_RESULT_OK);
    }
    return 1;
}

/** Reads the next sector or its part into the scratch buffer, after the header; returns its bytes, 0 on failure. */
static uint32_t read_next(k210b_stub_t *stub)
{
    k210b_stub_job_t *job = &stub->job;
    uint32_t left = job->end - job->at;
    uint32_t take = left < K210B_STUB_SECTOR ? left : K210B_STUB_SECTOR;
    if (stub->port->flash_read(stub->port->ctx, job->at, stub->scratch + K210B_STUB_HEADER, take) < 0)
        return 0;
    job->at += take;
    return take;
}

static int finish_hash(k210b_stub_t *stub, uint8_t op, uint8_t result, uint32_t data_bytes)
{
    stub->job.kind = K210B_STUB_IDLE;
    stub->last_valid_us = stub->now_us;
    k210b_stub_reply_packet(stub, op, stub->job.tag, result, stub->scratch, data_bytes);
    return 0;
}

static int step_hash_sectors(k210b_stub_t *stub)
{
    k210b_stub_job_t *job = &stub->job;
    uint8_t *data = stub->scratch + K210B_STUB_HEADER;
    if (job->at == job->end) {
        uint32_t bytes = (job->end - job->start) / K210B_STUB_SECTOR * 4;
        memcpy(data, job->crcs, bytes);
        return finish_hash(stub, K210B_ISP_HASH_SECTORS, K210B_ISP_RESULT_OK, bytes);
    }
    uint32_t index = (job->at - job->start) / K210B_STUB_SECTOR;
    uint32_t bytes = read_next(stub);
    if (bytes == 0)
        return finish_hash(stub, K210B_ISP_HASH_SECTORS, K210B_ISP_RESULT_EXECUTION, 0);
    k210b_put32(job->crcs + 4 * index, k210b_crc32(0, data, bytes));
    return 1;
}

static int step_hash_range(k210b_stub_t *stub)
{
    k210b_stub_job_t *job = &stub->job;
    uint8_t *data = stub->scratch + K210B_STUB_HEADER;
    if (job->at == job->end) {
        k210b_sha256_final(&job->sha, data);
        return finish_hash(stub, K210B_ISP_HASH_RANGE, K210B_ISP_RESULT_OK, 32);
    }
    uint32_t bytes = read_next(stub);
    if (bytes == 0)
        return finish_hash(stub, K210B_ISP_HASH_RANGE, K210B_ISP_RESULT_EXECUTION, 0);
    k210b_sha256_update(&job->sha, data, bytes);
    return 1;
}

int k210b_stub_job_step(k210b_stub_t *stub)
{
    if (stub->port->flash_busy(stub->port->ctx))
        return 0;
    switch (stub->job.kind) {
    case K210B_STUB_ERASE:
        return step_erase(stub);
    case K210B_STUB_WRITE:
        return step_write(stub);
    case K210B_STUB_HASH_SECTORS:
        return step_hash_sectors(stub);
    case K210B_STUB_HASH_RANGE:
        return step_hash_range(stub);
    case K210B_STUB_IDLE:
    default:
        return 0;
    }
}
