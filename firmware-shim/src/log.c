/** Log lines kept until they can be sent, and number printing without a C library. */
#include "core.h"

uint32_t k210b_put_text(char *out, uint32_t at, uint32_t cap, const char *text)
{
    while (*text != 0 && at < cap)
        out[at++] = *text++;
    return at;
}

uint32_t k210b_put_decimal(char *out, uint32_t at, uint32_t cap, uint32_t number)
{
    char digits[10];
    uint32_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0 && at < cap)
        out[at++] = digits[--count];
    return at;
}

void k210b_log(k210b_t *shim, uint8_t level, const char *text, int32_t number)
{
    k210b_log_t *log = &shim->log;
    if (log->count == K210B_LOG_LINES) {
        log->first = (uint8_t)((log->first + 1) % K210B_LOG_LINES);
        log->count--;
        shim->link.counters.datagrams_dropped++;
    }
    uint32_t i = (log->first + log->count++) % K210B_LOG_LINES;
    uint32_t at = k210b_put_text(log->lines[i].text, 0, K210B_LOG_TEXT, text);
    if (number < 0)
        at = k210b_put_text(log->lines[i].text, at, K210B_LOG_TEXT, "status ");
    at = k210b_put_decimal(log->lines[i].text, at, K210B_LOG_TEXT, (uint32_t)(number < 0 ? -number : number));
    log->lines[i].length = (uint8_t)at;
    log->lines[i].level = level;
    log->lines[i].time_us = shim->time_us;
}

uint32_t k210b_log_take(k210b_t *shim, uint8_t *out, uint32_t cap)
{
    k210b_log_t *log = &shim->log;
    if (log->count == 0)
        return 0;
    k210b_wire_log_t row = { .level = log->lines[log->first].level,
                             .device_time_us = log->lines[log->first].time_us,
                             .text = log->lines[log->first].text,
                             .text_length = log->lines[log->first].length };
    int used = k210b_encode(&k210b_row_log, &row, out, cap);
    log->first = (uint8_t)((log->first + 1) % K210B_LOG_LINES);
    log->count--;
    return used < 0 ? 0 : (uint32_t)used;
}
