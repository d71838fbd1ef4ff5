/* A handle with a key, against a node of its own thread that seals as nodes do: what counts, what
 * the handle does when the node has forgotten it, and which key files open no handle. */
#include "security/key_file.h"
#include "server/client_seals.h"
#include "tests/unit/client/fake_node.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define MS             UINT64_C(1000000)
#define WAIT_US        1000
#define FLOOD          300
#define NODE           2
#define PATH_MAX_BYTES 64

/* What the test changes lies in one word: the thread looks at it before each packet. */
enum whim {
    WHIM_NONE,
    WHIM_START = 1,   /* forgets its clients, once */
    WHIM_PLAIN = 2,   /* answers unsealed */
    WHIM_FLOODED = 4, /* wants cookies, from the next start on */
    WHIM_OPEN = 8,    /* takes unsealed packets, too */
};

struct keyed_node {
    int fd;
    uint16_t port;
    struct arena arena;
    struct seal_engine engine;
    struct fork_guard guard;
    struct security_options security;
    struct client_seals *seals;
    struct address client;
    uint64_t message_id;
    pthread_t thread;
    atomic_bool is_stopped; /* relaxed: it orders nothing */
    atomic_uint whims;      /* likewise */
    atomic_uint handshakes; /* likewise: seen; */
    atomic_uint sealed;     /* and sealed packets that opened, */
    atomic_uint plain;      /* and others */
};

static char folder[32];
static char client_path[PATH_MAX_BYTES];
static char root_path[PATH_MAX_BYTES];
static struct keyed_node node;
static struct key root;

static uint64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

/* ---- the node ---- */

static void node_flood(void)
{
    uint8_t response[HANDSHAKE_RESPONSE_BYTES];
    uint8_t forged[HANDSHAKE_INITIATION_BYTES] = {1, 3, HANDSHAKE_CLIENT, [28] = 1, [64] = 'x'};
    const struct peer_seals_question question = {.from = {.port = 1},
                                                 .initiation = span_of(forged, sizeof(forged)),
                                                 .now_ns = clock_now_ns() + 1000 * MS};
    for (uint32_t i = 0; i < FLOOD; i++)
        (void)!client_seals_answer(node.seals, &question, response);
}

static void node_begin(void)
{
    const struct peer_seals_options options = {.security = &node.security,
                                               .engine = &node.engine,
                                               .guard = &node.guard,
                                               .cluster_id = wire_cluster_id(FAKE_CLUSTER),
                                               .incarnation = 5,
                                               .now_ns = clock_now_ns()};
    if (node.seals != NULL)
        arena_deinit(&node.arena);
    node.security.seed.bytes[0]++;
    assert_int_equal(arena_init(&node.arena, client_seals_arena_bytes()), OK);
    node.seals = client_seals_init(&node.arena, &options);
    if ((atomic_load_explicit(&node.whims, memory_order_relaxed) & WHIM_FLOODED) != 0)
        node_flood();
}

static void node_send(const struct sockaddr_in *to, uint8_t type, struct span body, bool is_sealed)
{
    uint8_t data[PACKET_SIZE_BYTES_MAX];
    const struct wire_keys keys = {.is_sealed = is_sealed};
    const struct wire_message_header header = {.type = type,
                                               .sender = NODE,
                                               .piece_size_bytes = PACKET_PAYLOAD_SIZE_BYTES_MAX,
                                               .cluster_id = wire_cluster_id(FAKE_CLUSTER),
                                               .message_id = ++node.message_id};
    uint32_t size = wire_piece_encode(data, &keys, &header, body, 0);
    if (is_sealed)
        assert_int_equal(
            client_seals_close(node.seals, &node.client, (struct client_packet){data, size}), OK);
    (void)!sendto(node.fd, data, size, 0, (const struct sockaddr *)to, sizeof(*to));
}

static void node_shakes_hands(const struct sockaddr_in *from, const struct wire_packet *packet)
{
    uint8_t response[HANDSHAKE_RESPONSE_BYTES];
    const struct peer_seals_question question = {
        .from = node.client, .initiation = packet->payload, .now_ns = clock_now_ns()};
    atomic_fetch_add_explicit(&node.handshakes, 1, memory_order_relaxed);
    if (client_seals_answer(node.seals, &question, response) == OK)
        node_send(from, WIRE_HANDSHAKE_REPLY, span_of(response, sizeof(response)), false);
}

static void node_greets(const struct sockaddr_in *from, const struct wire_packet *packet,
                        bool is_sealed)
{
    uint8_t body[512];
    struct wire_hello hello;
    struct wire_writer writer = {.data = body, .capacity_bytes = sizeof(body)};
    if (packet->header.type != WIRE_HELLO || wire_hello_decode(packet->payload, &hello) != OK)
        return;
    const struct wire_hello_reply reply = {.nonce = hello.nonce,
                                           .incarnation = 5,
                                           .cluster = FAKE_CLUSTER_NUMBER,
                                           .node = NODE,
                                           .leader = NODE,
                                           .node_count = 3,
                                           .shard_count = 1,
                                           .lane_count = 1,
                                           .session_ttl_ns = FAKE_SESSION_TTL_NS,
                                           .granularity = PLX_PAGE};
    wire_hello_reply_encode(&writer, &reply);
    node_send(from, WIRE_HELLO_REPLY, span_of(body, writer.size_bytes), is_sealed);
}

static void node_receive(uint8_t *data, uint32_t size, const struct sockaddr_in *from)
{
    uint32_t whims = atomic_load_explicit(&node.whims, memory_order_relaxed);
    const struct span bytes = span_of(data, size);
    struct wire_keys keys = {.is_sealed = wire_is_sealed(bytes)};
    struct wire_packet packet;
    node.client = address_of_ipv4((const uint8_t *)&from->sin_addr.s_addr, ntohs(from->sin_port));
    if (keys.is_sealed &&
        client_seals_open(node.seals, &node.client, (struct client_packet){data, size},
                          clock_now_ns()) != OK)
        return;
    if (wire_packet_decode(bytes, &keys, wire_cluster_id(FAKE_CLUSTER), &packet) != OK)
        return;
    if (packet.header.type == WIRE_HANDSHAKE) {
        node_shakes_hands(from, &packet);
        return;
    }
    atomic_fetch_add_explicit(keys.is_sealed ? &node.sealed : &node.plain, 1, memory_order_relaxed);
    if (keys.is_sealed || (whims & WHIM_OPEN) != 0)
        node_greets(from, &packet, keys.is_sealed && (whims & WHIM_PLAIN) == 0);
}

static void *node_run(void *context)
{
    (void)context;
    while (!atomic_load_explicit(&node.is_stopped, memory_order_relaxed)) {
        struct timeval wait = {.tv_usec = WAIT_US};
        struct sockaddr_in from = {.sin_family = AF_INET};
        socklen_t from_size = sizeof(from);
        uint8_t data[PACKET_SIZE_BYTES_MAX];
        fd_set set;
        FD_ZERO(&set);
        FD_SET(node.fd, &set);
        (void)select(node.fd + 1, &set, NULL, NULL, &wait);
        if ((atomic_fetch_and_explicit(&node.whims, ~(uint32_t)WHIM_START, memory_order_relaxed) &
             WHIM_START) != 0)
            node_begin();
        ssize_t size = recvfrom(node.fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from,
                                &from_size);
        if (size > 0)
            node_receive(data, (uint32_t)size, &from);
    }
    return NULL;
}

static void whims_set(uint32_t whims)
{
    atomic_store_explicit(&node.whims, whims, memory_order_relaxed);
    while ((whims & WHIM_START) != 0 &&
           (atomic_load_explicit(&node.whims, memory_order_relaxed) & WHIM_START) != 0)
        (void)sched_yield();
}

/* ---- the test ---- */

static void key_make(char *path, const char *name, const struct key *key)
{
    char reason[KEY_FILE_REASON_BYTES];
    snprintf(path, PATH_MAX_BYTES, "%s/%s", folder, name);
    assert_int_equal(key_file_write(path, key, reason), OK);
}

static int setup(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    snprintf(folder, sizeof(folder), "/tmp/pollux-seals-XXXXXX");
    assert_non_null(mkdtemp(folder));
    root = (struct key){.kind = KEY_OF_CLUSTER, .id = 3, .name = "prod", .secret = {{7}}};
    struct key client = {.kind = KEY_OF_CLIENT, .id = 3, .generation = 4, .name = "web"};
    secret_of_client(&root.secret, span_of("web", 3), 4, &client.secret);
    key_make(root_path, "root.key", &root);
    key_make(client_path, "web.key", &client);
    memset(&node, 0, sizeof(node));
    node.security = (struct security_options){.clients = SECURITY_REQUIRED,
                                              .is_encrypted = true,
                                              .keys = {{.id = 3, .root = root.secret}}};
    node.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(node.fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(node.fd, (struct sockaddr *)&at, &size), 0);
    node.port = ntohs(at.sin_port);
    assert_int_equal(seal_engine_init(&node.engine), OK);
    assert_int_equal(fork_guard_init(&node.guard), OK);
    node_begin();
    assert_int_equal(pthread_create(&node.thread, NULL, node_run, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    atomic_store_explicit(&node.is_stopped, true, memory_order_relaxed);
    assert_int_equal(pthread_join(node.thread, NULL), 0);
    arena_deinit(&node.arena);
    fork_guard_deinit(&node.guard);
    close(node.fd);
    assert_int_equal(unlink(root_path), 0);
    assert_int_equal(unlink(client_path), 0);
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

static struct plx_options options_of(const char *key_file)
{
    static char endpoint[32];
    struct plx_options options;
    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", node.port);
    plx_options_init(&options);
    options.endpoints = endpoint;
    options.cluster = FAKE_CLUSTER;
    options.key_file = key_file;
    options.timeout_ns = 3000 * MS;
    return options;
}

static struct plx_client *open_keyed(void)
{
    const struct plx_options options = options_of(client_path);
    return fake_client(&options);
}

static enum plx_outcome ping(struct plx_client *client)
{
    struct plx_node found;
    return plx_ping(client, 0, 0, 0, &found);
}

static void test_seals_carry_what_a_handle_says(void **state)
{
    (void)state;
    struct plx_client *client = open_keyed();
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(ping(client), PLX_OK);
    plx_close(client);
    assert_int_equal(atomic_load(&node.plain), 0);
    assert_true(atomic_load(&node.sealed) >= 20);
    assert_true(atomic_load(&node.handshakes) < 5);
}

static void test_seals_let_nothing_count_that_is_not_sealed(void **state)
{
    (void)state;
    struct plx_options options = options_of(client_path);
    options.timeout_ns = 200 * MS;
    struct plx_client *client = fake_client(&options);
    struct plx_statistics before;
    struct plx_statistics after;
    plx_statistics(client, &before);
    whims_set(WHIM_PLAIN);
    assert_int_equal(ping(client), PLX_E_UNREACHABLE);
    plx_statistics(client, &after);
    assert_true(after.packets_dropped > before.packets_dropped);
    whims_set(WHIM_NONE);
    assert_int_equal(ping(client), PLX_OK);
    plx_close(client);
}

static void test_seals_are_agreed_on_anew_after_a_start_of_the_node(void **state)
{
    (void)state;
    struct plx_client *client = open_keyed();
    assert_int_equal(ping(client), PLX_OK);
    for (uint32_t i = 0; i < 3; i++) {
        whims_set(WHIM_START);
        assert_int_equal(ping(client), PLX_OK);
    }
    assert_int_equal(atomic_load(&node.plain), 0);
    plx_close(client);
}

static void test_seals_bring_a_cookie_where_one_is_wanted(void **state)
{
    (void)state;
    whims_set(WHIM_FLOODED | WHIM_START);
    struct plx_client *client = open_keyed();
    assert_int_equal(ping(client), PLX_OK);
    plx_close(client);
    assert_true(atomic_load(&node.handshakes) >= 2);
}

static void test_seals_need_the_key_of_the_cluster(void **state)
{
    (void)state;
    char path[PATH_MAX_BYTES];
    const struct key other = {
        .kind = KEY_OF_CLIENT, .id = 3, .generation = 4, .name = "web", .secret = {{9}}};
    key_make(path, "other.key", &other);
    struct plx_options options = options_of(path);
    options.timeout_ns = 200 * MS;
    struct plx_client *client = fake_client(&options);
    whims_set(WHIM_OPEN);
    assert_int_equal(ping(client), PLX_E_UNREACHABLE);
    plx_close(client);
    assert_int_equal(unlink(path), 0);
    assert_true(atomic_load(&node.handshakes) > 1);
    assert_int_equal(atomic_load(&node.sealed), 0);
    assert_int_equal(atomic_load(&node.plain), 0); /* nothing is said to whom cannot be believed */
}

/* A child of the process would give packets numbers that the parent gives, too. */
static void test_seals_end_with_a_fork(void **state)
{
    (void)state;
    struct plx_options options = options_of(client_path);
    int status = 0;
    options.timeout_ns = 200 * MS;
    struct plx_client *client = fake_client(&options);
    assert_int_equal(ping(client), PLX_OK);
    pid_t child = fork();
    if (child == 0)
        _exit(ping(client) == PLX_E_FORKED ? 42 : 1);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    plx_close(client);
}

static void expect_no_handle(const char *path, const char *said)
{
    char reason[512] = "";
    struct plx_client *client = NULL;
    const struct plx_options options = options_of(path);
    assert_int_equal(plx_open(&options, &client, reason, sizeof(reason)), PLX_E_ARGUMENT);
    assert_null(client);
    assert_non_null(strstr(reason, path));
    assert_non_null(strstr(reason, said));
}

static void test_seals_say_what_is_wrong_with_a_key_file(void **state)
{
    (void)state;
    expect_no_handle("/tmp/pollux-no-such.key", "key_file");
    expect_no_handle(root_path, "the root key of a cluster");
    assert_int_equal(chmod(client_path, 0644), 0);
    expect_no_handle(client_path, "others");
    assert_int_equal(chmod(client_path, 0600), 0);
    plx_close(open_keyed());
}

/* A handle has room for the keys of every shard of every node: 2,500 pages. */
static void test_seals_close_touches_what_was_used_alone(void **state)
{
    (void)state;
    struct rusage before, after;
    struct plx_client *client = open_keyed();
    assert_int_equal(ping(client), PLX_OK);
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    plx_close(client);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_in_range(after.ru_minflt - before.ru_minflt, 0, 500);
}

#define SEALS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEALS_TEST(test_seals_carry_what_a_handle_says),
        SEALS_TEST(test_seals_let_nothing_count_that_is_not_sealed),
        SEALS_TEST(test_seals_are_agreed_on_anew_after_a_start_of_the_node),
        SEALS_TEST(test_seals_bring_a_cookie_where_one_is_wanted),
        SEALS_TEST(test_seals_need_the_key_of_the_cluster),
        SEALS_TEST(test_seals_close_touches_what_was_used_alone),
        SEALS_TEST(test_seals_end_with_a_fork),
        SEALS_TEST(test_seals_say_what_is_wrong_with_a_key_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
