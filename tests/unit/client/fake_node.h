/*
 * A node played by the test: a UDP socket on 127.0.0.1 that is asked what arrived and told what to
 * answer, step by step, in the same thread that polls the client. Nothing waits but for a packet.
 */
#ifndef POLLUX_TESTS_UNIT_CLIENT_FAKE_NODE_H
#define POLLUX_TESTS_UNIT_CLIENT_FAKE_NODE_H

#include "base/arena.h"
#include "client/include/pollux.h"
#include "wire/reassembly.h"
#include "wire/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FAKE_CLUSTER        "test"
#define FAKE_CLUSTER_NUMBER 77
#define FAKE_POLLS_MAX      4000
#define FAKE_POLL_NS        500000
#define FAKE_SLOTS          4
#define FAKE_SHARDS_MAX     4
#define FAKE_PORT_TRIES_MAX 100
#define FAKE_SESSION        UINT64_C(0x5E55)
#define FAKE_SESSION_TTL_NS (UINT64_C(3600) * 1000 * 1000 * 1000)

struct fake {
    uint16_t shard_count; /* it serves so many, each at a port of its own */
    int fds[FAKE_SHARDS_MAX];
    uint16_t port; /* of shard 0; the others follow */
    uint16_t id;
    uint64_t incarnation;
    uint64_t session;      /* that a registration is answered with */
    bool is_leader;        /* hellos are answered so... */
    uint32_t shards_unled; /* ...but for these shards, a bit each */
    bool is_mute;          /* hellos are not answered at all */
    uint32_t hellos;       /* seen */
    uint32_t registrations;
    uint32_t idle_notices; /* seen; and what the last one said: */
    uint64_t idle_session;
    uint64_t idle_floor;
    uint64_t idle_number;                       /* of its packet */
    uint32_t packets_of_shard[FAKE_SHARDS_MAX]; /* seen, of any kind */
    uint64_t journal_done_seq;
    uint64_t series; /* 0: the node's number */
    bool is_series_alone;
    uint64_t applied_index; /* as it says in every answer */
    uint64_t contact_age_us;
    uint64_t session_ttl_ns;
    uint64_t cluster; /* 0: it knows none */
    uint32_t era;
    uint32_t shards_behind;       /* these tell the era before it, a bit each */
    uint64_t configuration_index; /* as hellos are answered; committed up to here: */
    uint64_t commit_index;
    const struct wire_members *members; /* what questions for them are answered with; NULL: not */
    uint32_t members_asked;
    bool is_older;         /* of the release before: it takes no cookie and no padded hello */
    const uint8_t *cookie; /* comes with the answer to a padded hello; NULL: none */
    bool is_shown;         /* a cookie, by the last packet: */
    uint8_t shown[COOKIE_SIZE_BYTES];
    uint64_t seen_id; /* of the last packet */
    uint64_t message_id;
    uint32_t
        path_bytes; /* of the largest packets that its path carries; 0: it answers no question */
    uint32_t path_questions; /* seen */
    uint32_t answer_bytes;   /* that the last packet allows for its answer */
    uint32_t lost_piece;     /* of the next message that it sends; 0: none */
    struct arena arena;
    struct reassembly *reassembly;
    /* The message that fake_expect returned. */
    struct sockaddr_in from;
    uint16_t shard; /* that it was for; what is sent is of this shard, too */
    uint8_t type;
    uint32_t packets; /* seen, of any kind */
    uint32_t pieces;  /* of messages of several packets among them */
    struct wire_write write;
    struct wire_request
        request; /* its floor and seqs as if they began at 1; and what lies below: */
    uint64_t seq_base;
    struct wire_op ops[REQUEST_OPS_MAX];
    struct wire_read read;
    struct wire_read_op read_ops[REQUEST_OPS_MAX];
    struct span body;
};

/* Of one shard. */
void fake_open(struct fake *fake, uint16_t id);
void fake_open_shards(struct fake *fake, uint16_t id, uint16_t shard_count);

void fake_close(struct fake *fake);

/* Options that reach these nodes; the caller frees nothing. */
struct plx_options fake_options(const struct fake *fakes, size_t count);

struct plx_client *fake_client(const struct plx_options *options);

void fake_send_as(struct fake *fake, uint64_t cluster_id, uint8_t type, struct span body);

void fake_send(struct fake *fake, uint8_t type, struct span body);

void fake_hello(struct fake *fake, uint64_t nonce);

/* The cookie alone, as the answer to a message of the client. */
void fake_cookie(struct fake *fake, uint8_t type, uint64_t message_id);

struct wire_reply fake_reply_head(const struct fake *fake, uint64_t number,
                                  enum wire_status status);

/* A refusal of the request `number`. */
void fake_refuse(struct fake *fake, uint8_t type, uint64_t number, enum wire_status status);

/* Its client asks too much, and is to come again after this time. */
void fake_refuse_until(struct fake *fake, uint8_t type, uint64_t number, uint64_t retry_us);

/* The seq as the session of the last request has it. */
uint64_t fake_wire_seq(const struct fake *fake, uint64_t seq);

/* One op as the answer to request `number`. */
void fake_answer(struct fake *fake, uint8_t type, uint64_t number, const struct wire_reply_op *op);

void fake_outcome(struct fake *fake, uint64_t number, uint64_t seq, enum wire_outcome outcome);

/* Every op of the write that arrived last, in one reply. */
void fake_outcome_all(struct fake *fake, enum wire_outcome outcome);

void fake_decode(struct fake *fake);

/* One packet, if there is one; true when it completes a message, a notice that a session is idle
 * excepted. */
bool fake_receive(struct fake *fake);

/* Hellos and registrations are answered by the way; true when that was what arrived. */
bool fake_is_routine(struct fake *fake);

/* True when a message that is no routine waits at the node. */
bool fake_try(struct fake *fake);

/* Polls the client until a message of this type reaches the node. */
void fake_expect(struct fake *fake, struct plx_client *client, uint8_t type);

/* How one operation ended. */
struct ending {
    uint32_t count;
    struct plx_response response;
};

void ending_done(void *context, const struct plx_response *response);

/* Polls the client, and lets the node do its routine, until the operation has ended. */
void fake_finish(struct fake *fake, struct plx_client *client, const struct ending *ending);

struct plx_op set_op(const char *key, const char *value, struct ending *ending);

struct plx_op get_op(const char *key, struct ending *ending);

/* One node, one handle that knows it, and how an operation of it ended. */
struct stage {
    struct fake fake;
    struct plx_client *client;
    struct ending ending;
};

/* `options` NULL: fake_options; else what those are changed to, but for the endpoints. */
void stage_open(struct stage *stage, const struct plx_options *options);

void stage_close(struct stage *stage);

/* Begins a swap of "key"; its ending is the stage's. */
void stage_swap(struct stage *stage, const struct plx_call *call);

/* A fence of the stage's operation arrives at the node. */
void stage_await_fence(struct stage *stage);

struct plx_statistics fake_statistics(struct plx_client *client);

#endif
