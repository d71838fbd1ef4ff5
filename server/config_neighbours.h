/* One line of the section [neighbours]: an address on the link, and its MAC. (The name before it is
 * the reader's own.) */
#ifndef POLLUX_SERVER_CONFIG_NEIGHBOURS_H
#define POLLUX_SERVER_CONFIG_NEIGHBOURS_H

#include "server/config.h"

/* False: not "ip mac", the address twice, a MAC that no single machine has, or too many. */
bool config_store_neighbour(struct config *config, const char *value);

#endif
