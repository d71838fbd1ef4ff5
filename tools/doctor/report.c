/* How the findings are printed: see doctor.h. */
#include "tools/cli/cli_json.h"
#include "tools/doctor/doctor.h"

#include <string.h>

static void report_json(const struct check_findings *findings)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < findings->count; i++) {
        const struct check_finding *finding = &findings->list[i];
        json_t *entry = json_pack("{s:s, s:s}", "name", finding->name, "state",
                                  check_state_name(finding->state));
        cli_json_add_bytes(entry, "subject", finding->subject, strlen(finding->subject));
        cli_json_add_bytes(entry, "message", finding->message, strlen(finding->message));
        if (finding->command[0] != '\0')
            cli_json_add_bytes(entry, "command", finding->command, strlen(finding->command));
        else
            json_object_set_new(entry, "command", json_null());
        json_object_set_new(entry, "fixed", json_boolean(finding->is_fixed));
        json_array_append_new(list, entry);
    }
    cli_json_print(list);
}

void doctor_report(const struct check_findings *findings, bool is_json)
{
    if (is_json) {
        report_json(findings);
        return;
    }
    for (uint32_t i = 0; i < findings->count; i++)
        check_finding_print(&findings->list[i], stdout);
    printf("%u good, %u to be looked at, %u wrong, %u unknown\n",
           check_findings_count(findings, CHECK_GOOD), check_findings_count(findings, CHECK_NOTE),
           check_findings_count(findings, CHECK_WRONG),
           check_findings_count(findings, CHECK_UNKNOWN));
}
