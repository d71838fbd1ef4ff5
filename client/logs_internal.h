/*
 * Logs handed out once: the cursor and its layout, the walk over logs given, and the seam to the
 * store, behind which tests put one of their own.
 *
 * Layout of a cursor, little-endian: magic u32, version u16, has_lease u8, move_count u8, serial
 * u64, position (timestamp i64, count u64), handed_out u64, the lease (id, position, handed_out,
 * end in microseconds of the wall clock), 16 ids of hand-outs, newest first, length of the lease in
 * microseconds u64, the marks of the position and of the lease's end (file, offset_bytes, check:
 * u64 each), crc32c u32 of all that goes before. What is not in use is zero. Version 1 lacks length
 * and marks; it is read, and never written.
 */
#ifndef POLLUX_CLIENT_LOGS_INTERNAL_H
#define POLLUX_CLIENT_LOGS_INTERNAL_H

#include "base/error.h"
#include "base/span.h"
#include "client/include/pollux_logs.h"
#include "client/logs_stream.h"

#include <assert.h>

#define LOGS_CURSOR_SIZE_BYTES   (40 + 48 + PLX_LOGS_REMEMBERED * 16 + 8 + 2 * 24 + 4)
#define LOGS_CURSOR_1_SIZE_BYTES (LOGS_CURSOR_SIZE_BYTES - 8 - 2 * 24) /* of version 1 */
#define LOGS_KEY_PREFIX          "pollux/logs/"
#define LOGS_KEY_SIZE            (sizeof(LOGS_KEY_PREFIX) + PLX_LOGS_SERVER_SIZE_BYTES_MAX)
static_assert(LOGS_KEY_SIZE - 1 <= PLX_KEY_SIZE_BYTES_MAX, "a cursor's key is a key");
/* Somebody else's swap came first so often: the call gives up. */
#define LOGS_ROUNDS_MAX 10000
/* Files were cut or written anew while they were read, so often: likewise. */
#define LOGS_CHANGES_MAX 16

/* ---- logs_cursor.c ---- */

struct logs_lease {
    struct plx_logs_id id;
    struct plx_logs_position end;
    uint64_t handed_out; /* of the cursor, once it is confirmed */
    uint64_t expires_us; /* wall clock of the host that wrote it */
    uint64_t length_us;  /* 0: by version 1, which does not tell */
    struct logs_mark mark;
};

struct logs_cursor {
    uint64_t serial; /* rises with every change */
    struct plx_logs_position position;
    struct logs_mark mark; /* of the position, if the logs came from files */
    uint64_t handed_out;
    bool has_lease;
    struct logs_lease lease;
    uint32_t move_count;
    struct plx_logs_id moves[PLX_LOGS_REMEMBERED]; /* newest first */
};

void logs_cursor_encode(const struct logs_cursor *cursor,
                        uint8_t ret_bytes[LOGS_CURSOR_SIZE_BYTES]);
/* ERR_CORRUPT: no cursor. */
MUST_USE enum error logs_cursor_decode(struct span bytes, struct logs_cursor *ret_cursor);
/* The next state of the cursor: everything up to `end` handed out under `nonce`. It has no mark. */
struct plx_logs_id logs_cursor_move(struct logs_cursor *cursor, struct plx_logs_position end,
                                    uint64_t handed_out, uint64_t nonce);
/* The next state: everything up to `end` leased. The id's serial is set. */
void logs_cursor_lease(struct logs_cursor *cursor, struct logs_lease *lease);
/* The next state: its lease confirmed. */
void logs_cursor_confirm(struct logs_cursor *cursor);
/* The next state: its lease given back, so that its logs are the next caller's. */
void logs_cursor_release(struct logs_cursor *cursor);
/* The next state: its lease ends one length from now at the latest. */
void logs_cursor_bound_lease(struct logs_cursor *cursor, uint64_t now_us);
/* Until somebody else may take over the lease; 0: at once, or there is none. */
uint64_t logs_cursor_lease_left_us(const struct logs_cursor *cursor, uint64_t now_us);
/* The lease would last longer from now on than it was taken for: the clock of the host that took it
 * is ahead of the caller's. */
bool logs_cursor_lease_is_ahead(const struct logs_cursor *cursor, uint64_t now_us);

enum logs_verdict {
    LOGS_LEASED,    /* the lease of this id stands */
    LOGS_MOVED,     /* the hand-out, or the confirmation, of this id happened */
    LOGS_NEVER,     /* it did not */
    LOGS_FORGOTTEN, /* too long ago */
};
enum logs_verdict logs_cursor_judge(const struct logs_cursor *cursor, const struct plx_logs_id *id);

/* ---- logs_text.c ---- */

/* Bytes of the timestamp that begins the line (without its newline); 0: there is none. */
size_t logs_timestamp_parse(enum plx_logs_format format, struct span line, int64_t *ret_timestamp);

/* ---- logs_walk.c ---- */

/* Logs as they were given. */
struct logs_source {
    const struct logs_stream *stream; /* NULL: text or logs */
    bool is_text;
    const struct plx_log *logs;
    size_t count;
    struct plx_bytes text;
    enum plx_logs_format format;
    enum plx_logs_odd odd;
};

/* Where a walk begins, and where the cursor is. */
struct logs_walk_options {
    struct plx_logs_position before;
    struct plx_logs_position cursor;
    struct logs_mark mark; /* of the cursor */
};

/*
 * Walks all of the logs, which lie behind `before`: which of them lie behind `cursor`, too. Fills
 * first, count, offset_bytes, size_bytes and end of the result; or fault and line. With
 * PLX_LOGS_ODD_STOP both, unless there is nothing before the fault. `ret_mark`: of their end.
 */
enum plx_logs_fault logs_walk(const struct logs_source *source,
                              const struct logs_walk_options *options,
                              struct plx_logs_result *ret_result, struct logs_mark *ret_mark);

/* ---- logs.c ---- */

/* What the cursor is kept in, and the clocks. */
struct logs_store {
    void *context;
    struct plx_response (*get)(void *context, struct plx_bytes key, const struct plx_call *call);
    struct plx_response (*swap)(void *context, struct plx_bytes key, struct plx_bytes new_value,
                                struct plx_bytes old_value, const struct plx_call *call);
    struct plx_response (*resolve)(void *context, const struct plx_token *token,
                                   const struct plx_call *call);
    uint64_t (*monotonic_ns)(void *context);
    uint64_t (*wall_us)(void *context);
    uint64_t (*nonce)(void *context);
    uint64_t timeout_ns;    /* of a call that names none */
    uint64_t fence_wait_ns; /* the same */
};

struct plx_logs_result logs_take(const struct logs_store *store, const char *server,
                                 const struct logs_source *source, const struct plx_logs_how *how);
struct plx_response logs_confirm(const struct logs_store *store, const char *server,
                                 const struct plx_logs_id *id, const struct plx_call *call);
struct plx_response logs_release(const struct logs_store *store, const char *server,
                                 const struct plx_logs_id *id, const struct plx_call *call);
struct plx_response logs_state(const struct logs_store *store, const char *server,
                               const struct plx_call *call, struct plx_logs_state *ret_state);

#endif
