/* See members.h. */
#include "tests/unit/raft/members.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct storage_name members_name(struct raft_storage storage)
{
    struct storage_name name;
    int size;
    if (storage.birth == storage.id)
        size = snprintf(name.text, sizeof(name.text), "%u", storage.id);
    else if (storage.birth == 0)
        size = snprintf(name.text, sizeof(name.text), "%u'any", storage.id);
    else
        size = snprintf(name.text, sizeof(name.text), "%u'%" PRIu64, storage.id, storage.birth);
    CHECK(size > 0 && (size_t)size < sizeof(name.text));
    return name;
}

struct members_text members_text(const struct raft_configuration *configuration)
{
    static const char *const marks[] = {
        [RAFT_LEARNER] = "?", [RAFT_VOTER] = "", [RAFT_INCOMING] = "+", [RAFT_OUTGOING] = "-"};
    struct members_text made = {""};
    size_t size = 0;
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        const struct raft_member *member = &configuration->members[slot];
        if (member->storage.birth == 0)
            continue;
        size += (size_t)snprintf(made.text + size, sizeof(made.text) - size, "%s%s%s",
                                 size > 0 ? " " : "", marks[member->membership],
                                 members_name(member->storage).text);
    }
    return made;
}

/* A word; *ret_rest is what follows it. Membership RAFT_VOTER: it shall be one. */
static bool word_parse(const char *word, struct raft_member *ret_member, const char **ret_rest)
{
    static const char marks[] = "?+-";
    static const enum raft_membership meanings[] = {RAFT_LEARNER, RAFT_INCOMING, RAFT_OUTGOING};
    const char *mark = strchr(marks, word[0]);
    char *end;
    *ret_member = (struct raft_member){.membership = RAFT_VOTER};
    if (mark != NULL) {
        ret_member->membership = meanings[mark - marks];
        word++;
    }
    unsigned long id = strtoul(word, &end, 10);
    if (end == word || id < 1 || id > VOTER_ID_MAX)
        return false;
    ret_member->storage = cluster_storage((uint16_t)id);
    if (*end == '\'')
        ret_member->storage.birth = strtoull(end + 1, &end, 10);
    *ret_rest = end;
    return (*end == '\0' || *end == ' ') && ret_member->storage.birth != 0;
}

/* What becomes of who is not named. */
static void dismiss_all(struct raft_configuration *configuration)
{
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        struct raft_member *member = &configuration->members[slot];
        if (member->membership == RAFT_VOTER)
            member->membership = RAFT_OUTGOING;
        else
            *member = (struct raft_member){0};
    }
}

/* A storage that was no member gets a slot that nobody had. */
static bool take(const struct raft_configuration *before, struct raft_member *member,
                 struct raft_configuration *after)
{
    uint32_t slot = raft_configuration_slot(before, member->storage.birth);
    bool was_voter = slot != RAFT_SLOT_NONE && before->members[slot].membership == RAFT_VOTER;
    if (member->membership == RAFT_VOTER && !was_voter)
        member->membership = RAFT_INCOMING;
    for (uint32_t i = 0; slot == RAFT_SLOT_NONE && i < RAFT_MEMBERS_MAX; i++) {
        bool was_free = i >= before->slot_count || before->members[i].storage.birth == 0;
        if (was_free && (i >= after->slot_count || after->members[i].storage.birth == 0))
            slot = i;
    }
    if (slot == RAFT_SLOT_NONE)
        return false;
    after->members[slot] = *member;
    if (slot >= after->slot_count)
        after->slot_count = slot + 1;
    return true;
}

bool members_parse(const char *text, struct raft_configuration *configuration)
{
    const struct raft_configuration before = *configuration;
    dismiss_all(configuration);
    while (*text != '\0') {
        struct raft_member member;
        if (!word_parse(text, &member, &text) || !take(&before, &member, configuration))
            return false;
        text += *text == ' ';
    }
    return true;
}

enum error members_ask(struct cluster *cluster, uint16_t id, const char *text)
{
    struct raft_configuration configuration = *cluster_configuration(cluster, id);
    CHECK(members_parse(text, &configuration));
    return cluster_reconfigure(cluster, id, &configuration);
}

bool members_are(const struct cluster *cluster, uint16_t id, const char *text)
{
    struct members_text is = members_text(cluster_configuration(cluster, id));
    if (strcmp(is.text, text) != 0)
        fprintf(stderr, "members of node %u: %s, expected: %s\n", id, is.text, text);
    return strcmp(is.text, text) == 0;
}
