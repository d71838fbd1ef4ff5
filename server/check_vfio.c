/*
 * How a card reaches memory, and who may open it: the IOMMU, vfio, the limit of locked memory. See
 * check.h; host_card.h judges.
 *
 * Sources: the kernel's Documentation/driver-api/vfio.rst; getrlimit(2); limits.conf(5).
 */
#include "server/check_internal.h"

#include <errno.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

static bool has_vfio(const struct host_card *card)
{
    return strcmp(card->driver, "vfio-pci") == 0;
}

static bool has_uio(const struct host_card *card)
{
    return strncmp(card->driver, "uio", 3) == 0 || strcmp(card->driver, "igb_uio") == 0;
}

/* As if the card had its driver, and could be opened: what it will meet with vfio-pci, if it is
 * bound to no driver of DPDK's. */
static enum host_fault judge_iommu(const struct check_card *card)
{
    struct host_card facts = card->facts;
    facts.file_errno = 0;
    if (!check_card_is_bound(card))
        snprintf(facts.driver, sizeof(facts.driver), "vfio-pci");
    return check_card_judge(&facts, &card->need);
}

static void tell_no_iommu(struct check *check, const char *text)
{
    check_wrong(check, "IOMMU",
                "%s: turn it on in the firmware (VT-d, AMD-Vi) and on the kernel's command line",
                text);
    check_command(check,
                  "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&intel_iommu=on iommu=pt /' "
                  "%s/etc/default/grub && update-grub && reboot",
                  check->host->root);
}

static void tell_iommu_good(struct check *check, const struct host_card *card)
{
    if (!card->has_iommu && has_vfio(card))
        check_note(check, "IOMMU",
                   "there is none: vfio works without (enable_unsafe_noiommu_mode), and the card "
                   "can write anywhere in memory");
    else if (card->group[0] == '\0')
        check_good(check, "IOMMU", "none stands between the card and the memory");
    else
        check_good(check, "IOMMU",
                   "the card is in group %s, and the kernel uses nothing else there", card->group);
}

void check_iommu(struct check *check)
{
    struct check_card card;
    char text[HOST_TEXT_BYTES];
    if (!check_card_look(check, &card) || !card.facts.is_present)
        return; /* what is wrong with the card was told */
    enum host_fault fault = judge_iommu(&card);
    (void)check_card_text(fault, &card, text);
    if (fault == HOST_FAULT_NO_IOMMU) {
        tell_no_iommu(check, text);
    } else if (fault == HOST_FAULT_GROUP_SHARED) {
        check_wrong(check, "IOMMU",
                    "%s. Take the device from the kernel, too, or put the card "
                    "into another slot",
                    text);
        check_command(check, "echo %s >%s/sys/bus/pci/devices/%s/driver/unbind", card.facts.sharer,
                      check->host->root, card.facts.sharer);
    } else if (fault == HOST_FAULT_UIO_TRANSLATED) {
        check_wrong(check, "IOMMU", "%s", text);
        check_card_bind(check, card.facts.address, false);
    } else if (fault == HOST_FAULT_NONE) {
        tell_iommu_good(check, &card.facts);
    }
}

/* ---- who may open it ---- */

static enum host_fault judge_access(const struct check_card *card)
{
    struct host_card facts = card->facts;
    facts.sharer[0] = '\0';
    facts.group_type[0] = '\0';
    return host_fault_find(&facts, &card->memory, &card->need);
}

void check_vfio(struct check *check)
{
    struct check_card card;
    char text[HOST_TEXT_BYTES];
    if (!check_card_look(check, &card) || !check_card_is_bound(&card) || card.facts.file[0] == '\0')
        return;
    const char *file = card.facts.file;
    enum host_fault fault = judge_access(&card);
    (void)check_card_text(fault, &card, text);
    if (fault == HOST_FAULT_IN_USE) {
        check_note(check, file, "%s: this node, if it runs now", text);
        check_command(check, "fuser -v %s%s", check->host->root, file);
    } else if (fault == HOST_FAULT_NO_PERMISSION && card.facts.file_errno == ENOENT) {
        check_wrong(check, file, "%s: a container must be given it", text);
    } else if (fault == HOST_FAULT_NO_PERMISSION) {
        check_wrong(check, file,
                    "%s. Start the node as root, with [node] user; or give the file to the user, "
                    "until the card is bound anew",
                    text);
        if (card.facts.file_errno != 0)
            check_command(check, "sudo chown \"$(id -un)\" %s%s", check->host->root, file);
    } else {
        check_good(check, file, "user %u may open it", (unsigned)check->host->uid);
    }
}

/* vfio locks what the card may write to; root is free of the limit. */
void check_memlock(struct check *check)
{
    struct check_card card;
    char text[HOST_TEXT_BYTES];
    if (!check_card_look(check, &card) || !has_vfio(&card.facts))
        return;
    bool is_enough = card.memory.may_pin || card.memory.memlock_bytes >= card.need.memory_bytes;
    if (is_enough) {
        check_good(check, "memlock", "the card's buffers take %lu MiB, and may be locked",
                   (unsigned long)(card.need.memory_bytes / MIB));
        return;
    }
    check_wrong(check, "memlock",
                "%s: raise the limit, and log in anew; a unit of systemd has LimitMEMLOCK=infinity",
                check_card_text(HOST_FAULT_MEMLOCK, &card, text));
    check_command(check,
                  "printf '%%s - memlock unlimited\\n' \"$(id -un)\" | sudo tee "
                  "%s/etc/security/limits.d/pollux.conf",
                  check->host->root);
}

void check_physical(struct check *check)
{
    struct check_card card;
    char text[HOST_TEXT_BYTES];
    bool needs_pages = check_card_look(check, &card) && check_card_is_bound(&card) &&
                       (has_uio(&card.facts) || (has_vfio(&card.facts) && !card.facts.has_iommu));
    if (!needs_pages) {
        check_good(check, "[port] hugepages = false", "none are needed");
        return;
    }
    check_wrong(check, "[port] hugepages = false", "%s",
                check_card_text(HOST_FAULT_NEEDS_HUGEPAGES, &card, text));
    if (check->config_path != NULL)
        check_command(check, "sed -i '/^hugepages *=/d; s/^\\[port\\]/&\\nhugepages = true/' '%s'",
                      check->config_path);
}
