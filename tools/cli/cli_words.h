/* The words in which `pollux status` says what a node is. Each has an entry in docs/glossary.md;
 * a test compares the two. */
#ifndef POLLUX_TOOLS_CLI_CLI_WORDS_H
#define POLLUX_TOOLS_CLI_CLI_WORDS_H

#include "client/include/pollux.h"

/* follower, pre-candidate, candidate, leader. */
const char *words_role(enum plx_role role);

/* What a node's log lies on, as [node] medium has it: pmem, file or emulated. */
const char *words_medium(const struct plx_node *node);

/* Of a leader, whether it has a fresh quorum: yes or no. Nobody else can have one: "-". */
const char *words_quorum(const struct plx_node *node);

#endif
