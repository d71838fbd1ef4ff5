/*
 * How large the packets are that a path carries (wire/path_limit.h): the question, WIRE_PATH, and
 * its answer, WIRE_PATH_REPLY, are of the same bytes. Each fills one packet of the size that is
 * asked for. The layout is at the head of wire/wire_path.c.
 *
 * Pure; any thread. Outputs are untouched on an error.
 */
#ifndef POLLUX_WIRE_WIRE_PATH_H
#define POLLUX_WIRE_WIRE_PATH_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"
#include "wire/wire_writer.h"

#define WIRE_PATH_SIZE_BYTES_MIN        8
#define WIRE_PATH_PACKET_SIZE_BYTES_MIN (PACKET_HEADER_SIZE_BYTES + WIRE_PATH_SIZE_BYTES_MIN)

/* Writes a body of `size_bytes`, WIRE_PATH_SIZE_BYTES_MIN at least. */
void wire_path_encode(struct wire_writer *writer, uint64_t number, uint32_t size_bytes);

/* ERR_SHORT, ERR_RESERVED. */
MUST_USE enum error wire_path_decode(struct span bytes, uint64_t *ret_number);

#endif
