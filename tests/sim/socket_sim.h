/*
 * The simulated end of libpollux, in place of client/socket.c: the clocks and the
 * randomness of a client's host, and a socket on the simulated network. A host runs one program at
 * a time, a fiber, which gives way wherever the library waits; each handle has a port of its own,
 * so that what was meant for an earlier one is lost.
 */
#ifndef POLLUX_TESTS_SIM_SOCKET_SIM_H
#define POLLUX_TESTS_SIM_SOCKET_SIM_H

#include "client/client_internal.h"
#include "tests/sim/fiber.h"
#include "tests/sim/network.h"

#define SOCKET_SIM_INBOX_MAX 1024

/* Called before a handle's packets leave: its operations have their identities by then. */
struct socket_sim_watch {
    void (*before_flush)(void *context, const struct plx_client *client);
    void *context;
};

struct socket_sim {
    struct network *network;
    uint32_t host;
    uint32_t who; /* of its events */
    struct socket_sim_watch watch;
    struct fiber fiber;
    /* The clocks: monotonic = base + (1 + drift / 1e6) * virtual; wall = virtual + an offset. */
    uint64_t monotonic_base_ns;
    int64_t drift_per_million;
    uint64_t wall_base_ns;
    struct prng entropy;
    /* Packets that wait. */
    struct packet *inbox[SOCKET_SIM_INBOX_MAX];
    uint32_t inbox_head;
    uint32_t inbox_count;
    bool is_woken;            /* by plx_cancel */
    bool is_dying;            /* its process dies where it waits */
    bool is_muted;            /* nothing leaves any more */
    uint64_t wake_at_ns;      /* planned; 0: not */
    uint64_t paused_until_ns; /* its process is not run before; packets wait meanwhile */
    uint64_t stamp;
    uint32_t idle_in_a_row; /* waits that were over at once, without anything to receive */
};

/* The host whose clocks and socket the library gets. It stays in use until another is. */
void socket_sim_use(struct socket_sim *sim);

/* After its fields above the inbox are filled. */
void socket_sim_init(struct socket_sim *sim);
void socket_sim_deinit(struct socket_sim *sim);

/* A packet for the host: its program runs soon. */
void socket_sim_deliver(struct socket_sim *sim, struct packet *packet);
/* Its event: runs the program, unless the stamp is out of date. */
bool socket_sim_is_due(const struct socket_sim *sim, uint64_t stamp);
void socket_sim_run(struct socket_sim *sim);
/* Makes sure that the program runs no later than this, or than its pause is over. */
void socket_sim_plan(struct socket_sim *sim, uint64_t at_ns);
/* The process stands still until then. */
void socket_sim_pause(struct socket_sim *sim, uint64_t until_ns);
/* Its process dies where it waits; its handle is still to be closed, which tells nobody. */
void socket_sim_die(struct socket_sim *sim);
/* Nobody waits in its handle any more, not even for the handle to close. */
void socket_sim_forsake(struct plx_client *client);

#endif
