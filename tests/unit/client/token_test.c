/* Tokens and outcomes as text. */
#include "client/include/pollux.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_token_text_round_trip(void **state)
{
    (void)state;
    static const struct plx_token tokens[] = {{.cluster_id = 1, .session = 2, .seq = 3},
                                              {.cluster_id = UINT64_MAX,
                                               .session = UINT64_MAX,
                                               .seq = UINT64_MAX,
                                               .shard = UINT16_MAX,
                                               .era = UINT32_MAX,
                                               .cluster = UINT64_MAX},
                                              {.cluster_id = UINT64_C(0xABCDEF),
                                               .session = 1,
                                               .seq = 0x7FFF,
                                               .shard = 3,
                                               .era = 2,
                                               .cluster = 0xABC}};
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        char text[PLX_TOKEN_TEXT_SIZE];
        struct plx_token token = {0};
        plx_token_format(&tokens[i], text);
        assert_true(strlen(text) < sizeof(text));
        assert_true(plx_token_parse(text, &token));
        assert_true(token.cluster_id == tokens[i].cluster_id && token.shard == tokens[i].shard);
        assert_true(token.cluster == tokens[i].cluster && token.era == tokens[i].era);
        assert_true(token.session == tokens[i].session && token.seq == tokens[i].seq);
    }
}

static void test_token_refuses_whatever_was_mistyped(void **state)
{
    (void)state;
    char text[PLX_TOKEN_TEXT_SIZE];
    struct plx_token token = {
        .cluster_id = 1, .session = 2, .seq = 3, .shard = 1, .era = 4, .cluster = 5};
    plx_token_format(&token, text);
    token = (struct plx_token){0};
    for (size_t i = 0; text[i] != '\0'; i++) {
        char saved = text[i];
        for (const char *other = "0123456789abcdefxX-+ "; *other != '\0'; other++) {
            if (*other == saved)
                continue;
            text[i] = *other;
            assert_false(plx_token_parse(text, &token));
        }
        text[i] = '\0';
        assert_false(plx_token_parse(text, &token));
        text[i] = saved;
    }
    assert_false(plx_token_parse(NULL, &token));
    assert_false(plx_token_parse("", &token));
    assert_true(token.session == 0);
}

static void test_outcome_texts_are_whole(void **state)
{
    (void)state;
    for (int i = 0; i < PLX_OUTCOME_COUNT; i++) {
        enum plx_outcome outcome = (enum plx_outcome)i;
        assert_memory_equal(plx_outcome_name(outcome), "PLX_", 4);
        assert_string_not_equal(plx_outcome_name(outcome), "PLX_?");
        assert_true(strlen(plx_outcome_text(outcome)) > 5);
        assert_in_range(plx_outcome_exit_code(outcome), 0, 7);
        assert_true((plx_outcome_exit_code(outcome) == 0) == (outcome == PLX_OK));
    }
    assert_string_equal(plx_outcome_name(PLX_OUTCOME_COUNT), "PLX_?");
    assert_string_equal(plx_outcome_text(PLX_OUTCOME_COUNT), "unknown outcome");
    assert_int_equal(plx_outcome_exit_code(PLX_OUTCOME_COUNT), 7);
    assert_string_equal(plx_outcome_name(PLX_TIMEOUT), "PLX_TIMEOUT");
    assert_int_equal(plx_outcome_exit_code(PLX_E_OVERLOADED), 5); /* what the command ends with */
    assert_int_equal(plx_outcome_exit_code(PLX_E_SESSIONS), 5);
    assert_non_null(strstr(plx_outcome_text(PLX_E_SESSIONS), "see pollux sessions"));
}

static void test_outcome_text_of_bytes(void **state)
{
    (void)state;
    assert_null(plx_text(NULL).data);
    assert_int_equal(plx_text("").size_bytes, 0);
    assert_non_null(plx_text("").data);
    assert_int_equal(plx_text("abc").size_bytes, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_text_round_trip),
        cmocka_unit_test(test_token_refuses_whatever_was_mistyped),
        cmocka_unit_test(test_outcome_texts_are_whole),
        cmocka_unit_test(test_outcome_text_of_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
