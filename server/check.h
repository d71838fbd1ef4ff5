/*
 * What `polluxd --check` finds: a line for each thing that was looked at, "good", "note" or "bad",
 * with the place and the way out. Nothing is changed; the medium is asked with a file of its own,
 * which is gone afterwards. The node may run meanwhile.
 *
 * Main thread.
 */
#ifndef POLLUX_SERVER_CHECK_H
#define POLLUX_SERVER_CHECK_H

#include "server/config.h"

#include <stdio.h>

/* Writes the lines. True: none is bad. */
bool check_config(const struct config *config, FILE *out);

#endif
