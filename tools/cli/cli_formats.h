/*
 * Which formats (base/format.h) the nodes know and which are in force, put together from what the
 * nodes say of their shards; and whether the next one may be put in force.
 *
 * Pure.
 */
#ifndef POLLUX_TOOLS_CLI_CLI_FORMATS_H
#define POLLUX_TOOLS_CLI_CLI_FORMATS_H

#include "client/include/pollux_members.h"

#define FORMATS_ROWS_MAX (PLX_MEMBERS_MAX + PLX_ENDPOINTS_MAX)

struct formats_row {
    uint16_t node;
    bool has_answered;
    bool is_member;
    bool is_older;     /* its program is of before there were formats: it knows format 0 alone */
    uint64_t known;    /* the newest that it knows */
    uint64_t in_force; /* the lowest of its shards */
};

struct formats_view {
    uint32_t count;
    struct formats_row rows[FORMATS_ROWS_MAX];
};

/* What a node has said of one of its shards (plx_status). */
void formats_note(struct formats_view *view, const struct plx_node *node);
/* A node has a storage that is a member of some shard. */
void formats_note_member(struct formats_view *view, uint16_t node);

/* The lowest format in force at a member that has answered; 0: none has. */
uint64_t formats_in_force(const struct formats_view *view);
/* The newest format that every member knows, if all have answered; 0: some have not. */
uint64_t formats_known(const struct formats_view *view);
/* Why a member keeps this format from being put in force; NULL: it does not. */
const char *formats_lack(const struct formats_row *row, uint64_t format);
/* All members have answered, and have it in force in every shard. */
bool formats_are_at(const struct formats_view *view, uint64_t format);

#endif
