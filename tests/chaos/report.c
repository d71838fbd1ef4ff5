/* Tables and sentences. */
#include "tests/chaos/report.h"

#include <inttypes.h>
#include <stdio.h>

#define NS_PER_MS 1e6
#define TYPES     (HISTORY_DEL + 1)
#define OUTCOMES  (HISTORY_UNKNOWN + 1)

struct counts {
    uint64_t by_type[TYPES][OUTCOMES];
    uint64_t resolved[OUTCOMES];
    uint64_t unknown_count;
    uint64_t write_count;
    uint64_t total_count;
};

static void count_ops(const struct record *record, struct counts *ret_counts)
{
    *ret_counts = (struct counts){0};
    for (uint32_t i = 0; i < record_count(record); i++) {
        const struct history_op *op = &record->ops[i];
        ret_counts->by_type[op->type][op->outcome]++;
        ret_counts->total_count++;
        ret_counts->write_count += op->type >= HISTORY_SET;
        if (op->outcome != HISTORY_UNKNOWN)
            continue;
        ret_counts->unknown_count++;
        if (record->resolutions[i].is_resolved)
            ret_counts->resolved[record->resolutions[i].outcome]++;
    }
}

static void print_table(const struct counts *counts)
{
    printf("%-12s", "operations");
    for (enum history_outcome outcome = HISTORY_OK; outcome < OUTCOMES; outcome++)
        printf(" %10s", history_outcome_name(outcome));
    printf("\n");
    for (enum history_type type = HISTORY_GET; type < TYPES; type++) {
        printf("  %-10s", history_type_name(type));
        for (enum history_outcome outcome = HISTORY_OK; outcome < OUTCOMES; outcome++)
            printf(" %10" PRIu64, counts->by_type[type][outcome]);
        printf("\n");
    }
}

static void print_unknown(const struct report *report, const struct counts *counts)
{
    double share = counts->write_count == 0
                       ? 0
                       : 100.0 * (double)counts->unknown_count / (double)counts->write_count;
    printf("unknown: %" PRIu64 " of %" PRIu64 " writes (%.3f %%); resolved to ok %" PRIu64
           ", mismatch %" PRIu64 ", timeout %" PRIu64 "; left open %u, session gone %" PRIu64 "\n",
           counts->unknown_count, counts->write_count, share, counts->resolved[HISTORY_OK],
           counts->resolved[HISTORY_MISMATCH], counts->resolved[HISTORY_TIMEOUT],
           report->unresolved_count, report->expired_count);
    printf("  resolved while the attack went on: %" PRIu64 "; asked in vain %" PRIu64 " times\n",
           report->resolved_early_count, report->resolve_retry_count);
}

static void print_outage(const struct outage_report *outage)
{
    printf("without service (gaps over %.0f ms): %u, p50 %.0f ms, worst %.0f ms, together %.1f s\n",
           (double)OUTAGE_NS_MIN / NS_PER_MS, outage->count, (double)outage->p50_ns / NS_PER_MS,
           (double)outage->max_ns / NS_PER_MS, (double)outage->total_ns / 1e9);
    printf("  first answer after all was mended, %u times: p50 %.0f ms, worst %.0f ms\n",
           outage->mended_count, (double)outage->mended_p50_ns / NS_PER_MS,
           (double)outage->mended_max_ns / NS_PER_MS);
}

/* One line of what was checked; true when it held. */
static bool print_check(bool is_good, const char *text, uint64_t checked_count, const char *fault)
{
    printf("  %-6s %s (%" PRIu64 " looked at)%s%s\n", is_good ? "held" : "BROKEN", text,
           checked_count, fault[0] == '\0' ? "" : ": ", fault);
    return is_good;
}

static bool print_rules(const struct judge *judge)
{
    bool is_good = true;
    for (enum judge_rule rule = 0; rule < JUDGE_RULES; rule++) {
        bool is_held = judge->broken_counts[rule] == 0 && judge->checked_counts[rule] > 0;
        is_good &= print_check(is_held, judge_rule_text(rule), judge->checked_counts[rule],
                               judge->texts[rule]);
        if (judge->broken_counts[rule] > 1)
            printf("         and %" PRIu64 " times more\n", judge->broken_counts[rule] - 1);
    }
    return is_good;
}

static bool print_chain(const struct chain_report *chain)
{
    bool is_good = true;
    for (enum chain_rule rule = 0; rule < CHAIN_RULES; rule++) {
        /* A run without a single unknown outcome is no fault. */
        bool is_held = chain->broken_counts[rule] == 0 &&
                       (chain->checked_counts[rule] > 0 || rule == CHAIN_truthful);
        is_good &= print_check(is_held, chain_rule_text(rule), chain->checked_counts[rule],
                               chain->texts[rule]);
        if (chain->broken_counts[rule] > 1)
            printf("         and %" PRIu64 " times more\n", chain->broken_counts[rule] - 1);
    }
    return is_good;
}

static void print_owners(const struct report *report)
{
    for (uint32_t i = 0; i < report->owner_count; i++) {
        const struct owner *owner = &report->owners[i];
        printf("owner %u: %u keys; relaxed writes ok %" PRIu64 ", timeout %" PRIu64
               ", unknown %" PRIu64 "; consistent ok %" PRIu64 ", timeout %" PRIu64 "\n",
               i, owner->key_count, owner->relaxed_counts[PLX_OK],
               owner->relaxed_counts[PLX_TIMEOUT], owner->relaxed_counts[PLX_UNKNOWN],
               owner->write_counts[PLX_OK], owner->write_counts[PLX_TIMEOUT]);
    }
}

static bool check_owners(const struct report *report)
{
    uint64_t judged_count = 0;
    uint64_t broken_count = 0;
    const char *text = "";
    for (uint32_t i = 0; i < report->owner_count; i++) {
        judged_count += report->owners[i].judged_count;
        broken_count += report->owners[i].broken_count;
        if (text[0] == '\0')
            text = report->owners[i].text;
    }
    return report->owner_count == 0 ||
           print_check(broken_count == 0 && judged_count > 0,
                       "a handle's later writes overrule its earlier ones, relaxed ones, too",
                       judged_count, text);
}

static bool print_checks(const struct report *report)
{
    const struct settle_report *settle = &report->settle;
    char text[64] = "";
    bool is_good = print_rules(&report->judge);
    if (report->is_of_swaps)
        is_good &= print_chain(&report->chain);
    is_good &= check_owners(report);
    if (report->stuck_count > 0)
        snprintf(text, sizeof(text), "%u had to be cancelled", report->stuck_count);
    is_good &= print_check(report->stuck_count == 0, "no call stayed blocked",
                           record_count(report->record), text);
    is_good &= print_check(report->record->garbled_count == 0, "no value had a byte changed",
                           report->judge.checked_counts[JUDGE_written], "");
    is_good &= print_check(settle->has_converged, "all nodes came to one applied index",
                           settle->node_count, settle->has_converged ? "" : settle->text);
    is_good &= print_check(settle->has_converged && settle->key_count > 0 &&
                               settle->differ_count + settle->unread_count == 0,
                           "all nodes answer the same for every key", settle->key_count,
                           settle->has_converged ? settle->text : "not read");
    return is_good;
}

bool report_history(const struct history *history, const struct judge *judge)
{
    bool is_good = history->count > 0;
    for (enum judge_rule rule = 0; rule < JUDGE_RULES; rule++) {
        if (rule == JUDGE_ended) {
            printf("  operations: %u, of these without a known outcome %" PRIu64 "\n",
                   history->count, judge->broken_counts[rule]);
            continue;
        }
        is_good &= print_check(judge->broken_counts[rule] == 0, judge_rule_text(rule),
                               judge->checked_counts[rule], judge->texts[rule]);
    }
    printf("verdict: %s\n", is_good ? "linearizable, nothing is wrong" : "BROKEN");
    return is_good;
}

bool report_print(const struct report *report)
{
    struct counts counts;
    count_ops(report->record, &counts);
    printf("clients: %u at once, %.1f s, %" PRIu64 " operations\n", report->client_count,
           (double)report->elapsed_ns / 1e9, counts.total_count);
    print_table(&counts);
    print_unknown(report, &counts);
    if (report->is_of_swaps)
        outcomes_print(report->record, &report->chain, &report->effort);
    print_owners(report);
    print_outage(&report->outage);
    printf("checked (%" PRIu64 " steps of search, converged at index %" PRIu64 " after %.0f ms)\n",
           report->judge.search_steps, report->settle.applied_index,
           (double)report->settle.wait_ns / NS_PER_MS);
    bool is_good = print_checks(report);
    printf("verdict: %s\n", is_good ? "linearizable, nothing is wrong" : "BROKEN");
    return is_good;
}
