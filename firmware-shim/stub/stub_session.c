/**
 * Windowed write: the host names a range, which sectors of it will come and which are blank; sectors arrive in any
 * order while earlier ones are erased and programmed, and a status says what has arrived. A sector sent twice is
 * taken once, so the host may resend whenever in doubt.
 */
#include "k210b/mem.h"
#include "stub_internal.h"

enum {
    SECTORS_A_UNIT = K210B_STUB_UNIT / K210B_STUB_SECTOR,
    /* W25Q128, typical: four erases of 4 KiB (45 ms) take longer than one of 64 KiB (150 ms). isp.md 4.5 */
    LARGE_ERASE_FROM = 4
};

static int get_bit(const uint8_t *bitmap, uint32_t bit)
{
    return bitmap[bit / 8] >> (bit % 8) & 1;
}

static void set_bit(uint8_t *bitmap, uint32_t bit)
{
    bitmap[bit / 8] = (uint8_t)(bitmap[bit / 8] | 1u << (bit % 8));
}

void k210b_stub_send_status(k210b_stub_t *stub)
{
    k210b_stub_session_t *session = &stub->session;
    uint8_t reply[K210B_STUB_HEADER + 8 + K210B_STUB_BITMAP];
    uint8_t *data = reply + K210B_STUB_HEADER;
    uint32_t bitmap_bytes = ((uint32_t)session->count + 7) / 8;
    session->status_due = 0;
    k210b_put16(data, session->received);
    k210b_put16(data + 2, session->programmed);
    k210b_put16(data + 4, (uint16_t)(K210B_ISP_WINDOW_SECTORS - session->filled));
    k210b_put16(data + 6, (uint16_t)stub->rx.bad_frames);
    memcpy(data + 8, session->arrived, bitmap_bytes);
    uint8_t result = session->failed ? K210B_ISP_RESULT_EXECUTION : K210B_ISP_RESULT_OK;
    k210b_stub_reply_packet(stub, K210B_ISP_WRITE_STATUS, session->tag, result, reply, 8 + bitmap_bytes);
}

static void open_session(k210b_stub_t *stub, const k210b_stub_packet_t *packet, uint32_t count)
{
    k210b_stub_session_t *session = &stub->session;
    uint32_t bitmap_bytes = (count + 7) / 8;
    memset(session, 0, offsetof(k210b_stub_session_t, slots));
    session->first = 0;
    session->filled = 0;
    session->offset = 0;
    session->open = 1;
    session->tag = packet->tag;
    session->count = (uint16_t)count;
    session->base = packet->address;
    memcpy(session->wanted, packet->data + 4, bitmap_bytes);
    memcpy(session->blank, packet->data + 4 + bitmap_bytes, bitmap_bytes);
    for (uint32_t i = 0; i < bitmap_bytes; i++)
        session->arrived[i] = (uint8_t)~session->wanted[i];
}

void k210b_stub_on_write_open(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    k210b_stub_session_t *session = &stub->session;
    uint32_t count = k210b_get16(packet->data);
    /* The answer was lost and the request came again. Once sectors came it is another host's session. */
    int same = session->open && session->tag == packet->tag && session->base == packet->address &&
               session->count == count && session->received == 0;
    int valid = count > 0 && count <= K210B_ISP_SESSION_SECTORS && packet->data_bytes == 4 + 2 * ((count + 7) / 8) &&
                packet->address % K210B_STUB_SECTOR == 0 &&
                k210b_stub_in_flash(stub, packet->address, count * K210B_STUB_SECTOR);
    if (!valid || stub->job.kind != K210B_STUB_IDLE) {
        k210b_stub_reply_result(stub, packet, valid ? K210B_ISP_RESULT_EXECUTION : K210B_ISP_RESULT_BAD_LENGTH);
        return;
    }
    if (!same)
        open_session(stub, packet, count);
    k210b_stub_send_status(stub);
}

void k210b_stub_on_write_status(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    if (!stub->session.open || stub->session.tag != packet->tag)
        k210b_stub_reply_result(stub, packet, K210B_ISP_RESULT_EXECUTION);
    else
        k210b_stub_send_status(stub);
}

void k210b_stub_on_write_sector(k210b_stub_t *stub, const k210b_stub_packet_t *packet)
{
    k210b_stub_session_t *session = &stub->session;
    uint32_t sector = packet->address;
    if (!session->open || session->tag != packet->tag || sector >= session->count)
        return; /* of an older session: silence makes the host ask for the status */
    session->status_due = 1;
    if (get_bit(session->arrived, sector) || session->filled == K210B_ISP_WINDOW_SECTORS)
        return;
    uint32_t slot = (session->first + session->filled) % K210B_ISP_WINDOW_SECTORS;
    memcpy(session->slots[slot], packet->data, K210B_STUB_SECTOR);
    session->slot_sector[slot] = (uint16_t)sector;
    session->filled++;
    session->received++;
    set_bit(session->arrived, sector);
}

/** One large erase pays when nothing in the unit must stay and enough of it would be erased by sectors. */
static int large_erase_pays(const k210b_stub_session_t *session, uint32_t first)
{
    uint32_t to_erase = 0;
    if (first + SECTORS_A_UNIT > session->count)
        return 0;
    for (uint32_t i = first; i < first + SECTORS_A_UNIT; i++) {
        int blank = get_bit(session->blank, i);
        if (!get_bit(session->wanted, i) && !blank)
            return 0;
        to_erase += !blank;
    }
    return to_erase >= LARGE_ERASE_FROM;
}

static int erase(k210b_stub_t *stub, uint32_t sector, uint32_t sectors)
{
    k210b_stub_session_t *session = &stub->session;
    for (uint32_t i = sector; i < sector + sectors; i++)
        set_bit(session->erased, i);
    uint32_t address = session->base + sector * K210B_STUB_SECTOR;
    session->failed |= stub->port->flash_erase(stub->port->ctx, address, sectors * K210B_STUB_SECTOR) < 0;
    return 1;
}

/** Makes the sector ready for programming: large erase, small erase, or none when it is blank. */
static int prepare(k210b_stub_t *stub, uint32_t sector)
{
    k210b_stub_session_t *session = &stub->session;
    uint32_t skew = session->base / K210B_STUB_SECTOR % SECTORS_A_UNIT; /* sectors of the first unit before the range */
    uint32_t unit = (sector + skew) / SECTORS_A_UNIT;
    uint32_t first = unit * SECTORS_A_UNIT - skew; /* wraps in a first unit that starts before the range */
    if (!session->decided[unit]) {
        session->decided[unit] = 1;
        if (unit * SECTORS_A_UNIT >= skew && large_erase_pays(session, first))
            return erase(stub, first, SECTORS_A_UNIT);
    }
    if (!get_bit(session->erased, sector) && !get_bit(session->blank, sector))
        return erase(stub, sector, 1);
    return 0;
}

int k210b_stub_session_step(k210b_stub_t *stub)
{
    k210b_stub_session_t *session = &stub->session;
    if (!session->open || session->failed || session->filled == 0 || stub->port->flash_busy(stub->port->ctx))
        return 0;
    uint32_t sector = session->slot_sector[session->first];
    if (session->offset == 0 && prepare(stub, sector))
        return 1;
    int started = 0;
    while (started == 0 && session->offset < K210B_STUB_SECTOR) {
        uint32_t address = session->base + sector * K210B_STUB_SECTOR + session->offset;
        started = k210b_stub_program_page(stub, address, session->slots[session->first] + session->offset);
        session->offset += K210B_STUB_PAGE;
    }
    if (started < 0) {
        session->failed = 1;
        session->status_due = 1;
    }
    if (started != 0)
        return 1;
    session->offset = 0;
    session->first = (session->first + 1) % K210B_ISP_WINDOW_SECTORS;
    session->filled--;
    session->programmed++;
    session->status_due = 1;
    return 1;
}
