/*
 * Which shard a key belongs to. Part of the contract: clients and nodes compute the same number, so
 * this definition never changes.
 *
 * The shard is floor(crc32c(part) * shard_count / 2^32), where `part` is the hashed part of the
 * key. The hashed part is what lies between the first '{' of the key and the first '}' behind that
 * '{', if at least one byte lies between them; else it is the whole key. So "{user7}/name" and
 * "{user7}/mail" are always of one shard.
 */
#ifndef POLLUX_BASE_SHARD_H
#define POLLUX_BASE_SHARD_H

#include "base/span.h"

/* The shard of `key`, below `shard_count` (at least 1). Any thread. */
uint16_t shard_of_key(struct span key, uint16_t shard_count);

#endif
