/* Logs of servers, such as the lines of log files: each of them handed out once. */
#ifndef POLLUX_LOGS_H
#define POLLUX_LOGS_H

#include "pollux.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The logs of one server are a sequence that grows, like the lines of its log file. Timestamps
 * never fall. Each log is handed out at most once, however many callers there are on any number of
 * hosts.
 *
 * A cursor, stored under the key "pollux/logs/NAME", says up to where the logs were handed out: the
 * newest timestamp, and how many logs with that timestamp. The number tells logs with one timestamp
 * apart. The cursor moves by a swap, so of several callers only one gets a log.
 *
 * There are two ways to take logs.
 * - In one step: the logs are the caller's when the call returns. If the caller dies before it has
 *   processed them, nobody gets them again.
 * - In two steps: the caller takes a lease on the logs, processes them, and confirms the lease. If
 *   the lease is not confirmed in time, or is released, the next caller gets the logs.
 *
 * The wall clocks of the callers' hosts decide when a lease has ended. They are assumed to agree
 * within PLX_LOGS_SKEW_NS, so a lease is taken over only that long after its end. If the clocks
 * differ by more, logs may be leased again too early and processed twice. Even then only one of the
 * two leases can be confirmed. Nobody waits for a clock that is ahead: a caller who finds that a
 * lease would last longer than it was taken for makes the lease end one such length from then on.
 */
#define PLX_LOGS_SERVER_SIZE_BYTES_MAX 256
#define PLX_LOGS_REMEMBERED            16 /* the cursor knows the ids of so many hand-outs */
#define PLX_LOGS_SKEW_NS               (UINT64_C(500) * 1000 * 1000)

struct plx_log {
    int64_t timestamp; /* in any unit; never smaller than the timestamp of the log before */
    const void *payload;
    size_t payload_size_bytes;
};

/* A position in the logs: directly behind the `count`th log with this timestamp. Count 0: before
 * the first log. */
struct plx_logs_position {
    int64_t timestamp;
    uint64_t count;
};

/* Names one hand-out or one lease. Serial 0: none. */
struct plx_logs_id {
    uint64_t serial;
    uint64_t nonce;
};

#define PLX_LOGS_ID_TEXT_SIZE 40

/* Writes the text form, terminated by a zero byte. Any thread. */
PLX_API void plx_logs_id_format(const struct plx_logs_id *id, char ret_text[PLX_LOGS_ID_TEXT_SIZE]);
/* Reads the text form. Returns false, and *ret_id names none, if the text is no id. Any thread. */
PLX_API bool plx_logs_id_parse(const char *text, struct plx_logs_id *ret_id);

/* In the text form each line is a log and begins with its timestamp. A space, a tab or the end of
 * the line (LF or CR LF) follows the timestamp. The rest of the line may be any bytes but LF. */
enum plx_logs_format {
    PLX_LOGS_RFC3339, /* 2026-01-31T23:59:59.123456789Z or +01:00; read as nanoseconds since 1970 */
    PLX_LOGS_INTEGER, /* a decimal number in any unit; may be negative */
};

/* Why logs were refused (outcome PLX_E_ARGUMENT). */
enum plx_logs_fault {
    PLX_LOGS_VALID,
    PLX_LOGS_MALFORMED, /* a line does not begin with a timestamp of the format */
    PLX_LOGS_BACKWARD,  /* a timestamp is smaller than the one before it */
    PLX_LOGS_NAME,      /* the server's name is empty or too long */
    PLX_LOGS_FOREIGN,   /* the value under the cursor's key is not a cursor */
    PLX_LOGS_MOVED_ON,  /* of files: the place where the last hand-out ended is in none of them */
    PLX_LOGS_CHANGING,  /* of files: they were cut or written anew while they were read */
    PLX_LOGS_UNREAD,    /* of files: they cannot be read, or their lines cannot be kept */
};

/* What becomes of a line without a timestamp (a stack trace, a run of zero bytes), and of one whose
 * timestamp is smaller than that of the line before. */
enum plx_logs_odd {
    PLX_LOGS_ODD_REFUSE, /* an error, and the cursor does not move */
    PLX_LOGS_ODD_STOP,   /* what comes before it is handed out; with nothing before, an error */
    PLX_LOGS_ODD_ATTACH, /* a log like any other; it counts with the timestamp of the line before */
};

/* How to take logs. All fields zero, or a NULL pointer: in one step, not blocking, defaults. */
struct plx_logs_how {
    bool is_blocking;       /* as in struct plx_call, for the whole call */
    uint64_t timeout_ns;    /* 0: the handle's */
    uint64_t fence_wait_ns; /* 0: the handle's */
    uint64_t lease_ns;      /* 0: one step. Otherwise two steps, and the length of the lease */
    /* If the call gives only the last logs of the server: the position before the first of them.
     * The `end` of an earlier call is such a position. If the position is left out, the call must
     * give all logs that have the cursor's timestamp. */
    struct plx_logs_position before;
    enum plx_logs_odd odd; /* of lines and logs that have no timestamp, or step back */
};

struct plx_logs_result {
    enum plx_outcome outcome;
    size_t first;        /* the first log handed out: its place, from 0, among the logs given */
    size_t count;        /* how many logs were handed out; 0: none is new */
    size_t offset_bytes; /* text: where the logs handed out begin, */
    size_t size_bytes;   /* and their size */
    struct plx_logs_position end; /* behind the last log given */
    struct plx_logs_id id;        /* of the lease or hand-out */
    bool is_leased;               /* nothing was handed out, because another caller has a lease */
    uint64_t lease_left_ns;       /* how long the caller's or the other caller's lease lasts */
    enum plx_logs_fault fault;    /* with PLX_E_ARGUMENT; with PLX_OK: behind what is handed out */
    size_t line;                  /* with a fault: the log or line, from 1 */
    struct plx_token token;       /* set with PLX_UNKNOWN */
};

/*
 * Hands out, or leases, the logs that were not handed out before. They are always the last ones of
 * `logs`. Threads as plx_get.
 * - PLX_OK: the logs from logs[first] on are the caller's.
 * - PLX_TIMEOUT: nothing was handed out.
 * - PLX_E_*: refused; the cursor did not move.
 * - PLX_UNKNOWN with a token: nobody can tell yet. Keep the logs and call plx_resolve with the
 *   token. PLX_OK then means that the logs are the caller's; PLX_TIMEOUT and PLX_MISMATCH mean that
 *   they are not. If plx_resolve returns PLX_E_SESSION_EXPIRED, call plx_logs_confirm with the id.
 * - PLX_UNKNOWN without a token: nobody can tell any more. The session has expired, and more than
 *   PLX_LOGS_REMEMBERED hand-outs have followed. If the logs were handed out to this caller, nobody
 *   else gets them.
 */
PLX_API struct plx_logs_result plx_logs_take(struct plx_client *client, const char *server,
                                             const struct plx_log *logs, size_t count,
                                             const struct plx_logs_how *how);

/*
 * Like plx_logs_take, for a text with one log on each line. A last line without a newline counts as
 * not finished and is left for a later call. Every line is checked before the cursor moves.
 */
PLX_API struct plx_logs_result plx_logs_take_text(struct plx_client *client, const char *server,
                                                  struct plx_bytes text,
                                                  enum plx_logs_format format,
                                                  const struct plx_logs_how *how);

/*
 * Confirms a lease: its logs are never handed out again. Threads as plx_get.
 * - PLX_OK: the lease is confirmed, by this call or by an earlier one.
 * - PLX_MISMATCH: another caller took the lease over before it was confirmed.
 * - PLX_TIMEOUT: this call did not confirm the lease.
 * - PLX_UNKNOWN with a token: call again with the same id.
 * - PLX_UNKNOWN without a token: at least PLX_LOGS_REMEMBERED hand-outs have followed, and nobody
 *   can tell any more.
 */
PLX_API struct plx_response plx_logs_confirm(struct plx_client *client, const char *server,
                                             const struct plx_logs_id *id,
                                             const struct plx_call *call);

/*
 * Gives a lease back without confirming it: its logs are the next caller's at once. Whoever knows
 * the id may do so: plx_logs_cursor tells it. Threads as plx_get.
 * - PLX_OK: the lease does not stand any more, and this call or another caller has its logs handed
 *   out anew.
 * - PLX_MISMATCH: it was confirmed, and its logs stay handed out.
 * - PLX_TIMEOUT: this call did not release the lease.
 * - PLX_UNKNOWN: as of plx_logs_confirm.
 */
PLX_API struct plx_response plx_logs_release(struct plx_client *client, const char *server,
                                             const struct plx_logs_id *id,
                                             const struct plx_call *call);

/* Where a server's cursor stands. */
struct plx_logs_state {
    struct plx_logs_position position;  /* the logs up to here were handed out */
    uint64_t handed_out;                /* how many logs were ever handed out */
    uint64_t serial;                    /* how often the cursor ever changed */
    struct plx_logs_id lease;           /* serial 0: there is no lease */
    struct plx_logs_position lease_end; /* the lease covers the logs up to here */
    uint64_t leased;                    /* how many logs the lease covers */
    uint64_t lease_left_ns;             /* until another caller may take them; 0: now */
};

/* Reads a server's cursor. Returns PLX_OK, PLX_NOT_FOUND (nothing was ever handed out), PLX_TIMEOUT
 * or PLX_E_*. Unless the outcome is PLX_OK, *ret_state is all zero. Threads as plx_get. */
PLX_API struct plx_response plx_logs_cursor(struct plx_client *client, const char *server,
                                            const struct plx_call *call,
                                            struct plx_logs_state *ret_state);

#ifdef __cplusplus
}
#endif

#endif
