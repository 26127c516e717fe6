/** The commands that every flash stub has, 0xD2..0xD7. */
#include "k210b/mem.h"
#include "stub_internal.h"

uint32_t k210b_stub_flash_bytes(const k210b_stub_t *stub)
{
    uint32_t log2_bytes = stub->port->flash_id(stub->port->ctx) & 0xFF;
    return log2_bytes >= 16 && log2_bytes <= 26 ? 1u << log2_bytes : 0;
}

int k210b_stub_in_flash(const k210b_stub_t *stub, uint32_t address, uint32_t length)
{
    uint32_t size = k210b_stub_flash_bytes(stub);
    return length > 0 && address < size && length <= size - address;
}

int k210b_stub_program_page(const k210b_stub_t *stub, uint32_t address, const uint8_t *page)
{
    for (uint32_t i = 0; i < K210B_STUB_PAGE; i++)
        if (page[i] != 0xFF) {
            int result = stub->port->flash_program(stub->port->ctx, address, page, K210B_STUB_PAGE);
            return result < 0 ? result : 1;
        }
    return 0;
}

void k210b_stub_on_stub_greeting(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    k210b_stub_reply(stub, packet->op, K210B_ISP_RESULT_OK);
}

void k210b_stub_on_flash_init(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    int known = k210b_stub_flash_bytes(stub) != 0;
    k210b_stub_reply(stub, packet->op, known ? K210B_ISP_RESULT_OK : K210B_ISP_RESULT_BAD_INIT);
}

void k210b_stub_on_reboot(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    stub->after = K210B_STUB_REBOOT;
    stub->after_value = packet->address == K210B_REBOOT_ROM ? K210B_REBOOT_ROM : K210B_REBOOT_FIRMWARE;
}

void k210b_stub_on_set_baud(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    stub->after = K210B_STUB_SWITCH_BAUD;
    stub->after_value = k210b_get32(packet->data);
    k210b_stub_reply(stub, packet->op, K210B_ISP_RESULT_OK);
}

static void start(k210b_stub_t *stub, k210b_stub_job_kind_t kind, uint32_t address, uint32_t length)
{
    k210b_stub_job_t *job = &stub->job;
    stub->session.open = 0; /* classic commands and a session would erase each other's sectors */
    job->kind = kind;
    job->start = address;
    job->at = address;
    job->erased_to = address;
    job->end = address + length;
}

void k210b_stub_on_flash_erase(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    const uint32_t whole_chip = 0xFFFFFFEEu;
    uint32_t length = packet->length == whole_chip ? k210b_stub_flash_bytes(stub) : packet->length;
    if (stub->job.kind != K210B_STUB_IDLE)
        return; /* a repeated request: the first one will be answered */
    if ((packet->address | length) % K210B_STUB_SECTOR != 0 || !k210b_stub_in_flash(stub, packet->address, length)) {
        k210b_stub_reply(stub, packet->op, K210B_ISP_RESULT_BAD_LENGTH);
        return;
    }
    start(stub, K210B_STUB_ERASE, packet->address, length);
}

void k210b_stub_on_flash_write(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    uint32_t length = packet->data_bytes;
    int aligned = (length == K210B_STUB_SECTOR || length == K210B_STUB_UNIT) && packet->address % length == 0;
    if (stub->job.kind != K210B_STUB_IDLE)
        return;
    if (!aligned || !k210b_stub_in_flash(stub, packet->address, length)) {
        k210b_stub_reply(stub, packet->op, K210B_ISP_RESULT_BAD_LENGTH);
        return;
    }
    start(stub, K210B_STUB_WRITE, packet->address, length);
}
