/*
 * One engine as its lane would run it, for the unit tests: a leader alone in its cluster whose
 * records commit when the test says so. Keeps every message sent and every record, so that a second
 * engine can apply the same log.
 */
#ifndef POLLUX_TESTS_UNIT_ENGINE_FIXTURE_H
#define POLLUX_TESTS_UNIT_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/engine.h"
#include "engine/state/rcu.h"

#define FIXTURE_MESSAGES_MAX 256
#define FIXTURE_RECORDS_MAX  8192
#define FIXTURE_INCARNATION  77u
#define FIXTURE_MS           1000000u
#define FIXTURE_ENTRIES_MAX  4096
#define FIXTURE_FIRST_SEQ    1000u
#define FIXTURE_IDENTITY     77u /* of relaxed writes */

struct fixture_message {
    struct address to;
    uint8_t type;
    uint8_t *data;
    size_t size_bytes;
};

struct fixture_record {
    uint64_t term;
    uint8_t kind;
    uint8_t *data;
    size_t size_bytes;
};

/* What the engine handed to the journal. */
struct fixture_entry {
    uint64_t seq;
    uint8_t *data;
    size_t size_bytes;
};

struct fixture {
    struct fixture_entry entries[FIXTURE_ENTRIES_MAX];
    uint32_t entry_count;
    uint32_t entries_max; /* then the journal is full */
    struct arena arena;
    struct engine_options options;
    struct engine *engine;
    struct engine_view view;
    struct fixture_message messages[FIXTURE_MESSAGES_MAX];
    uint32_t message_count;
    struct fixture_record records[FIXTURE_RECORDS_MAX];
    uint64_t record_count;
    bool is_journal_moving;
    uint64_t packet_number;
    struct address client; /* from where writes come; port 0: from where it fits their sender */
    struct address asked_from;
    uint64_t nonce;  /* of the last registration */
    uint8_t *buffer; /* a request, then the write around it */
};

/* The sink of its engine: keeps the message. */
void fixture_sent(void *context, const struct address *to, uint8_t type, struct span body);
/* The journal of its engine: keeps the entry. ERR_FULL beyond `entries_max`, ERR_NOT_YET while it
 * is said to move. */
enum error fixture_append(void *context, uint64_t seq, struct span payload);
void fixture_forget_messages(struct fixture *f);
struct address fixture_client(void);
struct engine_options fixture_options(void);

/* The same with a journal, of which `self` may be any node. */
struct engine_options fixture_relaxed_options(uint16_t self);

/* A settled leader with a fresh quorum in term 1, whose no-op is applied. */
struct fixture *fixture_new(const struct engine_options *options);
void fixture_free(struct fixture *f);
void fixture_begin(struct fixture *f);

/* A new turn, `elapsed_ms` later. */
void fixture_turn(struct fixture *f, uint64_t elapsed_ms);

/* The batch becomes a record; false when there is none. */
bool fixture_propose(struct fixture *f);

/* Applies the records of `f` that `engine` lacks. */
void fixture_apply_to(const struct fixture *f, struct engine *engine);
void fixture_commit(struct fixture *f);

/* Delivers a write of these ops; `floor` and a fresh packet number. */
struct fixture_write {
    uint64_t session;
    uint64_t floor;
    uint64_t packet_number; /* 0: the next */
    uint64_t incarnation;   /* 0: the right one */
    uint32_t timeout_us;
    bool is_relaxed;
    bool is_recall;
};

void fixture_write(struct fixture *f, const struct fixture_write *write, const struct wire_op *ops,
                   uint32_t op_count);

/* The last message sent, as a reply of `type`. */
struct wire_reply fixture_reply(const struct fixture *f, uint8_t type);

/* Op `position` of a reply with status OK. */
struct wire_reply_op fixture_reply_op(const struct wire_reply *reply, uint32_t position);

/* A write of one op, proposed, committed and answered: its reply op. */
struct wire_reply_op fixture_do(struct fixture *f, uint64_t session, const struct wire_op *op);
uint64_t fixture_register(struct fixture *f);
struct span text(const char *string);
struct wire_op op_set(uint64_t seq, const char *key, const char *value);
struct wire_op op_swap(uint64_t seq, const char *key, const char *value, const char *old);
struct wire_op op_of(uint8_t type, uint64_t seq);
struct wire_op op_cancel(uint16_t node, uint64_t seq);

/* Everything handed to the journal is durable. */
void fixture_durable(struct fixture *f);

/* For cmocka: a node with a journal that hears no leader. A wide one has room for a write of each
 * of many clients. */
int fixture_relaxed_setup(void **state);
int fixture_relaxed_wide_setup(void **state);
int fixture_relaxed_teardown(void **state);
/* A node that starts anew with this journal, and as much of the log as is given (NULL: none). */
struct fixture *fixture_restarted(const struct fixture *old, const struct fixture *log);

/* One op alone is answered at once, with this status. */
void fixture_expect_status(struct fixture *f, const struct fixture_write *write, struct wire_op op,
                           enum wire_status status);

/* A relaxed write of these ops by `identity`, durable and answered: the reply's last op. Cancels
 * are not answered. */
struct wire_reply_op fixture_relaxed(struct fixture *f, uint64_t identity,
                                     const struct wire_op *ops, uint32_t op_count);

/* One relaxed set, which must be taken: its journal seq. */
uint64_t fixture_pend(struct fixture *f, uint64_t client_seq, const char *key, const char *value);

/* The node follows `leader` (0: none) in `term`. */
void fixture_follow(struct fixture *f, uint16_t leader, uint64_t term);

/* Delivers a read. */
void fixture_read(struct fixture *f, const struct wire_read *read, const struct wire_read_op *ops,
                  uint32_t op_count);

/* The value of `key` by a relaxed read; NULL when absent. Valid until messages are forgotten. */
struct wire_reply_op fixture_get(struct fixture *f, const char *key);
void assert_value(const struct wire_reply_op *op, const char *value);

#endif
