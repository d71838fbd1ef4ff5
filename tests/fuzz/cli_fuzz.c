/*
 * The command line of `pollux`: the input is its words, one a line. What is accepted lies within
 * the words that were given, and in range; what is refused says why and leaves the caller's
 * arguments alone. Every word is also read as a duration, beside a plain model of durations.
 */
#include "base/check.h"
#include "tests/fuzz/canary.h"
#include "tools/cli/cli_arguments.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX       32
#define TEXT_SIZE_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* Digits, then a unit; zero and what overflows are no durations. */
static bool model_duration(const char *text, uint64_t *ret_ns)
{
    size_t digits = strspn(text, "0123456789");
    __extension__ unsigned __int128 value = 0;
    uint64_t unit = strcmp(text + digits, "ns") == 0    ? 1
                    : strcmp(text + digits, "us") == 0  ? 1000
                    : strcmp(text + digits, "ms") == 0  ? 1000000
                    : strcmp(text + digits, "s") == 0   ? 1000000000
                    : strcmp(text + digits, "min") == 0 ? UINT64_C(60000000000)
                    : strcmp(text + digits, "h") == 0   ? UINT64_C(3600000000000)
                                                        : 0;
    for (size_t i = 0; i < digits; i++) {
        value = value * 10 + (unsigned)(text[i] - '0');
        if (value > UINT64_MAX)
            return false;
    }
    value *= unit;
    *ret_ns = (uint64_t)value;
    return digits > 0 && value != 0 && value <= UINT64_MAX;
}

static void check_duration(const char *text)
{
    char again[32];
    uint64_t ns = 0;
    uint64_t expected_ns = 0;
    bool is_good = cli_duration_parse(text, &ns);
    /* Milliseconds are taken for microseconds. */
    CANARY(if (strstr(text, "ms") != NULL) ns /= 1000);
    CHECK(is_good == model_duration(text, &expected_ns));
    if (!is_good)
        return;
    CHECK(ns == expected_ns);
    snprintf(again, sizeof(again), "%" PRIu64 "ns", ns);
    CHECK(cli_duration_parse(again, &expected_ns) && expected_ns == ns);
}

static void check_accepted(const struct cli_arguments *arguments, char **words, int count)
{
    CHECK((unsigned)arguments->format <= CLI_JSON);
    CHECK(arguments->preferred >= -1 && arguments->preferred <= INT16_MAX);
    CHECK(arguments->operand_count >= 0 && arguments->operand_count < count);
    if (arguments->command == NULL) {
        CHECK(arguments->operand_count == 0);
        return;
    }
    CHECK(arguments->operands > words && arguments->operands <= words + count);
    CHECK(arguments->operands[-1] == arguments->command);
    CHECK(arguments->operands[arguments->operand_count] == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    char text[TEXT_SIZE_BYTES];
    char reason[256] = "";
    char program[] = "pollux";
    char *words[WORDS_MAX + 2] = {program};
    int count = 1;
    struct cli_arguments arguments;
    if (size_bytes >= sizeof(text))
        return 0;
    memcpy(text, data, size_bytes);
    text[size_bytes] = '\0';
    unsetenv("POLLUX_ENDPOINTS");
    unsetenv("POLLUX_CLUSTER");
    char *rest = NULL;
    for (char *word = strtok_r(text, "\n", &rest); word != NULL && count <= WORDS_MAX;
         word = strtok_r(NULL, "\n", &rest)) {
        check_duration(word);
        words[count++] = word;
    }
    memset(&arguments, 0xA5, sizeof(arguments));
    if (cli_arguments_parse(count, words, &arguments, reason, sizeof(reason))) {
        check_accepted(&arguments, words, count);
        return 0;
    }
    const uint8_t *bytes = (const uint8_t *)&arguments;
    CHECK(reason[0] != '\0' && memchr(reason, '\0', sizeof(reason)) != NULL);
    for (size_t i = 0; i < sizeof(arguments); i++)
        CHECK(bytes[i] == 0xA5);
    return 0;
}
