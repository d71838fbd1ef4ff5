/* See backup_allowance.h. */
#include "server/backup_allowance.h"

#include "base/budget.h"

uint64_t backup_allowance_wait_ns(const struct backup_allowance *allowance, uint64_t now_ns)
{
    const uint64_t most_ns = (BACKUP_SNAPSHOTS_BURST - 1) * BACKUP_SNAPSHOT_NS;
    uint64_t gap_ns = budget_owed_ns(allowance->gap_ns, now_ns);
    uint64_t owed_ns = budget_owed_ns(allowance->full_ns, now_ns);
    uint64_t wait_ns = owed_ns > most_ns ? owed_ns - most_ns : 0;
    return wait_ns > gap_ns ? wait_ns : gap_ns;
}

void backup_allowance_take(struct backup_allowance *allowance, uint64_t now_ns)
{
    allowance->full_ns = budget_spend_ns(allowance->full_ns, now_ns, BACKUP_SNAPSHOT_NS);
    allowance->gap_ns = now_ns + BACKUP_SNAPSHOT_GAP_NS;
}
