/* The keys of a node, from the files that its configuration names. */
#include "server/node_security.h"

#include "security/key_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[32];
    char paths[4][64];
    uint32_t path_count;
    struct config config;
    struct security_options security;
    char reason[512];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    snprintf(f->folder, sizeof(f->folder), "/tmp/pollux-keys-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->config.security_mode = SECURITY_REQUIRED;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < f->path_count; i++)
        assert_int_equal(unlink(f->paths[i]), 0);
    assert_int_equal(rmdir(f->folder), 0);
    free(f);
    return 0;
}

static const char *make_key(struct fixture *f, enum key_kind kind, uint8_t id, uint8_t fill)
{
    char reason[KEY_FILE_REASON_BYTES];
    struct key key = {.kind = kind, .id = id, .name = "prod"};
    char path[sizeof(f->paths[0])];
    memset(key.secret.bytes, fill, sizeof(key.secret.bytes));
    snprintf(path, sizeof(path), "%s/%u.key", f->folder, f->path_count);
    assert_int_equal(key_file_write(path, &key, reason), OK);
    memcpy(f->paths[f->path_count], path, sizeof(path));
    return f->paths[f->path_count++];
}

static void name_keys(struct fixture *f, const char *key, const char *other)
{
    snprintf(f->config.key_path, sizeof(f->config.key_path), "%s", key);
    snprintf(f->config.other_key_path, sizeof(f->config.other_key_path), "%s", other);
}

static enum error load(struct fixture *f)
{
    f->reason[0] = '\0';
    return node_security_load(&f->config, &f->security, f->reason, sizeof(f->reason));
}

static void test_none_reads_no_file(void **state)
{
    struct fixture *f = *state;
    f->config.security_mode = SECURITY_NONE;
    name_keys(f, "/no/such/file", "");
    assert_int_equal(load(f), OK);
    assert_int_equal(f->security.mode, SECURITY_NONE);
    assert_int_equal(f->security.keys[0].id, 0);
}

static void test_two_keys_are_read(void **state)
{
    struct fixture *f = *state;
    f->config.is_encrypted = true;
    name_keys(f, make_key(f, KEY_OF_CLUSTER, 1, 7), make_key(f, KEY_OF_CLUSTER, 2, 9));
    assert_int_equal(load(f), OK);
    assert_int_equal(f->security.mode, SECURITY_REQUIRED);
    assert_true(f->security.is_encrypted);
    assert_int_equal(f->security.keys[0].id, 1);
    assert_int_equal(f->security.keys[1].id, 2);
    assert_memory_not_equal(&f->security.keys[0].secret, &f->security.keys[1].secret,
                            sizeof(f->security.keys[0].secret));
    /* What nodes use follows from the root key, and is not it. */
    struct secret root;
    struct secret nodes;
    struct handshake_secret expected;
    memset(root.bytes, 7, sizeof(root.bytes));
    secret_of_nodes(&root, &nodes);
    handshake_secret_of(&nodes, &expected);
    assert_memory_equal(&f->security.keys[0].secret, &expected, sizeof(expected));
}

static void test_each_start_has_its_random_bytes(void **state)
{
    struct fixture *f = *state;
    name_keys(f, make_key(f, KEY_OF_CLUSTER, 1, 7), "");
    assert_int_equal(load(f), OK);
    struct secret seed = f->security.seed;
    assert_int_equal(load(f), OK);
    assert_memory_not_equal(&f->security.seed, &seed, sizeof(seed));
}

static void test_refusals_name_the_file(void **state)
{
    struct fixture *f = *state;
    name_keys(f, "/no/such/file", "");
    assert_int_equal(load(f), ERR_NOT_FOUND);
    assert_non_null(strstr(f->reason, "/no/such/file"));

    const char *client = make_key(f, KEY_OF_CLIENT, 1, 7);
    name_keys(f, client, "");
    assert_int_equal(load(f), ERR_TYPE);
    assert_non_null(strstr(f->reason, client));

    const char *root = make_key(f, KEY_OF_CLUSTER, 1, 7);
    name_keys(f, root, client);
    assert_int_equal(load(f), ERR_TYPE);
    name_keys(f, root, make_key(f, KEY_OF_CLUSTER, 1, 8));
    assert_int_equal(load(f), ERR_EXISTS);
    assert_non_null(strstr(f->reason, "the id 1"));

    assert_int_equal(chmod(root, 0644), 0);
    name_keys(f, root, "");
    assert_int_equal(load(f), ERR_PERMISSION);
    assert_non_null(strstr(f->reason, root));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_none_reads_no_file),
        TEST(test_two_keys_are_read),
        TEST(test_each_start_has_its_random_bytes),
        TEST(test_refusals_name_the_file),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
