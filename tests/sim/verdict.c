/* See verdict.h. */
#include "tests/sim/verdict.h"

#include "base/le.h"

#include <stdarg.h>
#include <stdio.h>

const char *rule_name(enum rule rule)
{
    static const char *const names[] = {
#define X(name, text) #name,
        RULE_LIST(X)
#undef X
    };
    return rule < RULE_COUNT ? names[rule] : "?";
}

const char *rule_text(enum rule rule)
{
    static const char *const texts[] = {
#define X(name, text) text,
        RULE_LIST(X)
#undef X
    };
    return rule < RULE_COUNT ? texts[rule] : "?";
}

void verdict_break(struct verdict *verdict, enum rule rule, const char *format, ...)
{
    if (verdict->rule != RULE_NONE)
        return;
    verdict->rule = rule;
    verdict->at_ns = verdict->now_ns;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict->text, sizeof(verdict->text), format, arguments);
    va_end(arguments);
    verdict_say(verdict, "BROKEN %s: %s", rule_name(rule), verdict->text);
}

bool verdict_is_broken(const struct verdict *verdict)
{
    return verdict->rule != RULE_NONE;
}

void verdict_trace(struct verdict *verdict, uint64_t fact)
{
    verdict->trace_hash = digest_word(verdict->trace_hash, fact);
}

void verdict_say(const struct verdict *verdict, const char *format, ...)
{
    if (!verdict->is_verbose)
        return;
    printf("%12.6f ", (double)verdict->now_ns / 1e9);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

uint64_t digest_word(uint64_t seed, uint64_t word)
{
    uint64_t x = (seed ^ word) * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du;
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
    return x ^ (x >> 32);
}

uint64_t digest_bytes(uint64_t seed, const void *data, size_t size_bytes)
{
    const uint8_t *bytes = data;
    uint64_t digest = digest_word(seed, size_bytes);
    size_t at = 0;
    for (; at + 8 <= size_bytes; at += 8)
        digest = digest_word(digest, le64_load(bytes + at));
    uint64_t rest = 0;
    for (; at < size_bytes; at++)
        rest = rest << 8 | bytes[at];
    return digest_word(digest, rest);
}
