/*
 * What a configuration's [security] makes of a node: the keys of its files, and random bytes of
 * this start. Main thread, at the start.
 */
#ifndef POLLUX_SERVER_NODE_SECURITY_H
#define POLLUX_SERVER_NODE_SECURITY_H

#include "server/config.h"
#include "server/peer_seals.h"

#include <stddef.h>

/*
 * Reads the key files that the configuration names. On an error ret_reason has the file and what to
 * do. Errors of key_file_read; ERR_TYPE: the key of a client; ERR_EXISTS: two keys with one id.
 */
MUST_USE enum error node_security_load(const struct config *config,
                                       struct security_options *ret_security, char *ret_reason,
                                       size_t reason_size);

#endif
