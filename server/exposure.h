/*
 * Whether strangers may reach a node that believes them. Without authentication whoever can send
 * packets to a node can end the cluster, and a port of this kind has no firewall in front of it. So
 * a node starts without only where packets come from this host, or where somebody has written that
 * this is meant.
 *
 * Any thread.
 */
#ifndef POLLUX_SERVER_EXPOSURE_H
#define POLLUX_SERVER_EXPOSURE_H

#include "server/config.h"

#include <stddef.h>

/* Packets of this device come from processes of this host: memif, a ring in memory, or the loopback
 * interface. */
bool exposure_is_local(const char *device);

/* The port is none of these, and the packets of peers or of clients are believed without
 * authentication. */
bool exposure_is_there(const struct config *config);

/*
 * Errors: ERR_PERMISSION: the port is none of these, and the packets of peers, or of clients, are
 * believed without authentication, which [security] does not allow in so many words (`none` written
 * out, and open_port = true). ret_reason names the setting and what to do.
 */
MUST_USE enum error exposure_check(const struct config *config, char *ret_reason,
                                   size_t reason_size);

#endif
