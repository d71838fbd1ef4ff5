/* Which of several addresses of a node is used. */
#include "server/address_book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct address address_new(uint8_t host)
{
    const uint8_t ipv4[4] = {10, 77, 0, host};
    return address_of_ipv4(ipv4, 7400);
}

static struct raft_configuration configuration_new(uint16_t id, uint8_t host)
{
    struct raft_configuration made = {.cluster = 1, .slot_count = 1};
    struct address address = address_new(host);
    made.members[0] = (struct raft_member){
        .storage = {.birth = 5, .id = id}, .membership = RAFT_VOTER, .port = address.port};
    memcpy(made.members[0].address, address.ip, sizeof(address.ip));
    return made;
}

static void assert_found(const struct address_book *book, uint16_t id, uint8_t host)
{
    const struct address *found = address_book_find(book, id);
    struct address expected = address_new(host);
    expected.port = (uint16_t)(expected.port + book->shard);
    assert_non_null(found);
    assert_true(address_is_equal(found, &expected));
}

static void test_address_book_takes_the_better_source(void **state)
{
    (void)state;
    static struct address_book book = {.shard = 3};
    struct address peer = address_new(1);
    struct address told = address_new(9);
    assert_null(address_book_find(&book, VOTER_ID_MAX));
    assert_null(address_book_find(&book, 0));
    address_book_peer(&book, VOTER_ID_MAX, &peer);
    assert_found(&book, VOTER_ID_MAX, 1);
    struct raft_configuration configuration = configuration_new(VOTER_ID_MAX, 2);
    address_book_follow(&book, &configuration);
    assert_found(&book, VOTER_ID_MAX, 2);
    assert_int_equal(address_book_find_peer(&book, VOTER_ID_MAX)->ip[15], 1);
    address_book_note(&book, VOTER_ID_MAX, &told);
    assert_found(&book, VOTER_ID_MAX, 9);
    configuration.number++;
    address_book_follow(&book, &configuration); /* nothing new of this node */
    assert_found(&book, VOTER_ID_MAX, 9);
    configuration = configuration_new(VOTER_ID_MAX, 4);
    address_book_follow(&book, &configuration);
    assert_found(&book, VOTER_ID_MAX, 4);
}

static void test_address_book_keeps_what_a_configuration_does_not_tell(void **state)
{
    (void)state;
    static struct address_book book;
    struct address peer = address_new(1);
    address_book_peer(&book, 7, &peer);
    struct raft_configuration configuration = configuration_new(7, 2);
    configuration.members[0].port = 0;
    address_book_follow(&book, &configuration);
    assert_found(&book, 7, 1);
    configuration.slot_count = 0;
    address_book_follow(&book, &configuration);
    assert_found(&book, 7, 1);
}

static void test_address_book_tells_the_address_of_shard_0(void **state)
{
    (void)state;
    static struct address_book book = {.shard = 3};
    struct address address = address_new(1);
    struct address base;
    address.port = 7403;
    assert_true(address_book_base(&book, &address, &base));
    assert_int_equal(base.port, 7400);
    address.port = 3;
    assert_false(address_book_base(&book, &address, &base));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_book_takes_the_better_source),
        cmocka_unit_test(test_address_book_keeps_what_a_configuration_does_not_tell),
        cmocka_unit_test(test_address_book_tells_the_address_of_shard_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
