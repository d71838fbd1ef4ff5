/*
 * The inside of a handle. One mutex guards all of it but `cancel_epoch`; whoever holds it runs
 * turns (client_turn): receive, look at the times of the operations, send what is due.
 *
 * A transmission remembers which operations went out under which packet number, so that a refusal
 * takes back exactly that one.
 */
#ifndef POLLUX_CLIENT_CLIENT_INTERNAL_H
#define POLLUX_CLIENT_CLIENT_INTERNAL_H

#include "base/address.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/prng.h"
#include "client/include/pollux.h"
#include "client/pending.h"
#include "wire/reassembly.h"
#include "wire/wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define ENDPOINT_NAME_SIZE   128
#define TRANSMISSIONS_MAX    1024 /* remembered; a power of two */
#define PACKETS_IN_BURST     32
#define PACKETS_IN_BURSTS    8 /* bursts received in one turn */
#define PACKETS_OUT_MAX      64
#define REPLY_SLOTS          8 /* replies of several packets under way */
#define LARGE_SENDS_MAX      4 /* requests of several packets under way */
#define LARGE_BURST_PIECES   32
#define LARGE_RESENDS_MAX    2 /* of the same message, to fill holes, before it gets a new number */
#define SESSIONS_RETIRED_MAX 8 /* kept alive for the tokens of theirs that are outstanding */
#define SESSIONS_MAX         (1 + SESSIONS_RETIRED_MAX)
#define EXCHANGE_BYTES_MAX   (16 * 1024)

#define RTO_INITIAL_NS (10 * 1000 * 1000)
#define RTO_MAX_NS     (100 * 1000 * 1000)
/* No way to a node takes longer: what does was spent waiting there, for a quorum perhaps. */
#define ROUND_TRIP_MAX_NS     (500 * 1000 * 1000)
#define LARGE_PAUSE_NS        (100 * 1000) /* between bursts of pieces */
#define HELLO_FIRST_NS        (1000 * 1000)
#define HELLO_MAX_NS          (20 * 1000 * 1000)
#define NONCE_AGE_MAX_NS      (1000 * 1000 * 1000) /* and so the longest round trip to a node */
#define PENDING_WAIT_NS       (2 * 1000 * 1000) /* between questions whether writes are decided */
#define PENDING_DOUBLINGS     5                 /* of that wait: without a quorum it may be long */
#define SESSIONS_FULL_WAIT_NS (1000 * 1000 * 1000) /* before another registration */
#define REFUSALS_QUICK        7 /* then the wait after a refusal doubles, so often */
#define REFUSAL_DOUBLINGS     3
#define HOME_SILENCE_MAX      2 /* unanswered waits before another node becomes the home */

/*
 * The phases of an operation. Only op_enter_phase moves an operation from one to another.
 *
 * | from    | to      | when                                                                    |
 * | ------- | ------- | ----------------------------------------------------------------------- |
 * | (free)  | SEND    | the caller asks for it                                                  |
 * | (free)  | RESOLVE | the caller asks what became of a token                                  |
 * | SEND    | DONE    | answered; or given up, and no transmission of it can take effect        |
 * | SEND    | FENCE   | given up: a consistent write, and a transmission may take effect        |
 * | SEND    | RECALL  | given up: a relaxed write, and its node may have it                     |
 * | FENCE   | DONE    | the fence is answered, or its time is over: PLX_UNKNOWN                 |
 * | RECALL  | DONE    | the node has answered, or every transmission was refused, or the time   |
 * |         |         | is over: PLX_UNKNOWN                                                    |
 * | RESOLVE | DONE    | the fence is answered, or its time is over: PLX_UNKNOWN                 |
 *
 * "Given up": the caller's time is over, plx_cancel came, or a node refused for good. In each phase
 * the operation waits to be transmitted at `due_ns`, or (is_sent) for a reply until `due_ns`. A
 * write whose session is gone and that nobody can have executed stays in SEND and begins anew. A
 * relaxed write whose node has restarted stays in SEND, too: until all is refused there, what is
 * transmitted of it only asks (op_is_recall).
 */
enum op_phase {
    PHASE_DONE, /* its slot is free */
    PHASE_SEND,
    PHASE_FENCE,   /* a fence is transmitted, and the operation itself no more */
    PHASE_RECALL,  /* what is transmitted asks its node what became of it, and executes nothing */
    PHASE_RESOLVE, /* a fence is transmitted for a token */
    PHASE_COUNT
};

/* What may share a packet: the same kind to the same node. */
enum op_class { CLASS_WRITE, CLASS_READ, CLASS_RELAXED_READ, CLASS_RELAXED_WRITE, CLASS_COUNT };

struct large_send {
    uint32_t op; /* UINT32_MAX: free */
    uint8_t endpoint;
    bool is_recall;
    uint64_t incarnation;
    uint64_t message_id;
    uint32_t pieces_sent;
    uint32_t piece_count;
    uint32_t resends;
    uint64_t due_ns; /* of the next burst; UINT64_MAX: all sent */
    size_t body_size_bytes;
    uint8_t *body; /* MESSAGE_SIZE_BYTES_MAX */
};

struct op {
    enum op_phase phase;
    enum op_class class;
    bool is_sent;          /* and not answered yet */
    uint32_t cancel_epoch; /* as it was when the operation began */
    uint32_t active_at;
    uint32_t generation; /* tells this use of the slot from the one before */
    struct plx_op request;
    uint64_t session;       /* that `seq` belongs to; 0: none yet */
    uint64_t seq;           /* 0: none yet */
    uint64_t phase_end_ns;  /* when the phase is over, answered or not; UINT64_MAX: never */
    uint64_t fence_wait_ns; /* how long FENCE or RECALL may last */
    uint64_t due_ns;
    uint32_t attempts;
    uint32_t waits;                  /* for pending writes, one after the other */
    uint32_t unanswered;             /* transmissions that may still, or did, take effect */
    uint64_t first_transmitted_ns;   /* of those */
    uint64_t transmitted_ns;         /* the last of those */
    enum plx_outcome undone_outcome; /* what it ends as where it is certain not to take effect */
    struct large_send *large;
    int32_t endpoint;       /* relaxed write: that it was sent to, and stays with; -1: none */
    uint64_t incarnation;   /* of that node, when it was first sent */
    uint64_t pending_stamp; /* of the pending writes that its first transmission cancelled */
    uint64_t value_version; /* of the value that is being read on */
    uint32_t value_received_bytes;
    uint8_t *value_buffer; /* VALUE_SIZE_BYTES_MAX */
};

enum transmission_kind { TRANSMISSION_NONE, TRANSMISSION_OPS, TRANSMISSION_SESSION };

struct transmission {
    uint64_t number;
    uint64_t sent_ns;
    uint64_t session;
    enum transmission_kind kind;
    bool is_read;
    bool is_recall; /* executes nothing */
    bool is_timed;  /* its round trip has been taken */
    uint8_t endpoint;
    bool has_cancels; /* which are answered, too */
    uint16_t op_count;
    uint64_t answered; /* a bit for each op */
    uint16_t ops[REQUEST_OPS_MAX];
    uint32_t generations[REQUEST_OPS_MAX];
    uint32_t offsets[REQUEST_OPS_MAX]; /* reads: where in the value the chunk asked for begins */
};
static_assert(REQUEST_OPS_MAX <= 64, "one bit of `answered` for each op");

struct endpoint {
    char name[ENDPOINT_NAME_SIZE];
    struct address address;
    struct sockaddr_storage socket_address;
    socklen_t socket_address_size;
    uint16_t node;        /* 0: not known yet */
    uint64_t incarnation; /* 0: not known yet */
    uint64_t term;
    uint64_t leading_ns; /* when it last said that it leads with a quorum; 0: it does not */
    uint64_t greeted_ns;
    uint64_t heard_ns;           /* when it last answered, in this incarnation */
    uint64_t journal_done_seq;   /* up to this none of its relaxed writes is pending... */
    uint64_t journal_done_index; /* ...and what was decided of them is applied at this index */
    uint64_t nonce;              /* of the hello that is unanswered; 0: none */
    uint64_t nonce_ns;
    uint32_t silence;
};

struct session {
    uint64_t id;    /* 0: none */
    uint64_t nonce; /* of the registration under way */
    uint64_t next_seq;
    uint64_t floor;
    uint64_t active_ns; /* when it last was known to be alive */
    uint64_t due_ns;    /* next registration or renewal at the earliest */
    uint32_t attempts;
    uint32_t pins; /* seqs whose tokens are outstanding */
    bool is_wanted;
    uint64_t full_until_ns; /* the cluster has refused to open one more, and that is news */
    uint64_t is_finished[SESSION_WINDOW / 64]; /* by seq modulo the window */
};

/* Smoothed round trip and its variation (Jacobson and Karels, 1988; RFC 6298). */
struct round_trip {
    uint64_t smoothed_ns;
    uint64_t variation_ns;
};

/* One question to one node, outside of any session. */
struct exchange {
    bool is_active;
    bool is_done;
    uint8_t reply_type;
    uint8_t endpoint;
    uint64_t number;
    uint64_t sent_ns;
    uint64_t round_trip_ns;
    size_t size_bytes;
    uint8_t body[EXCHANGE_BYTES_MAX];
};

struct packet_out {
    uint8_t endpoint;
    uint32_t size_bytes;
    uint8_t bytes[PACKET_SIZE_BYTES_MAX];
};

struct plx_client {
    struct arena arena;
    pthread_mutex_t mutex; /* recursive: a callback may submit */
    struct plx_options options;
    char cluster[PLX_CLUSTER_SIZE_MAX];
    uint64_t cluster_id;
    struct wire_keys keys; /* of packets, in and out */
    int socket_fd;
    int wake_fd;
    _Atomic uint32_t cancel_epoch; /* bumped by plx_cancel (release), read by calls (acquire) */
    uint32_t cancel_seen;          /* what came later has cancelled something yet to be ended */
    bool is_in_callback;
    struct prng prng;  /* jitter, and what only has to be unlikely to repeat */
    struct prng names; /* what must differ between handles, whatever their seeds */
    uint64_t now_ns;
    uint64_t spin_until_ns;

    struct endpoint endpoints[PLX_ENDPOINTS_MAX];
    uint32_t endpoint_count;
    uint32_t home;
    bool is_home_sought; /* it was silent, and nobody has answered since */
    int32_t last_leader; /* -1: none known */
    uint64_t last_leader_term;
    bool needs_leader; /* somebody waits for one */
    uint64_t hello_due_ns;
    uint64_t hello_interval_ns;
    uint32_t hello_rounds;

    struct session sessions[SESSIONS_MAX]; /* the first is the one in use */
    uint64_t relaxed_identity;
    uint64_t relaxed_seq;
    uint64_t relaxed_floor; /* no relaxed write under way has a lower seq */
    struct pending_table pending;
    uint64_t seen_index; /* the newest write that an answer showed */
    uint64_t packet_number;
    uint64_t message_id;

    struct op *ops; /* options.window */
    uint16_t active[PLX_WINDOW_MAX];
    uint32_t active_count;
    uint16_t free_ops[PLX_WINDOW_MAX];
    uint32_t free_count;
    uint64_t timer_ns; /* operations are looked at again then */
    size_t ended_count;
    uint32_t gathered_count; /* begun since something was last sent */
    bool is_home_silent;     /* the home left something unanswered in this turn */

    struct transmission *transmissions;
    struct round_trip round_trips[2]; /* of writes, of reads */
    struct large_send large[LARGE_SENDS_MAX];
    struct exchange exchange;
    struct reassembly *reassembly;
    struct packet_out *out;
    uint32_t out_count;
    uint8_t *in; /* PACKETS_IN_BURST packets */
    uint8_t *sync_value;
    struct plx_statistics statistics;
};

/* ---- socket.c, or what a program links in its place ---- */
uint64_t clock_monotonic_ns(void);
uint64_t clock_realtime_us(void);
/* What nobody else draws: the seed of names that must differ between handles. */
uint64_t entropy_draw(void);
enum plx_outcome socket_open(struct plx_client *client, char *ret_reason, size_t reason_size);
void socket_close(struct plx_client *client);
/* Sends the packets that were gathered. */
void socket_flush(struct plx_client *client);
/* Receives what is there and hands each packet to packet_receive. */
void socket_receive(struct plx_client *client);
/* Waits until a packet, a wake-up, or `until_ns`. */
void socket_wait(struct plx_client *client, uint64_t until_ns);
/* Ends the wait under way, or the next one. Any thread; from a signal handler, too. */
void socket_wake(struct plx_client *client);

/* ---- packet.c ---- */
uint64_t message_id_next(struct plx_client *client);
/* One more packet to send; flushed when PACKETS_OUT_MAX are gathered. */
void socket_send_piece(struct plx_client *client, uint32_t endpoint,
                       const struct wire_message_header *header, struct span body, uint32_t piece);
/* A message of one packet under a fresh message id. */
void socket_send(struct plx_client *client, uint32_t endpoint, uint8_t wire_type, struct span body);
/* A packet arrived; a message that it completes goes to receive_message. */
void packet_receive(struct plx_client *client, const struct address *from, struct span bytes);

/* ---- endpoint.c ---- */
enum plx_outcome endpoints_parse(struct plx_client *client, const char *text, char *ret_reason,
                                 size_t reason_size);
/* -1: nobody is known to lead with a quorum, recently enough. */
int32_t leader_endpoint(const struct plx_client *client);
void leader_wanted(struct plx_client *client);
void leader_lost(struct plx_client *client, uint32_t endpoint, uint16_t hint);
void leader_confirmed(struct plx_client *client, uint32_t endpoint);
/* Greets the endpoint of a node, unless that was done a moment ago. */
void endpoint_ask(struct plx_client *client, uint16_t node);
/* Who answers there. */
void endpoint_is_node(struct endpoint *endpoint, uint16_t node);
/* What a node says of its relaxed writes. */
void endpoint_journal_done(struct plx_client *client, uint32_t endpoint, uint64_t done_seq,
                           uint64_t applied_index);
void endpoint_greet(struct plx_client *client, uint32_t endpoint);
/* It answered. */
void endpoint_heard(struct plx_client *client, uint32_t endpoint);
void endpoint_hello_reply(struct plx_client *client, uint32_t endpoint,
                          const struct wire_hello_reply *reply);
void endpoints_turn(struct plx_client *client);

/* ---- session.c ---- */
static inline struct session *session_current(struct plx_client *client)
{
    return &client->sessions[0];
}
struct session *session_find(struct plx_client *client, uint64_t id);
/* Gives the op a seq of the session in use; false: there is none, or its window is full. */
bool session_assign(struct plx_client *client, struct op *op);
/* The cluster has no room for one more, as far as is known now. */
bool session_is_refused(struct plx_client *client);
void session_finish_seq(struct plx_client *client, uint64_t id, uint64_t seq);
void session_pin(struct plx_client *client, uint64_t id);
void session_expired(struct plx_client *client, uint64_t id);
void session_replied(struct plx_client *client, const struct transmission *transmission,
                     const struct wire_reply *reply);
void sessions_turn(struct plx_client *client);
void sessions_give_back(struct plx_client *client);

/* ---- transmit.c, large.c ---- */
uint64_t round_trip_timeout_ns(struct plx_client *client, bool is_read, uint32_t attempts);
void round_trip_sample(struct plx_client *client, struct transmission *transmission);
struct transmission *transmission_new(struct plx_client *client, uint32_t endpoint);
void transmission_add(struct transmission *transmission, struct plx_client *client, struct op *op);
struct transmission *transmission_find(struct plx_client *client, uint64_t number);
uint32_t timeout_left_us(const struct plx_client *client, const struct op *op);
/* The operation, behind its cancels; how many there were. */
uint32_t op_encode(struct plx_client *client, const struct op *op, struct wire_writer *writer);
bool op_is_recall(const struct plx_client *client, const struct op *op);
uint64_t op_floor(struct plx_client *client, uint64_t session);
/* Sends every operation that is due and may leave. */
void transmit_due(struct plx_client *client);
void large_begin(struct plx_client *client, struct op *op, uint32_t endpoint);
void large_release(struct plx_client *client, struct op *op);
uint64_t large_turn(struct plx_client *client);

/* ---- op.c ---- */
void ops_init(struct plx_client *client);
/* NULL: the window is full. `token`: to be resolved; NULL: the request is an operation.
 * `cancel_epoch`: when the caller entered the handle. */
struct op *op_begin(struct plx_client *client, const struct plx_op *request,
                    const struct plx_token *token, uint32_t cancel_epoch);
/* Moves the operation to its next phase, as the table above has it, and does what the phase begins
 * with. */
void op_enter_phase(struct plx_client *client, struct op *op, enum op_phase phase);
static inline bool op_is_fence(const struct op *op)
{
    return op->phase == PHASE_FENCE || op->phase == PHASE_RESOLVE;
}
/* How it is encoded, if it is a write. */
enum wire_op_type op_wire_type(const struct op *op);
void op_retry(struct plx_client *client, struct op *op, uint64_t delay_ns);
/* Out of time, or refused for good: `outcome` at once where that is certain, else by a fence. */
void op_give_up(struct plx_client *client, struct op *op, enum plx_outcome outcome);
void op_finish(struct plx_client *client, struct op *op, struct plx_response *response);
void op_finish_plain(struct plx_client *client, struct op *op, enum plx_outcome outcome);
void op_wake_at(struct plx_client *client, uint64_t at_ns);
void ops_turn(struct plx_client *client);
void ops_cancel(struct plx_client *client);
/* A write of this handle that was pending is in the log: relaxed gets under way began after it. */
void ops_bound_staleness(struct plx_client *client);
uint64_t time_after(uint64_t now_ns, uint64_t wait_ns); /* UINT64_MAX: never */
/* Another leader: what the former one was asked is asked again at once. */
void ops_redirect(struct plx_client *client);

/* ---- receive.c, reply.c ---- */
void receive_message(struct plx_client *client, uint32_t endpoint, uint8_t wire_type,
                     struct span body);
void reply_receive(struct plx_client *client, uint32_t endpoint, bool is_read,
                   const struct wire_reply *reply);

/* ---- call.c ---- */
/* Taken when a call enters the handle, before it waits for anything. */
uint32_t cancel_epoch_of(const struct plx_client *client);
/* Whether plx_cancel came after that. */
bool is_cancelled_since(const struct plx_client *client, uint32_t epoch);
/* One operation of a call that entered then, waited for. */
struct plx_response call_run(struct plx_client *client, const struct plx_op *op, uint32_t epoch);
struct plx_response call_resolve(struct plx_client *client, const struct plx_token *token,
                                 const struct plx_call *call, uint32_t epoch);

/* ---- client.c ---- */
void client_lock(struct plx_client *client);
void client_unlock(struct plx_client *client);
void client_turn(struct plx_client *client);
/* Waits for the next thing to do, at most until `until_ns`. */
void client_wait(struct plx_client *client, uint64_t until_ns);
void reason_write(char *ret_reason, size_t reason_size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
