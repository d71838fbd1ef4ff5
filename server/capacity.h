/*
 * What an operator is told when a limit is above what this node's memory was made for. A limit is
 * one shard's part; a setting is of the whole node.
 *
 * Pure; any thread.
 */
#ifndef POLLUX_SERVER_CAPACITY_H
#define POLLUX_SERVER_CAPACITY_H

#include "engine/engine.h"

#include <stddef.h>

#define CAPACITY_TEXT_SIZE 384

/* "keys_max = 2000000 of shard 1 is above ...: set [node] keys_capacity = ...". `lack` names a
 * limit (CHECK). */
void capacity_describe(const struct engine_lack *lack, uint16_t shard, uint16_t shard_count,
                       char ret_text[CAPACITY_TEXT_SIZE]);

#endif
