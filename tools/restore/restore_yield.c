/* What surrounds a restore: see tools/restore/restore_shard.h. */
#include "tools/restore/restore_shard.h"

#include <sched.h>

void restore_yield(void)
{
    sched_yield();
}
