/*
 * Logs of any size from files, for `pollux logs`: the lines come in pieces, and what lies behind
 * the cursor is given back to keep until it is certain whose it is. A mark says where in its file
 * the last hand-out ended, so that a file that was rotated or cut meanwhile is noticed before the
 * cursor moves.
 */
#ifndef POLLUX_CLIENT_LOGS_STREAM_H
#define POLLUX_CLIENT_LOGS_STREAM_H

#include "client/include/pollux_logs.h"

/* The end of a hand-out in the file that it came from. */
struct logs_mark {
    uint64_t file; /* its inode; 0: no mark */
    uint64_t offset_bytes;
    uint64_t check; /* a hash of the bytes before the offset: logs_mark_check */
};

#define LOGS_MARK_CHECKED_BYTES 256 /* before the offset; fewer at the begin of a file */

uint64_t logs_mark_check(const void *bytes, size_t size_bytes);

/*
 * Where the lines come from. A call begins anew whenever somebody else was first.
 * - begin: at the mark, or at the first line where there is none. `ret_is_marked`: at the mark.
 * - read: the next bytes, valid until the next call; none at the end. The begin of a line comes
 *   with its whole timestamp.
 * - keep: bytes behind the cursor, in order. Of these the result's size_bytes are the caller's.
 * - end: the lines end so many bytes behind the begin. The file is still what was read; its mark.
 * Each returns PLX_LOGS_VALID, or why the logs are refused.
 */
struct logs_stream {
    void *context;
    enum plx_logs_fault (*begin)(void *context, const struct logs_mark *mark, bool *ret_is_marked);
    enum plx_logs_fault (*read)(void *context, struct plx_bytes *ret_bytes);
    enum plx_logs_fault (*keep)(void *context, struct plx_bytes bytes);
    enum plx_logs_fault (*end)(void *context, uint64_t size_bytes, struct logs_mark *ret_mark);
};

/* As plx_logs_take_text, of a stream. `offset_bytes` counts from its begin; with a fault, it is
 * that of the line. */
struct plx_logs_result client_take_stream(struct plx_client *client, const char *server,
                                          const struct logs_stream *stream,
                                          enum plx_logs_format format,
                                          const struct plx_logs_how *how);

#endif
