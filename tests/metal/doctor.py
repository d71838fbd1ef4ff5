"""pollux doctor: what it says of each mistake, and whether the command that it prints mends it."""

import json

import guest
import options

CONFIG = "/etc/pollux/node.ini"
DATA = "/var/lib/pollux"
CARD = guest.pci_address(0)  # e1000e
OTHER = guest.pci_address(1)  # virtio, with the default route
NUMBER = 9

CONFIGURATION = f"""[node]
id = 1
directory = {DATA}/node
log_size = 16MiB
relaxed_size = 8MiB
[cluster]
name = doctor
election_timeout_min = 2s
election_timeout_max = 4s
heartbeat_interval = 300ms
keys_max = 10000
store_size = 16MiB
sessions_max = 256
[peers]
1 = 10.77.0.1:7400
[security]
mode = required
clients = required
key = /etc/pollux/root.key
[port]
device = {CARD}
hugepages = true
memory_mib = 32
[lane]
cores = 1
"""

# What the machine is like before the first line of the table.
BEGIN = f"""set -e
mkdir -p /etc/default {DATA}
pollux key new doctor --out /etc/pollux/root.key >/dev/null
ndctl create-namespace -f -e namespace0.0 -m fsdax --map=mem >/dev/null
mkfs.ext4 -q -b 4096 -F /dev/pmem0
mount -t ext4 -o dax=always /dev/pmem0 {DATA}
printf '# fstab\\n' >/etc/fstab
polluxd --config {CONFIG} --init >/dev/null
ip addr add 10.99.0.1/24 dev $(ls /sys/bus/pci/devices/{OTHER}/virtio*/net)
ip link set $(ls /sys/bus/pci/devices/{OTHER}/virtio*/net) up
ip route add default via 10.99.0.2
"""

BIND = """modprobe {driver}
echo {driver} >/sys/bus/pci/devices/{card}/driver_override
[ ! -e /sys/bus/pci/devices/{card}/driver ] ||
    echo {card} >/sys/bus/pci/devices/{card}/driver/unbind
echo {card} >/sys/bus/pci/drivers_probe"""


def device(name):
    return f"sed -i 's/^device = .*/device = {name}/' {CONFIG}"


# The cause, how it is made, the check that tells it, what it says, and what it says when its
# command was run. None: it names no command that could mend it here, and what follows undoes it.
TABLE = (
    ("card has a kernel driver", ":", "card", f"card {CARD} is bound to the kernel's driver e1000e",
     f"{CARD} is a network card, bound to vfio-pci"),
    ("card not bound", f"echo {CARD} >/sys/bus/pci/devices/{CARD}/driver/unbind", "card",
     f"card {CARD} is bound to no driver", "bound to vfio-pci"),
    ("short address", device(CARD.removeprefix("0000:")), "card", "not written in full",
     "bound to vfio-pci"),
    ("no such card", device("0000:00:1e.0"), "card", "there is no device at the address", None),
    ("no network card", device("0000:00:00.0"), "card", "is no network card", None),
    ("card with the default route", device(OTHER), "card", "carries the default route", None),
    ("uio behind an IOMMU", device(CARD) + "\n" + BIND.format(driver="uio_pci_generic", card=CARD),
     "iommu", "it would receive nothing", "the card is in group"),
    ("uio, hugepages off", BIND.format(driver="uio_pci_generic", card=CARD) +
     f"\nsed -i 's/^hugepages = .*/hugepages = false/' {CONFIG}",
     "hugepages", "only hugepages have them", "MiB are reserved"),
    ("no hugepages", BIND.format(driver="vfio-pci", card=CARD) +
     "\necho 0 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
     "hugepages", "0 MiB are reserved, and the node needs 32 MiB", "32 MiB free"),
    ("hugepages not after a boot", ":", "hugepages", "nothing reserves them",
     "after a new start: reserved by /etc/tmpfiles.d"),
    ("interrupts on a lane's core", "for irq in /proc/irq/*/smp_affinity_list; do\n"
     "    echo 1 >$irq\ndone 2>/dev/null; :", "interrupts", "go to a lane's core",
     "none of them on a lane's core"),
    ("mount not in fstab", ":", "mount", "neither /etc/fstab nor a unit of systemd names it",
     "as /etc/fstab has it"),
    ("forgotten mount", f"umount {DATA}", "mount", "names it, and it is not mounted",
     "as /etc/fstab has it"),
    ("mounted without DAX", f"umount {DATA}; mount -t ext4 /dev/pmem0 {DATA}", "dax",
     "mounted without DAX", "persistent memory with DAX"),
    ("key file readable by others", "chmod 644 /etc/pollux/root.key", "security",
     "others than its owner may use it", "root key 1, check"),
)


def look(one, *words):
    """What it finds: a list, or what it said in place of one."""
    _, said = one.run(f"pollux doctor -o json --config {CONFIG} {' '.join(words)} 2>/dev/null")
    return json.loads(said)


def find(found, check, words):
    for entry in found:
        if entry["name"] == check and words in entry["subject"] + ": " + entry["message"]:
            return entry
    return None


def try_line(one, report, line):
    cause, make, check, words, good = line
    one.must(make)
    found = look(one)
    entry = find(found, check, words)
    if not report.check(entry is not None and entry["state"] == "wrong",
                        f"{cause}: told by {check}", json.dumps(found, indent=1)):
        return
    if good is None:
        return
    status, said = one.run(entry["command"])
    report.check(status == 0, f"{cause}: its command runs: {entry['command']}", said)
    after = look(one)
    mended = find(after, check, good)
    report.check(mended is not None and find(after, check, words) is None,
                 f"{cause}: mended", json.dumps(after, indent=1))


def try_memlock(one, report):
    """Of a user who is not root; the limit holds from the next login on."""
    ask = f"pollux doctor -o json --config {CONFIG}"
    for limit, state in ((64, "wrong"), ("unlimited", "good")):
        _, said = one.run(f"ulimit -l {limit}; su -s /bin/sh -c '{ask}' pollux 2>/dev/null")
        entry = find(json.loads(said), "memlock", "memlock")
        report.check(entry is not None and entry["state"] == state,
                     f"memlock {limit} of a user: {state}", said)


def try_fix(one, report):
    """Several mistakes at once; and the card that carries the default route stays."""
    one.must(f"echo {CARD} >/sys/bus/pci/devices/{CARD}/driver/unbind\n"
             "echo 0 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages\n"
             f"rm -f /etc/tmpfiles.d/*; chmod 644 /etc/pollux/root.key; umount {DATA}")
    fixed = {entry["name"] for entry in look(one, "--fix") if entry["fixed"]}
    wanted = {"card", "hugepages", "mount", "security"}
    report.check(wanted <= fixed, "--fix mends card, hugepages, mount and key file", fixed)
    one.must(device(OTHER))
    before = one.run(f"readlink /sys/bus/pci/devices/{OTHER}/driver; ip route")
    look(one, "--fix")
    after = one.run(f"readlink /sys/bus/pci/devices/{OTHER}/driver; ip route")
    report.check(before == after and "default" in after[1],
                 "--fix leaves the card with the default route", after)
    one.must(device(CARD))


STARTED = f"""setsid polluxd --config {CONFIG} >/run/node.log 2>&1 &
for turn in $(seq 200); do
    ! grep -q ' started node=' /run/node.log || exit 0
    sleep 0.2
done
cat /run/node.log; exit 1"""


def phase_doctor(at, report):
    """pollux doctor: each mistake is told, and the command that it prints mends it."""
    one = guest.Guest(at.guests[1].folder.parent, NUMBER)
    one.boot(at.image, at.archive, options.make(cards=["e1000e", "virtio"], nvdimm="mem-ctrl",
                                                hugepages=0, memory=640)).wait()
    try:
        one.must("mkdir -p /etc/pollux")
        one.write(CONFIG, CONFIGURATION)
        one.must(BEGIN)
        for line in TABLE:
            try_line(one, report, line)
        try_memlock(one, report)
        try_fix(one, report)
        status, said = one.run(STARTED, limit=90)
        report.check(status == 0, "a node starts on what was mended", said)
    finally:
        one.cut()
