/*
 * Names for what has no short name of its own: equal parts have one name, on every node and in
 * every release, and nobody can make parts of one name that differ. BLAKE2b without a key
 * (RFC 7693): no secret is in it, and whoever has the parts has the name. To find two lists of
 * parts with one name takes about 2^128 tries.
 *
 * Pure; any thread.
 */
#ifndef POLLUX_SECURITY_CONTENT_NAME_H
#define POLLUX_SECURITY_CONTENT_NAME_H

#include "base/limits.h"
#include "base/span.h"

#include <stdint.h>

/* The label (at most 16 characters, CHECK) says what the name is for. Each part enters behind its
 * length, so that no two lists of parts are one input. */
void content_name(const char *label, const struct span *parts, uint32_t part_count,
                  uint8_t ret_name[CONTENT_NAME_SIZE_BYTES]);

#endif
