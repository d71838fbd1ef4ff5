/* See cli_words.h. */
#include "tools/cli/cli_words.h"

const char *words_role(enum plx_role role)
{
    static const char *const names[] = {"follower", "pre-candidate", "candidate", "leader"};
    return (unsigned)role <= PLX_LEADER ? names[role] : "?";
}

const char *words_medium(const struct plx_node *node)
{
    if (node->is_emulated)
        return "emulated";
    return node->granularity == PLX_PAGE ? "file" : "pmem";
}

const char *words_quorum(const struct plx_node *node)
{
    if (node->role != PLX_LEADER)
        return "-";
    return node->has_fresh_quorum ? "yes" : "no";
}
