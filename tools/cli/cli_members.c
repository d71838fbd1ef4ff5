/* See tools/cli/cli_members.h. */
#include "tools/cli/cli_members.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void address_format(const struct plx_member *member, char *to, size_t size)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];
    to[0] = '\0';
    if (member->port == 0)
        return;
    bool is_ipv4 = memcmp(member->ip, mapped, sizeof(mapped)) == 0;
    const void *ip = is_ipv4 ? member->ip + sizeof(mapped) : member->ip;
    if (inet_ntop(is_ipv4 ? AF_INET : AF_INET6, ip, text, sizeof(text)) != NULL)
        snprintf(to, size, is_ipv4 ? "%s:%u" : "[%s]:%u", text, member->port);
}

static bool leads(const struct plx_members *answer)
{
    return answer->role == PLX_LEADER && answer->has_fresh_quorum;
}

/* Whose word counts: a leader's with a quorum, of the newest term; else the newest configuration.
 * NULL: nobody knows one. */
static const struct plx_members *best_answer(const struct plx_members *answers, size_t count)
{
    const struct plx_members *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct plx_members *answer = &answers[i];
        if (answer->member_count == 0)
            continue;
        bool is_better =
            best == NULL || leads(answer) > leads(best) ||
            (leads(answer) == leads(best) &&
             (leads(answer) ? answer->term > best->term
                            : answer->configuration_index > best->configuration_index));
        if (is_better)
            best = answer;
    }
    return best;
}

static void add_member(const struct plx_members *answer, const struct plx_member *member,
                       struct members_view *view)
{
    struct members_row *row = &view->rows[view->count++];
    *row = (struct members_row){.node = member->node,
                                .birth = member->birth,
                                .membership = member->membership,
                                .is_told = member->is_told,
                                .match_index = member->match_index,
                                .silent_ns = member->silent_ns};
    if (answer->last_index > member->match_index)
        row->behind = answer->last_index - member->match_index;
    address_format(member, row->address, sizeof(row->address));
}

/* What a node says of its own storage. */
static void add_own(const struct plx_members *answer, struct members_view *view)
{
    for (uint32_t i = 0; i < view->count; i++) {
        if (view->rows[i].birth == answer->birth) {
            view->rows[i].is_here = true;
            return;
        }
    }
    view->rows[view->count++] =
        (struct members_row){.node = answer->node,
                             .birth = answer->birth,
                             .membership = view->member_count > 0 ? PLX_NO_MEMBER : PLX_NO_CLUSTER,
                             .is_here = true};
}

void members_view_make(const struct plx_members *answers, size_t count,
                       struct members_view *ret_view)
{
    const struct plx_members *best = best_answer(answers, count);
    *ret_view = (struct members_view){.shard = count > 0 ? answers[0].shard : 0};
    if (best != NULL) {
        ret_view->leader = leads(best) ? best->node : 0;
        ret_view->member_count = best->member_count;
        for (uint32_t i = 0; i < best->member_count; i++)
            add_member(best, &best->members[i], ret_view);
    }
    for (size_t i = 0; i < count && i < PLX_ENDPOINTS_MAX; i++)
        add_own(&answers[i], ret_view);
}

bool members_are_voters(const struct members_view *view)
{
    for (uint32_t i = 0; i < view->count; i++) {
        if (view->rows[i].membership != PLX_VOTER)
            return false;
    }
    return view->member_count > 0;
}

const char *membership_text(uint8_t membership)
{
    static const char *const names[] = {"no member", "learner",  "voter",
                                        "incoming",  "outgoing", "no cluster"};
    return membership <= PLX_NO_CLUSTER ? names[membership] : "?";
}

/* The node's row that is the storage which it has, or that is another one; NULL: none. */
static const struct members_row *row_of(const struct members_view *view, uint16_t node,
                                        bool is_here)
{
    const struct members_row *found = NULL;
    for (uint32_t i = 0; i < view->count; i++) {
        const struct members_row *row = &view->rows[i];
        bool fits = row->node == node && row->is_here == is_here &&
                    (is_here || row->membership == PLX_VOTER);
        if (fits && found == NULL)
            found = row;
    }
    return found;
}

/* Of a storage that is no member. */
static enum replace_state outside_state(const struct members_view *view,
                                        const struct members_row *voter)
{
    if (view->leader == 0)
        return REPLACE_NO_LEADER;
    return voter != NULL ? REPLACE_WANTED : REPLACE_NO_VOTER;
}

struct replace_step members_replace_step(const struct members_view *view, uint16_t node)
{
    const struct members_row *here = row_of(view, node, true);
    const struct members_row *voter = row_of(view, node, false);
    if (here == NULL)
        return (struct replace_step){.state = REPLACE_NO_NODE};
    struct replace_step step = {.birth = here->birth, .behind = here->behind};
    switch ((enum plx_membership)here->membership) {
    case PLX_VOTER:
        step.state = REPLACE_DONE;
        return step;
    case PLX_LEARNER:
        step.state = REPLACE_LEARNING;
        return step;
    case PLX_INCOMING:
    case PLX_OUTGOING:
        step.state = REPLACE_JOINING;
        return step;
    case PLX_NO_MEMBER:
    case PLX_NO_CLUSTER:
        break;
    }
    step.state = outside_state(view, voter);
    if (step.state == REPLACE_WANTED)
        step.lost = (struct plx_lost){.birth = voter->birth, .node = node};
    return step;
}

bool members_node_parse(const char *text, uint16_t *ret_node)
{
    char *end;
    unsigned long node = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || node == 0 || node > 255)
        return false;
    *ret_node = (uint16_t)node;
    return true;
}
