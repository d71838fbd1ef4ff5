/* See exposure.h. */
#include "server/exposure.h"

#include <stdio.h>
#include <string.h>

static bool text_begins(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

/* A driver's name ends with a number, or with the arguments. */
static bool is_driver(const char *device, const char *driver)
{
    size_t length = strlen(driver);
    return text_begins(device, driver) &&
           strspn(device + length, "0123456789") == strcspn(device + length, ",");
}

/* One of the arguments behind the driver's name, as a whole. */
static bool has_argument(const char *device, const char *argument)
{
    size_t length = strlen(argument);
    for (const char *at = strchr(device, ','); at != NULL; at = strchr(at + 1, ',')) {
        if (text_begins(at + 1, argument) && (at[1 + length] == ',' || at[1 + length] == '\0'))
            return true;
    }
    return false;
}

bool exposure_is_local(const char *device)
{
    static const char *const in_memory[] = {"net_memif", "net_ring", "net_null"};
    static const char *const of_kernel[] = {"net_af_packet", "net_af_xdp"};
    for (size_t i = 0; i < sizeof(in_memory) / sizeof(in_memory[0]); i++) {
        if (is_driver(device, in_memory[i]))
            return true;
    }
    for (size_t i = 0; i < sizeof(of_kernel) / sizeof(of_kernel[0]); i++) {
        if (is_driver(device, of_kernel[i]) && has_argument(device, "iface=lo"))
            return true;
    }
    return false;
}

bool exposure_is_there(const struct config *config)
{
    return !exposure_is_local(config->device) &&
           (config->security_mode == SECURITY_NONE || config->clients_mode == SECURITY_NONE);
}

/* A setting that is `none`, or is not there. */
struct unprotected {
    const char *setting;
    const char *who;
    bool is_written;
};

static enum error exposure_refuse(const struct config *config,
                                  const struct unprotected *unprotected, char *ret_reason,
                                  size_t reason_size)
{
    snprintf(ret_reason, reason_size,
             "[security] %s %s: whoever can send packets to [port] device = %.100s %s. Set %s = "
             "required, and key: see docs/security.md. To go without on a network that you trust, "
             "write %s = none and open_port = true",
             unprotected->setting, unprotected->is_written ? "= none" : "is not set",
             config->device, unprotected->who, unprotected->setting, unprotected->setting);
    return ERR_PERMISSION;
}

enum error exposure_check(const struct config *config, char *ret_reason, size_t reason_size)
{
    const struct unprotected peers = {"mode", "can end the cluster", config->is_mode_written};
    const struct unprotected clients = {"clients", "can read and write every key",
                                        config->is_clients_written};
    if (!exposure_is_there(config))
        return OK;
    if (config->security_mode == SECURITY_NONE && !(peers.is_written && config->is_open_port))
        return exposure_refuse(config, &peers, ret_reason, reason_size);
    if (config->clients_mode == SECURITY_NONE && !(clients.is_written && config->is_open_port))
        return exposure_refuse(config, &clients, ret_reason, reason_size);
    return OK;
}
