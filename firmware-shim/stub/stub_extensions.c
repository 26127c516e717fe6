/** Commands that only our stub has, apart from the windowed write. */
#include "k210b/mem.h"
#include "stub_internal.h"

void k210b_stub_on_info(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    const k210b_port_t *port = stub->port;
    uint8_t reply[K210B_STUB_HEADER + 24];
    uint8_t *data = reply + K210B_STUB_HEADER;
    uint32_t can = K210B_ISP_CAN_HASHES | K210B_ISP_CAN_WINDOWED_WRITE | K210B_ISP_CAN_READ;
    if (port->ram_write != NULL && port->execute != NULL)
        can |= K210B_ISP_CAN_RAM_EXECUTE;
    k210b_put16(data, K210B_ISP_VERSION);
    k210b_put16(data + 2, K210B_ISP_WINDOW_SECTORS);
    k210b_put32(data + 4, can);
    k210b_put32(data + 8, port->flash_id(port->ctx));
    k210b_put32(data + 12, port->flash_status(port->ctx));
    k210b_put32(data + 16, port->rx_overruns(port->ctx));
    k210b_put32(data + 20, stub->rx.bad_frames);
    k210b_stub_reply_packet(stub, packet->op, packet->tag, K210B_ISP_RESULT_OK, reply, 24);
}

/** Starts a hash job; a request that is repeated while its job runs is dropped, as the job will answer. */
static void start_hash(k210b_stub_t *stub, const k210b_stub_packet_t *packet, k210b_stub_job_kind_t kind,
                       uint32_t length)
{
    k210b_stub_job_t *job = &stub->job;
    if (job->kind != K210B_STUB_IDLE)
        return;
    if (!k210b_stub_in_flash(stub, packet->address, length)) {
        k210b_stub_reply_result(stub, packet, K210B_ISP_RESULT_BAD_LENGTH);
        return;
    }
    job->kind = kind;
    job->tag = packet->tag;
    job->start = packet->address;
    job->at = packet->address;
    job->end = packet->address + length;
    k210b_sha256_init(&job->sha);
}

void k210b_stub_on_hash_sectors(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    uint32_t count = k210b_get32(packet->data);
    if (count > K210B_ISP_SESSION_SECTORS || packet->address % K210B_STUB_SECTOR != 0) {
        k210b_stub_reply_result(stub, packet, K210B_ISP_RESULT_BAD_LENGTH);
        return;
    }
    start_hash(stub, packet, K210B_STUB_HASH_SECTORS, count * K210B_STUB_SECTOR);
}

void k210b_stub_on_hash_range(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    start_hash(stub, packet, K210B_STUB_HASH_RANGE, k210b_get32(packet->data));
}

void k210b_stub_on_flash_read(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    uint32_t length = k210b_get32(packet->data);
    uint8_t *data = stub->scratch + K210B_STUB_HEADER;
    if (stub->job.kind != K210B_STUB_IDLE || stub->port->flash_busy(stub->port->ctx)) {
        k210b_stub_reply_result(stub, packet, K210B_ISP_RESULT_EXECUTION);
        return;
    }
    if (length > K210B_STUB_SECTOR || !k210b_stub_in_flash(stub, packet->address, length)) {
        k210b_stub_reply_result(stub, packet, K210B_ISP_RESULT_BAD_LENGTH);
        return;
    }
    if (stub->port->flash_read(stub->port->ctx, packet->address, data, length) < 0) {
        k210b_stub_reply_result(stub, packet, K210B_ISP_RESULT_EXECUTION);
        return;
    }
    k210b_stub_reply_packet(stub, packet->op, packet->tag, K210B_ISP_RESULT_OK, stub->scratch, length);
}

void k210b_stub_on_ram_write(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    const k210b_port_t *port = stub->port;
    uint8_t result = K210B_ISP_RESULT_BAD_COMMAND;
    if (port->ram_write != NULL) {
        int written = port->ram_write(port->ctx, packet->address, packet->data, packet->data_bytes);
        result = written < 0 ? K210B_ISP_RESULT_EXECUTION : K210B_ISP_RESULT_OK;
    }
    k210b_stub_reply_result(stub, packet, result);
}

void k210b_stub_on_execute(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    int can = stub->port->execute != NULL;
    if (can) {
        stub->after = K210B_STUB_EXECUTE;
        stub->after_value = packet->address;
    }
    k210b_stub_reply_result(stub, packet, can ? K210B_ISP_RESULT_OK : K210B_ISP_RESULT_BAD_COMMAND);
}
