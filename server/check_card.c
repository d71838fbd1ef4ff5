/*
 * The network card that [port] device names: see check.h. host_fault.h judges it, for a start of a
 * node, too.
 *
 * Sources: driverctl(8).
 */
#include "server/check_internal.h"

#define CARDS_TEXT_MAX 512

void check_port_look(const struct check *check, struct host_port *ret_port)
{
    const struct host_need need = {.device = check->config->device,
                                   .config_path = check->config_path,
                                   .memory_bytes = config_packet_bytes(check->config),
                                   .is_hugepages = check->config->is_hugepages};
    host_port_look(check->host, &need, ret_port);
}

uint32_t check_faults(struct check *check, enum host_part part, const struct host_port *port)
{
    uint32_t count = 0;
    for (int i = 0; i < HOST_FAULT_COUNT; i++) {
        enum host_fault fault = (enum host_fault)i;
        struct host_finding finding;
        if (host_fault_part(fault) != part || !host_fault_is(fault, port))
            continue;
        count++;
        host_fault_tell(fault, port, &finding);
        if (host_fault_is_of_running(fault))
            check_note(check, finding.subject, "%s", finding.what);
        else
            check_wrong_finding(check, &finding);
    }
    return count;
}

/* A driver that is bound by hand is lost with the next start of the machine. */
static void tell_bound(struct check *check, const struct host_card *card)
{
    char unit[HOST_ENTRY_BYTES + 32];
    char path[PATH_MAX];
    check_good(check, "[port] device", "%s is a network card, bound to %s", card->address,
               card->driver);
    snprintf(unit, sizeof(unit), "pollux-card@%s.service", card->address);
    snprintf(path, sizeof(path), "/etc/driverctl.d/%s", card->address);
    bool is_of_kernel = host_card_driver(card) == HOST_DRIVER_BOTH;
    if (is_of_kernel || host_has_enabled(check->host, unit) || host_has(check->host, path))
        return;
    check_note(check, "the card after a new start",
               "neither pollux-card@ nor driverctl binds it to %s: unless something else does, the "
               "kernel's driver has it then",
               card->driver);
    if (host_has_unit(check->host, "pollux-card@.service"))
        check_command(check, "systemctl enable pollux-card@%s", card->address);
    else
        check_command(
            check, "%sdriverctl set-override %s %s",
            host_has(check->host, "/usr/sbin/driverctl") ? "" : "apt-get install driverctl && ",
            card->address, card->driver);
}

void check_card(struct check *check)
{
    char cards[CARDS_TEXT_MAX];
    struct host_port port;
    if (check->config != NULL && !host_card_is_meant(check->config->device)) {
        check_good(check, "[port] device", "%.160s: no card is needed", check->config->device);
        return;
    }
    if (!host_has(check->host, HOST_DEVICES)) {
        check_unknown(check, "[port] device",
                      "%s" HOST_DEVICES " is not there: a container, or no PCI", check->host->root);
        return;
    }
    if (check->config == NULL) {
        check_note(check, "[port] device", "network cards here: %s",
                   host_cards_text(check->host, cards, sizeof(cards)));
        return;
    }
    check_port_look(check, &port);
    if (check_faults(check, HOST_PART_CARD, &port) == 0)
        tell_bound(check, &port.card);
}
