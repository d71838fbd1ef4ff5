/*
 * The wire format as clients and nodes share it: packets, and the bodies of what they say to one
 * another. What nodes say among themselves about the log is in wire/wire_peer.h.
 *
 * Explicit little-endian fields; no struct is ever cast; every reserved byte is zero and checked.
 */
#ifndef POLLUX_WIRE_WIRE_H
#define POLLUX_WIRE_WIRE_H

#include "wire/wire_backup.h"
#include "wire/wire_hello.h"
#include "wire/wire_list.h"
#include "wire/wire_members.h"
#include "wire/wire_missing.h"
#include "wire/wire_packet.h"
#include "wire/wire_path.h"
#include "wire/wire_read.h"
#include "wire/wire_relay.h"
#include "wire/wire_reply.h"
#include "wire/wire_request.h"
#include "wire/wire_sessions.h"

#endif
