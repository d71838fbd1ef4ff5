/* See lanes_stage.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <ftw.h>

#include "tests/unit/server/lanes_stage.h"

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

void lanes_stage_open(struct lanes_stage *stage, const struct gauge_options *options)
{
    struct gauge_options own = *options;
    *stage = (struct lanes_stage){.folder = "/tmp/pollux-lanes-XXXXXX"};
    setenv("PMEM2_FORCE_GRANULARITY", "CACHE_LINE", 1); /* nothing is waited for */
    assert_non_null(mkdtemp(stage->folder));
    own.folder = stage->folder;
    own.node_count = 3;
    own.session_count = 1;
    gauge_network_begin();
    gauge_cluster_open(&stage->cluster, &own);
}

void lanes_stage_close(struct lanes_stage *stage)
{
    gauge_cluster_close(&stage->cluster);
    gauge_network_end();
    assert_int_equal(nftw(stage->folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}
