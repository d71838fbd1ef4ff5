/*
 * The rights of clients: a table of principals, which is the value of one key of the replicated
 * state. A principal is whom a client's key names. Its rights are lines; each gives some rights to
 * the keys that begin with a prefix.
 *
 * The table lies in shard 0 under RIGHTS_KEY, whose hashed part is "as": shard_of_key gives 0 for
 * it, however many shards there are. It is reserved: reserved_key.h.
 *
 * Numbers are little endian. Offset, size and meaning of each field:
 *    0  [4]  "PLXR"
 *    4  u16  version: 1
 *    6  u16  zero
 *    8  u32  count of principals
 *   12  u32  how often pending writes were dropped (`drops`), below RIGHTS_DROPS_MAX
 *   16       the principals, names rising
 *
 * A principal:
 *    0  u8   size of the name, 1 to KEY_NAME_BYTES_MAX
 *    1  u8   count of lines, 0 to RIGHTS_LINES_MAX
 *    2  u16  bit 0: it has a mark; bit 1: it was removed, and has no lines; the others zero
 *    4  u32  lowest generation of its key that counts
 *    8       the name: letters, digits, '.', '_' and '-'; the mark; then the lines, prefixes rising
 *
 * A mark (u32, 1 to the lowest generation that counts): relaxed writes that nodes have accepted
 * from an older generation of its key than this, and that are pending, are dropped. Whoever has a
 * mark is kept in the table when it is removed, for nodes that are away.
 *
 * A line:
 *    0  u8   rights: enum right, at least one. RIGHT_ADMIN: the prefix is empty
 *    1  u8   zero
 *    2  u16  size of the prefix, 0 to KEY_SIZE_BYTES_MAX
 *    4       the prefix
 *
 * One content has one encoding, and no other is read. No secret is in it.
 *
 * Pure; any thread. What is decoded borrows from the bytes.
 */
#ifndef POLLUX_BASE_RIGHTS_TABLE_H
#define POLLUX_BASE_RIGHTS_TABLE_H

#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"

#define RIGHTS_KEY "\0pollux/rights{as}"
/* What `pollux logs` keeps: a cursor under this and the server's name. */
#define RIGHTS_LOGS_PREFIX "pollux/logs/"

/* Where the rights of unsealed clients stand, where those are taken. */
#define RIGHTS_ANYONE "anyone"

enum right {
    RIGHT_READ = 1,          /* consistent get */
    RIGHT_RELAXED_READ = 2,  /* relaxed get */
    RIGHT_WRITE = 4,         /* consistent set and del; with READ: swap, which tells values */
    RIGHT_RELAXED_WRITE = 8, /* relaxed set and del */
    RIGHT_LOGS = 16,         /* what `pollux logs` does to the keys under RIGHTS_LOGS_PREFIX */
    /* What operators ask of nodes, and the reserved keys; and reading: a backup has every value. */
    RIGHT_ADMIN = 32,
};
#define RIGHTS_EVERY 63u

struct rights_table {
    struct span bytes;
    uint32_t principal_count;
    uint32_t drops; /* rises with each change that drops pending writes */
};

struct rights_principal {
    struct span name;
    uint32_t generation; /* the lowest that counts */
    uint32_t drop_below; /* pending writes under an older generation are dropped; 0: none are */
    bool is_removed;     /* kept for its mark alone */
    uint32_t line_count;
    struct span lines;
};

struct rights_line {
    uint8_t rights; /* enum right */
    struct span prefix;
};

struct span rights_key(void);

/* Whether it is a principal's name. */
bool rights_name_is_valid(struct span name);

/*
 * Checks the whole of it. ERR_SHORT, ERR_TRAILING, ERR_MAGIC, ERR_VERSION, ERR_RESERVED,
 * ERR_TOO_LARGE; ERR_RANGE: a size, a name or rights that there are not; ERR_SYNTAX: names or
 * prefixes that do not rise.
 */
MUST_USE enum error rights_table_decode(struct span bytes, struct rights_table *ret_table);

/* Walks: *cursor begins at 0. False: no more. The table was decoded. */
bool rights_table_next(const struct rights_table *table, size_t *cursor,
                       struct rights_principal *ret_principal);
bool rights_line_next(const struct rights_principal *principal, size_t *cursor,
                      struct rights_line *ret_line);
/* False: it names no such principal. */
bool rights_table_find(const struct rights_table *table, struct span name,
                       struct rights_principal *ret_principal);

/* ---- building one ---- */

struct rights_builder {
    uint8_t *data; /* VALUE_SIZE_BYTES_MAX */
    size_t size_bytes;
    size_t principal; /* where the last one begins; 0: none */
    bool is_overflow;
};

/* Principals in the order of their names, each followed by its lines in the order of their
 * prefixes. What was built decodes, or ERR_FULL: it is too large. */
void rights_builder_begin(struct rights_builder *builder, uint8_t *data);
void rights_builder_principal(struct rights_builder *builder, struct span name,
                              uint32_t generation);
/* Marks the principal that was just begun, before its lines. */
void rights_builder_mark(struct rights_builder *builder, uint32_t drop_below, bool is_removed);
/* How often pending writes were dropped; before: never. */
void rights_builder_drops(struct rights_builder *builder, uint32_t drops);
void rights_builder_line(struct rights_builder *builder, uint8_t rights, struct span prefix);
MUST_USE enum error rights_builder_end(struct rights_builder *builder, struct span *ret_bytes);

/* ---- what somebody may do ---- */

struct rights {
    bool is_all;         /* who has the cluster's root key: everything */
    bool is_free;        /* no table is in force: everything but the reserved keys */
    struct span lines;   /* else: those of a principal; borrowed from the table */
    struct span name;    /* whose they are; empty: of no principal */
    uint32_t generation; /* of its key */
};

/* Whether he has all of these rights on the key; RIGHT_ADMIN: with an empty key. */
bool rights_allow(const struct rights *rights, uint8_t wanted, struct span key);
/* Whether he has one of these rights, on some key. */
bool rights_have_any(const struct rights *rights, uint8_t wanted);

#endif
