/* Names and addresses: one bad name among good ones, several addresses of a name, and names whose
 * addresses change. getaddrinfo is the test's. */
#include "client/client_internal.h"
#include "security/key_file.h"
#include "tests/unit/client/fake_node.h"

#include <net/if.h>
#include <netdb.h>
#include <stdlib.h>

#define SECOND_NS UINT64_C(1000000000)

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_found);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_found);

static _Atomic int lookups_later;
static _Atomic int lookups_moves;

/* As the real one, but for these names. */
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret_found)
{
    const char *at = host;
    bool is_numeric = (hints->ai_flags & AI_NUMERICHOST) != 0;
    if (!is_numeric && strcmp(host, "nowhere") == 0)
        return EAI_NONAME;
    if (!is_numeric && strcmp(host, "later") == 0 && lookups_later++ == 0)
        return EAI_AGAIN;
    if (!is_numeric && (strcmp(host, "here") == 0 || strcmp(host, "later") == 0))
        at = "127.0.0.1";
    if (!is_numeric && strcmp(host, "moves") == 0)
        at = lookups_moves++ == 0 ? "127.0.0.99" : "127.0.0.1";
    if (is_numeric || strcmp(host, "both") != 0)
        return __real_getaddrinfo(at, service, hints, ret_found);
    struct addrinfo *second;
    int error = __real_getaddrinfo("::1", service, hints, ret_found);
    if (error == 0 && (error = __real_getaddrinfo("127.0.0.1", service, hints, &second)) == 0)
        (*ret_found)->ai_next = second;
    return error;
}

static struct plx_client *names_open(const char *endpoints, int32_t preferred)
{
    struct plx_options options;
    struct plx_client *client = NULL;
    char reason[256];
    plx_options_init(&options);
    options.endpoints = endpoints;
    options.cluster = FAKE_CLUSTER;
    options.preferred_endpoint = preferred;
    assert_int_equal(plx_open(&options, &client, reason, sizeof(reason)), PLX_OK);
    assert_string_equal(reason, "");
    return client;
}

/* A set, consistent or at the preferred node, arrives at this fake; the other one does its
 * routine. */
static void assert_arrives(struct plx_client *client, bool is_relaxed, struct fake *to,
                           struct fake *other)
{
    struct ending ending = {0};
    struct plx_op op = set_op("key", "value", &ending);
    op.call = (struct plx_call){.is_relaxed = is_relaxed, .timeout_ns = 20 * SECOND_NS};
    uint64_t end_ns = clock_monotonic_ns() + 10 * SECOND_NS;
    assert_int_equal(plx_submit(client, &op), PLX_OK);
    while (!fake_try(to) && clock_monotonic_ns() < end_ns) {
        (void)plx_poll(client, FAKE_POLL_NS);
        if (other != NULL)
            (void)fake_try(other);
    }
    assert_int_equal(to->type, WIRE_WRITE);
    plx_cancel(client);
    while (plx_in_flight(client) > 0 && clock_monotonic_ns() < end_ns) {
        (void)plx_poll(client, FAKE_POLL_NS);
        if (fake_try(to) && to->type == WIRE_WRITE)
            fake_refuse(to, WIRE_WRITE_REPLY, to->write.packet_number, WIRE_STATUS_UNKNOWN);
    }
}

static void test_names_that_lead_nowhere_spoil_no_others(void **state)
{
    (void)state;
    struct fake fake;
    char endpoints[128];
    fake_open(&fake, 1);
    snprintf(endpoints, sizeof(endpoints), "nowhere:7400,here:%u", fake.port);
    struct plx_client *client = names_open(endpoints, -1);
    assert_int_equal(plx_endpoint_count(client), 2);
    assert_arrives(client, false, &fake, NULL);
    struct plx_node node;
    assert_int_equal(plx_ping(client, 0, 0, SECOND_NS / 50, &node), PLX_E_UNREACHABLE);
    plx_close(client);
    fake_close(&fake);
}

/* With a key one address at a time is tried, and there may be none. */
static void test_names_that_lead_nowhere_spoil_no_others_with_a_key(void **state)
{
    (void)state;
    struct plx_options options;
    struct plx_client *client;
    char folder[] = "/tmp/pollux-names-XXXXXX";
    char path[64];
    char reason[KEY_FILE_REASON_BYTES];
    const struct key key = {
        .kind = KEY_OF_CLIENT, .id = 3, .generation = 4, .name = "web", .secret = {{7}}};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/web.key", folder);
    assert_int_equal(key_file_write(path, &key, reason), OK);
    plx_options_init(&options);
    options.endpoints = "nowhere:7400,here:7401,both:7402";
    options.cluster = FAKE_CLUSTER;
    options.key_file = path;
    assert_int_equal(plx_open(&options, &client, NULL, 0), PLX_OK);
    const struct plx_call call = {.timeout_ns = SECOND_NS / 20};
    assert_int_equal(plx_set(client, plx_text("key"), plx_text("value"), &call).outcome,
                     PLX_TIMEOUT);
    assert_true(fake_statistics(client).packets_sent > 0);
    plx_close(client);
    assert_int_equal(unlink(path) + rmdir(folder), 0);
}

static void test_names_that_all_lead_nowhere_are_refused(void **state)
{
    (void)state;
    struct plx_options options;
    struct plx_client *client;
    char reason[256];
    plx_options_init(&options);
    options.endpoints = "nowhere:7400,nowhere:7401";
    options.cluster = FAKE_CLUSTER;
    assert_int_equal(plx_open(&options, &client, reason, sizeof(reason)), PLX_E_ARGUMENT);
    assert_non_null(strstr(reason, "cannot resolve 'nowhere:7401'"));
}

/* As localhost is on many hosts. */
static void test_names_of_several_addresses_are_tried_at_all(void **state)
{
    (void)state;
    struct fake fake;
    char endpoints[128];
    fake_open(&fake, 1);
    snprintf(endpoints, sizeof(endpoints), "both:%u", fake.port);
    struct plx_client *client = names_open(endpoints, -1);
    assert_int_equal(client->endpoints[0].candidate_count, 2);
    assert_arrives(client, false, &fake, NULL);
    assert_true(client->endpoints[0].is_confirmed);
    assert_true(address_is_ipv4(&client->endpoints[0].address));
    uint64_t hellos = fake_statistics(client).hellos;
    member_greet(client, shard_at(client, 0), 0);
    assert_true(fake_statistics(client).hellos == hellos + 1); /* it is known where it is */
    plx_close(client);
    fake_close(&fake);
}

/* A handle that was never used for anything else. */
static void test_names_of_several_addresses_are_asked_at_all(void **state)
{
    (void)state;
    struct fake fake;
    char endpoints[128];
    struct wire_hello hello;
    struct plx_node node;
    fake_open(&fake, 1);
    snprintf(endpoints, sizeof(endpoints), "both:%u", fake.port);
    struct plx_client *client = names_open(endpoints, -1);
    assert_int_equal(plx_ping(client, 0, 0, SECOND_NS / 50, &node), PLX_E_UNREACHABLE);
    assert_true(fake_receive(&fake)); /* not answered in time, but asked */
    assert_int_equal(fake.type, WIRE_HELLO);
    assert_int_equal(wire_hello_decode(fake.body, &hello), OK);
    plx_close(client);
    fake_close(&fake);
}

static void test_names_are_looked_up_again_while_a_node_is_silent(void **state)
{
    (void)state;
    struct fake fakes[2];
    char endpoints[128];
    fake_open(&fakes[0], 1);
    fake_open(&fakes[1], 2);
    fakes[1].is_leader = false;
    snprintf(endpoints, sizeof(endpoints), "moves:%u,later:%u", fakes[0].port, fakes[1].port);
    struct plx_client *client = names_open(endpoints, 1);
    assert_true(lookups_moves == 1 && lookups_later == 1);
    assert_arrives(client, false, &fakes[0], &fakes[1]);
    assert_arrives(client, true, &fakes[1], &fakes[0]);
    assert_true(lookups_moves >= 2 && lookups_later >= 2);
    plx_close(client);
    fake_close(&fakes[0]);
    fake_close(&fakes[1]);
}

static void test_names_of_one_link_keep_their_interface(void **state)
{
    (void)state;
    struct plx_client *client = names_open("[fe80::1%lo]:7400", -1);
    assert_true(client->endpoints[0].scope != 0);
    assert_int_equal(client->endpoints[0].scope, if_nametoindex("lo"));
    assert_null(client->lookup); /* its address cannot change */
    plx_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_that_lead_nowhere_spoil_no_others),
        cmocka_unit_test(test_names_that_lead_nowhere_spoil_no_others_with_a_key),
        cmocka_unit_test(test_names_that_all_lead_nowhere_are_refused),
        cmocka_unit_test(test_names_of_several_addresses_are_tried_at_all),
        cmocka_unit_test(test_names_of_several_addresses_are_asked_at_all),
        cmocka_unit_test(test_names_are_looked_up_again_while_a_node_is_silent),
        cmocka_unit_test(test_names_of_one_link_keep_their_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
