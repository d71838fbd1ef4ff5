/* A small backup for tests: two shards, one of them of two blocks. */
#ifndef POLLUX_TESTS_UNIT_TOOLS_BACKUP_MAKER_H
#define POLLUX_TESTS_UNIT_TOOLS_BACKUP_MAKER_H

#include "tools/backup/backup_file.h"

#define MAKER_SHARDS 2
#define MAKER_KEYS   40 /* of each shard */
#define MAKER_INDEX  (UINT64_C(1) << 33)
#define MAKER_VALUE  2000

/* The stream of a shard: keys "s<shard>-<number>", each with a value of its own. `ret_size_bytes`
 * more than a block. The memory is the caller's to free. */
uint8_t *maker_stream(uint16_t shard, size_t *ret_size_bytes);

/* What describes it. */
struct backup_shard maker_shard(uint16_t shard, const uint8_t *stream, size_t size_bytes);

/* Writes one shard. */
void maker_write_shard(struct backup_writer *writer, uint16_t shard);

/* A file without a name that holds the backup; at its begin. */
int maker_backup(void);

/* What is wrong with the file; its text is in ret_text. */
enum error maker_verify(int fd, char *ret_text, size_t text_size);

#endif
