/* See check_finding.h. */
#include "server/check_finding.h"

#include <string.h>

struct check_finding *check_findings_add(struct check_findings *findings, const char *name)
{
    uint32_t at = findings->count < CHECK_FINDINGS_MAX ? findings->count++ : CHECK_FINDINGS_MAX - 1;
    struct check_finding *finding = &findings->list[at];
    memset(finding, 0, sizeof(*finding));
    finding->name = name;
    return finding;
}

uint32_t check_findings_count(const struct check_findings *findings, enum check_state state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < findings->count; i++)
        count += findings->list[i].state == state;
    return count;
}

const char *check_state_name(enum check_state state)
{
    static const char *const names[] = {"good", "note", "wrong", "unknown"};
    return names[state];
}

void check_finding_print(const struct check_finding *finding, FILE *out)
{
    fprintf(out, "%s %s: %s\n", check_state_name(finding->state), finding->subject,
            finding->message);
    if (finding->command[0] != '\0')
        fprintf(out, "    %s: %s\n", finding->is_fixed ? "done" : "command", finding->command);
}
