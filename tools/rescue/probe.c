/* See probe.h. */
#include "tools/rescue/probe.h"

#include "client/include/pollux_members.h"
#include "tools/rescue/survey.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define ASK_NS (500u * 1000 * 1000)

static void format_address(const struct raft_member *member, char ret_text[64])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char ip[INET6_ADDRSTRLEN];
    bool is_ipv4 = memcmp(member->address, mapped, sizeof(mapped)) == 0;
    ret_text[0] = '\0';
    if (member->port == 0)
        return;
    inet_ntop(is_ipv4 ? AF_INET : AF_INET6, member->address + (is_ipv4 ? 12 : 0), ip, sizeof(ip));
    snprintf(ret_text, 64, is_ipv4 ? "%s:%u" : "[%s]:%u", ip, member->port);
}

static bool is_one_of(uint16_t node, const uint16_t *nodes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i] == node)
            return true;
    }
    return false;
}

static struct rescue_absent *find_absent(struct rescue_absent *absent, uint32_t count,
                                         uint16_t node)
{
    for (uint32_t i = 0; i < count; i++) {
        if (absent[i].node == node)
            return &absent[i];
    }
    return NULL;
}

enum error rescue_absent_add(const struct raft_configuration *configuration, const uint16_t *here,
                             uint32_t count, struct rescue_absentees *absentees)
{
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        const struct raft_member *member = &configuration->members[slot];
        uint16_t node = member->storage.id;
        if (member->storage.birth == 0 || is_one_of(node, here, count) ||
            find_absent(absentees->nodes, absentees->count, node) != NULL)
            continue;
        if (absentees->count == RESCUE_ABSENT_MAX)
            return ERR_FULL;
        struct rescue_absent *absent = &absentees->nodes[absentees->count++];
        *absent = (struct rescue_absent){.node = node};
        format_address(member, absent->address);
    }
    return OK;
}

/* Whoever answers says which node it is. */
static void ask(struct plx_client *client, uint16_t shard_count, struct rescue_absent *absent,
                uint32_t count)
{
    struct plx_members members;
    for (size_t endpoint = 0; endpoint < plx_endpoint_count(client); endpoint++) {
        for (uint16_t shard = 0; shard < shard_count; shard++) {
            if (plx_members(client, endpoint, shard, ASK_NS, &members) != PLX_OK)
                break;
            struct rescue_absent *found = find_absent(absent, count, members.node);
            if (found == NULL)
                break;
            found->does_answer = true;
            found->births[shard] = members.birth;
        }
    }
}

static enum error ask_at(const struct rescue_asked *asked, const char *endpoints,
                         struct rescue_absent *absent, uint32_t count, char *ret_text)
{
    struct plx_options options;
    struct plx_client *client;
    plx_options_init(&options);
    options.cluster = asked->cluster;
    options.endpoints = endpoints;
    options.key_file = asked->key_file;
    if (plx_open(&options, &client, ret_text, RESCUE_TEXT_BYTES) != PLX_OK)
        return ERR_IO;
    ask(client, asked->shard_count, absent, count);
    plx_close(client);
    return OK;
}

enum error rescue_probe(const struct rescue_asked *asked, struct rescue_absent *absent,
                        uint32_t count, char *ret_text)
{
    enum error error = OK;
    if (asked->endpoints != NULL)
        error = ask_at(asked, asked->endpoints, absent, count, ret_text);
    for (uint32_t i = 0; i < count && error == OK; i++) {
        if (absent[i].address[0] != '\0' && !absent[i].does_answer)
            error = ask_at(asked, absent[i].address, absent, count, ret_text);
    }
    return error;
}
