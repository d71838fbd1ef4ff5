/*
 * The words for an address: "10.77.0.1", "fd00::2".
 *
 * Any thread.
 */
#ifndef POLLUX_BASE_ADDRESS_TEXT_H
#define POLLUX_BASE_ADDRESS_TEXT_H

#include "base/limits.h"

#include <stdint.h>

/* `ip` as in base/address.h: IPv4 is held mapped, and written as IPv4. Returns ret_text. */
const char *address_ip_text(const uint8_t ip[16], char ret_text[ADDRESS_IP_TEXT_BYTES]);

#endif
