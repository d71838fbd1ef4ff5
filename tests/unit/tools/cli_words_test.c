/* One vocabulary: what commands print is in the glossary, and what they print or take as a value
 * the configuration takes, too. */
#include "tools/cli/cli_words.h"

#include "base/units.h"
#include "server/config.h"
#include "tools/cli/cli_arguments.h"
#include "tools/cli/cli_limits.h"
#include "tools/cli/cli_members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char glossary[128 * 1024];

static int setup(void **state)
{
    (void)state;
    char path[4096];
    const char *root = getenv("POLLUX_SOURCE_ROOT");
    snprintf(path, sizeof(path), "%s/docs/glossary.md", root != NULL ? root : ".");
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    size_t size = fread(glossary, 1, sizeof(glossary) - 1, file);
    glossary[size] = '\0';
    return fclose(file);
}

static void assert_is_explained(const char *word)
{
    char entry[64];
    snprintf(entry, sizeof(entry), "**%s**", word);
    if (strstr(glossary, entry) == NULL)
        fail_msg("docs/glossary.md has no entry '%s'", word);
}

static void test_words_of_status_are_in_the_glossary(void **state)
{
    (void)state;
    for (int role = PLX_FOLLOWER; role <= PLX_LEADER; role++)
        assert_is_explained(words_role((enum plx_role)role));
    for (uint8_t membership = 0; membership <= PLX_ERA_OVER; membership++)
        assert_is_explained(membership_text(membership));
    for (int granularity = PLX_BYTE; granularity <= PLX_PAGE; granularity++) {
        struct plx_node node = {.granularity = (uint8_t)granularity};
        assert_is_explained(words_medium(&node));
        node.is_emulated = true;
        assert_is_explained(words_medium(&node));
    }
    assert_is_explained("fresh quorum");
    assert_is_explained("suspect");
    assert_is_explained("leaving");
}

static void test_words_of_quorum_are_of_leaders_alone(void **state)
{
    (void)state;
    struct plx_node node = {.role = PLX_FOLLOWER};
    assert_string_equal(words_quorum(&node), "-");
    node.role = PLX_LEADER;
    assert_string_equal(words_quorum(&node), "no");
    node.has_fresh_quorum = true;
    assert_string_equal(words_quorum(&node), "yes");
}

/* A configuration in which one setting has this value. False: it is refused. */
static bool configuration_takes(const char *section, const char *setting, const char *value,
                                struct config *ret_config)
{
    char path[] = "/tmp/pollux-words-XXXXXX";
    char text[1024];
    char reason[512];
    int size = snprintf(text, sizeof(text),
                        "[node]\nid = 1\ndirectory = /tmp/x\n[cluster]\nname = a\n[peers]\n"
                        "1 = 10.77.0.1:7400\n[port]\ndevice = net_ring0\n[%s]\n%s = %s\n",
                        section, setting, value);
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, (size_t)size), size);
    close(file);
    enum error error = config_read(path, ret_config, reason, sizeof(reason));
    unlink(path);
    return error == OK;
}

static struct config config;

/* As far as the bounds of the setting reach. */
static void test_words_printed_durations_are_taken_by_the_configuration(void **state)
{
    (void)state;
    for (uint64_t ns = 1000000000; ns <= UINT64_C(30) * 24 * 3600 * 1000000000; ns = ns / 7 * 13) {
        char text[UNITS_TEXT_BYTES];
        uint64_t taken_ns = 0;
        assert_true(cli_duration_parse(units_duration(ns, text), &taken_ns));
        assert_true(taken_ns <= ns && ns - taken_ns <= ns / 10);
        if (!configuration_takes("cluster", "session_ttl", text, &config))
            fail_msg("session_ttl = %s is refused", text);
        assert_int_equal(config.session_ttl_ns, taken_ns);
    }
}

static void test_words_printed_limits_are_taken_by_the_configuration(void **state)
{
    (void)state;
    static const uint64_t values[] = {1 << 20, 1234 << 10, UINT64_C(512) << 20, 1048576 + 128};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        for (int limit = 0; limit < CLI_LIMIT_COUNT; limit++) {
            struct cli_limits limits = {0};
            char text[UNITS_TEXT_BYTES];
            char word[64];
            char reason[128];
            const char *name = cli_limit_name((enum cli_limit)limit);
            uint64_t value = limit == CLI_SESSIONS_MAX ? 4096 : values[i];
            cli_limit_text((enum cli_limit)limit, value, text);
            snprintf(word, sizeof(word), "%s=%s", name, text);
            assert_true(cli_limits_parse(word, &limits, reason, sizeof(reason)));
            assert_int_equal(limits.values[limit], value);
            assert_true(configuration_takes("cluster", name, text, &config));
        }
        assert_int_equal(config.sessions_max, 4096);
    }
}

/* What one takes, the other takes. */
static void test_words_units_are_the_same_everywhere(void **state)
{
    (void)state;
    static const char *const durations[] = {"1000000000ns", "1000000us", "1000ms", "1s",
                                            "1min",         "1h",        "1000",   "1m"};
    static const char *const sizes[] = {"1048576B", "1024KiB", "1MiB", "1GiB", "1048576", "1M"};
    static const char *const counts[] = {"1000", "1K", "1M", "1G", "1k", "1Ki"};
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        uint64_t ns;
        assert_int_equal(cli_duration_parse(durations[i], &ns),
                         configuration_takes("cluster", "session_ttl", durations[i], &config));
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct cli_limits limits = {0};
        char word[64];
        char reason[128];
        uint64_t bytes;
        snprintf(word, sizeof(word), "store_size=%s", sizes[i]);
        bool is_taken = configuration_takes("cluster", "store_size", sizes[i], &config);
        assert_int_equal(cli_size_parse(sizes[i], &bytes), is_taken);
        assert_int_equal(cli_limits_parse(word, &limits, reason, sizeof(reason)), is_taken);
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct cli_limits limits = {0};
        char word[64];
        char reason[128];
        snprintf(word, sizeof(word), "keys_max=%s", counts[i]);
        assert_int_equal(cli_limits_parse(word, &limits, reason, sizeof(reason)),
                         configuration_takes("cluster", "keys_max", counts[i], &config));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_of_status_are_in_the_glossary),
        cmocka_unit_test(test_words_of_quorum_are_of_leaders_alone),
        cmocka_unit_test(test_words_printed_durations_are_taken_by_the_configuration),
        cmocka_unit_test(test_words_printed_limits_are_taken_by_the_configuration),
        cmocka_unit_test(test_words_units_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
