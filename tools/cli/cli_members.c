/* See tools/cli/cli_members.h. */
#include "tools/cli/cli_members.h"

#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void members_address_format(const struct plx_member *member, char *ret_text, size_t text_size)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];
    ret_text[0] = '\0';
    if (member->port == 0)
        return;
    bool is_ipv4 = memcmp(member->ip, mapped, sizeof(mapped)) == 0;
    const void *ip = is_ipv4 ? member->ip + sizeof(mapped) : member->ip;
    if (inet_ntop(is_ipv4 ? AF_INET : AF_INET6, ip, text, sizeof(text)) != NULL)
        snprintf(ret_text, text_size, is_ipv4 ? "%s:%u" : "[%s]:%u", text, member->port);
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
                                .stays_learner = member->stays_learner,
                                .is_told = member->is_told,
                                .match_index = member->match_index,
                                .leaves = member->leaves,
                                .undrained = member->undrained,
                                .silent_ns = member->silent_ns};
    if (answer->last_index > member->match_index)
        row->behind = answer->last_index - member->match_index;
    members_address_format(member, row->address, sizeof(row->address));
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
        ret_view->change = best->change;
        ret_view->step = best->step;
        for (uint32_t i = 0; i < best->member_count; i++)
            add_member(best, &best->members[i], ret_view);
    }
    for (size_t i = 0; i < count && i < PLX_ENDPOINTS_MAX; i++)
        add_own(&answers[i], ret_view);
}

bool members_are_voters(const struct members_view *view)
{
    for (uint32_t i = 0; i < view->count; i++) {
        if (view->rows[i].membership != PLX_VOTER && !view->rows[i].stays_learner)
            return false;
    }
    return view->member_count > 0;
}

const char *membership_text(uint8_t membership)
{
    static const char *const names[] = {"no member", "learner",    "voter",    "incoming",
                                        "outgoing",  "no cluster", "set back", "era over"};
    return membership <= PLX_ERA_OVER ? names[membership] : "?";
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
    case PLX_SET_BACK:
    case PLX_ERA_OVER:
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

/* ---- changes ---- */

const struct members_row *members_at(const struct members_view *view,
                                     const struct plx_change *change, uint16_t port_count)
{
    struct address wanted = {.port = change->port};
    memcpy(wanted.ip, change->ip, sizeof(wanted.ip));
    for (uint32_t i = 0; i < view->member_count && change->port != 0; i++) {
        const struct members_row *row = &view->rows[i];
        struct plx_change found;
        struct address address;
        if (row->node == change->node || !members_address_parse(row->address, &found))
            continue;
        memcpy(address.ip, found.ip, sizeof(address.ip));
        address.port = found.port;
        if (address_is_clash(&wanted, &address, port_count))
            return row;
    }
    return NULL;
}

bool members_has_node(const struct members_view *view, uint16_t node)
{
    for (uint32_t i = 0; i < view->count; i++) {
        if (view->rows[i].node == node)
            return true;
    }
    return false;
}

/* The member of the node that is furthest; PLX_NO_MEMBER: none. */
static uint8_t membership_of(const struct members_view *view, uint16_t node)
{
    uint8_t best = PLX_NO_MEMBER;
    for (uint32_t i = 0; i < view->member_count; i++) {
        const struct members_row *row = &view->rows[i];
        bool is_better = best == PLX_NO_MEMBER || row->membership == PLX_VOTER ||
                         (row->membership == PLX_INCOMING && best != PLX_VOTER);
        if (row->node == node && is_better)
            best = row->membership;
    }
    return best;
}

static enum change_state added_state(uint8_t membership, bool stays_learner)
{
    switch ((enum plx_membership)membership) {
    case PLX_VOTER:
        return CHANGE_DONE;
    case PLX_LEARNER:
        return stays_learner ? CHANGE_DONE : CHANGE_LEARNING;
    case PLX_INCOMING:
    case PLX_OUTGOING:
        return CHANGE_JOINING;
    case PLX_NO_MEMBER:
    case PLX_NO_CLUSTER:
    case PLX_SET_BACK:
    case PLX_ERA_OVER:
        break;
    }
    return CHANGE_WAITING;
}

static bool does_leave(const struct members_view *view, uint16_t node)
{
    for (uint32_t i = 0; i < view->member_count; i++) {
        if (view->rows[i].node == node && view->rows[i].leaves)
            return true;
    }
    return false;
}

uint64_t members_undrained(const struct members_view *view, uint16_t node)
{
    for (uint32_t i = 0; i < view->member_count; i++) {
        const struct members_row *row = &view->rows[i];
        if (row->node == node && row->is_told && row->membership != PLX_OUTGOING)
            return row->undrained;
    }
    return UINT64_MAX;
}

enum change_state members_change_state(const struct members_view *view,
                                       const struct plx_change *change, uint32_t number)
{
    uint8_t membership = membership_of(view, change->node);
    if (view->leader == 0)
        return CHANGE_NO_LEADER;
    switch (change->action) {
    case PLX_CHANGE_ADD:
    case PLX_CHANGE_PROMOTE:
        if (does_leave(view, change->node))
            return CHANGE_WAITING;
        return added_state(membership, change->is_learner);
    case PLX_CHANGE_REMOVE:
        return membership == PLX_NO_MEMBER ? CHANGE_DONE : CHANGE_LEAVING;
    case PLX_CHANGE_UPDATE:
    case PLX_CHANGE_RAISE:
        break;
    }
    return view->change >= number ? CHANGE_DONE : CHANGE_WAITING;
}

const char *members_step_text(uint8_t step)
{
    static const char *const texts[] = {
        [PLX_STEP_NONE] = "",
        [PLX_STEP_PROPOSE] = "a change is appended",
        [PLX_STEP_HAND_OVER] = "the leader is to go, and hands over leadership",
        [PLX_STEP_BUSY] = "a change is being committed",
        [PLX_STEP_ASK_NODE] =
            "a node does not answer that is to become a member, or to say which formats it knows",
        [PLX_STEP_CATCH_UP] = "a learner lacks records",
        [PLX_STEP_LACK_QUORUM] = "too few of those who would count then are heard",
        [PLX_STEP_LACK_ROOM] = "the leader's log has no room for a change before a snapshot",
        [PLX_STEP_DRAIN] = "a node leaves, and has relaxed writes that are not replicated yet"};
    return step < sizeof(texts) / sizeof(texts[0]) ? texts[step] : "";
}

bool members_address_parse(const char *text, struct plx_change *ret_change)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2];
    char *end = NULL;
    if (colon == NULL || colon[1] < '0' || colon[1] > '9' ||
        (size_t)(colon - text) >= sizeof(host) || colon - text < 2)
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port == 0 || port > UINT16_MAX)
        return false;
    size_t length = (size_t)(colon - text);
    memcpy(host, text, length);
    host[length] = '\0';
    uint8_t ip[16] = {[10] = 0xff, [11] = 0xff};
    bool is_good = inet_pton(AF_INET, host, ip + 12) == 1;
    if (!is_good && host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        is_good = inet_pton(AF_INET6, host + 1, ip) == 1;
    }
    if (!is_good)
        return false;
    memcpy(ret_change->ip, ip, sizeof(ip));
    ret_change->port = (uint16_t)port;
    return true;
}
