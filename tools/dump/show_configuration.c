/* A configuration: who is a member. See dump.h. */
#include "tools/dump/dump.h"

#include <arpa/inet.h>

static const char *name_of(enum raft_membership membership)
{
    switch (membership) {
    case RAFT_NO_MEMBER:
        return "none";
    case RAFT_LEARNER:
        return "learner";
    case RAFT_VOTER:
        return "voter";
    case RAFT_INCOMING:
        return "incoming";
    case RAFT_OUTGOING:
        return "outgoing";
    case RAFT_MEMBERSHIP_END:
        break;
    }
    return "?";
}

/* As the settings have it; empty: not known. */
static void address_text(const struct raft_member *member, char *text, size_t text_size)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char host[INET6_ADDRSTRLEN] = "";
    text[0] = '\0';
    if (member->port == 0)
        return;
    bool is_ipv4 = memcmp(member->address, mapped, sizeof(mapped)) == 0;
    if (is_ipv4)
        inet_ntop(AF_INET, member->address + sizeof(mapped), host, sizeof(host));
    else
        inet_ntop(AF_INET6, member->address, host, sizeof(host));
    snprintf(text, text_size, is_ipv4 ? "%s:%u" : "[%s]:%u", host, member->port);
}

static void show_member(struct output *output, uint32_t slot, const struct raft_member *member)
{
    char address[INET6_ADDRSTRLEN + 16];
    address_text(member, address, sizeof(address));
    output_row(output, "member");
    output_number(output, "slot", slot);
    output_number(output, "node", member->storage.id);
    output_name(output, "birth", member->storage.birth);
    output_text(output, "membership", name_of(member->membership));
    if (member->stays_learner)
        output_flag(output, "stays_learner", true);
    if (member->leaves)
        output_flag(output, "leaves", true);
    if (address[0] != '\0')
        output_text(output, "address", address);
    output_end(output);
}

static void refuse(struct dump *dump, enum error error, struct span bytes)
{
    char note[VIEW_NOTE_BYTES] = "not a configuration";
    uint32_t oldest = format_versions(0)->configuration;
    uint32_t newest = format_versions(FORMAT_KNOWN)->configuration;
    bool is_other = bytes.size_bytes > 0 && (bytes.data[0] < oldest || bytes.data[0] > newest);
    if (is_other)
        snprintf(note, sizeof(note), "version %u, this program knows %u to %u", bytes.data[0],
                 oldest, newest);
    dump_refuse(dump, is_other ? ERR_VERSION : error, note);
}

static void show_fields(struct output *output, const struct raft_configuration *configuration)
{
    output_name(output, "cluster", configuration->cluster);
    output_number(output, "era", configuration->era);
    output_number(output, "number", configuration->number);
    output_number(output, "format", configuration->format);
    output_flag(output, "is_joint", raft_configuration_is_joint(configuration));
    output_list(output, "members");
    for (uint32_t slot = 0; slot < configuration->slot_count; slot++) {
        if (configuration->members[slot].storage.birth != 0)
            show_member(output, slot, &configuration->members[slot]);
    }
    output_end(output);
}

void dump_configuration(struct dump *dump, const char *source, uint64_t index, struct span bytes)
{
    struct output *output = &dump->output;
    struct raft_configuration configuration;
    enum error error = raft_configuration_decode(bytes.data, bytes.size_bytes, &configuration);
    output_object(output, "configuration");
    output_text(output, "found_in", source);
    output_number(output, "index", index);
    if (error == OK)
        show_fields(output, &configuration);
    else
        refuse(dump, error, bytes);
    output_end(output);
}
