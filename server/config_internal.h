/* Checks across the keys of a configuration, for the config*.c files only. */
#ifndef POLLUX_SERVER_CONFIG_INTERNAL_H
#define POLLUX_SERVER_CONFIG_INTERNAL_H

#include "server/config.h"

/* What no single key can tell; NULL when all is well. */
const char *config_contradiction(const struct config *config);

/* A journal that nobody opens would strand the acknowledged writes in it without a word. */
bool config_has_stranded_journal(const struct config *config, char *ret_reason, size_t reason_size);

/* Peers that cannot both be where they are said to be. */
bool config_has_peers_in_one_place(const struct config *config, char *ret_reason,
                                   size_t reason_size);

#endif
