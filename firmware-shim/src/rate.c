/** Change of the line rate, with the way back, and reboot: both once their answer has left the wire. */
#include "core.h"

static void switch_rate(k210b_t *shim)
{
    k210b_link_t *link = &shim->link;
    if (shim->port->set_baud(shim->port->ctx, link->next_baud) < 0) {
        k210b_log(shim, K210B_LOG_ERROR, "line rate refused by the port: ", (int32_t)link->next_baud);
        return;
    }
    if (!link->trial)
        link->old_baud = link->baud;
    link->baud = link->next_baud;
    link->trial = 1;
    link->trial_since_us = shim->now_us;
}

static void revert_rate(k210b_t *shim)
{
    k210b_link_t *link = &shim->link;
    link->trial = 0;
    link->baud = link->old_baud;
    shim->port->set_baud(shim->port->ctx, link->old_baud);
    k210b_log(shim, K210B_LOG_WARNING, "no frame at the new line rate, back at ", (int32_t)link->old_baud);
}

void k210b_rate_confirm(k210b_t *shim)
{
    shim->link.trial = 0;
}

void k210b_rate_poll(k210b_t *shim)
{
    k210b_link_t *link = &shim->link;
    if (link->trial && k210b_elapsed(shim, link->trial_since_us) >= K210B_LINK_BAUD_REVERT_MS * 1000u)
        revert_rate(shim);
    if (link->after == K210B_AFTER_NOTHING || link->after_reply != K210B_NONE)
        return;
    if (link->wire_sent < link->wire_used || !shim->port->tx_idle(shim->port->ctx))
        return;
    uint8_t what = link->after;
    link->after = K210B_AFTER_NOTHING;
    if (what == K210B_AFTER_BAUD)
        switch_rate(shim);
    else
        shim->port->reboot(shim->port->ctx, link->reboot_target);
}
