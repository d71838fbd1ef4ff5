/* The lines of check.h, for the check*.c files only. */
#ifndef POLLUX_SERVER_CHECK_INTERNAL_H
#define POLLUX_SERVER_CHECK_INTERNAL_H

#include "server/check.h"
#include "server/node_options.h"

struct check {
    const struct config *config;
    const struct node_options *options;
    FILE *out;
    bool is_bad;
};

__attribute__((format(printf, 2, 3))) void check_good(struct check *check, const char *format, ...);
__attribute__((format(printf, 2, 3))) void check_is_bad(struct check *check, const char *format,
                                                        ...);

/* What is as it may be, and asks for a look. */
__attribute__((format(printf, 2, 3))) void check_note(struct check *check, const char *format, ...);

/* check_peers.c: addresses that cannot be, or cannot be reached. */
void check_peers(struct check *check);

/* check_sizes.c: files that overrule settings, room for those to be made, memory. */
void check_sizes(struct check *check);

#endif
