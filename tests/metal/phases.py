"""Clusters on cards: they form, they serve, they survive."""

import re

import guest
import servers as site

VALUE = "of bare metal"


def bind_mixed(at, driver):
    """One card of each kind, in one cluster: guest 1 has virtio, 2 e1000e, 3 vmxnet3."""
    at.need()
    at.stop()
    at.each([1, 2, 3], at.release)
    at.each([1, 2, 3], lambda number: at.bind(number, number - 1, driver))


def serves(at, report, name, family=4):
    """Set, get and swap; and each node answers by itself over its own card."""
    held, said = at.serves(family)
    if not report.check(held == 0, f"{name}: three nodes form a cluster and store a value", said):
        return False
    status, said = at.pollux(f"pollux set metal/key '{VALUE}' && pollux get metal/key && "
                             "pollux swap metal/key new 'of bare metal' && pollux get metal/key",
                             family)
    report.check(status == 0 and VALUE in said and said.rstrip().endswith("new"),
                 f"{name}: set, get, swap", said)
    for number in (1, 2, 3):
        status, said = at.pollux("pollux --relaxed get metal/key", family, [number])
        report.check(status == 0 and "new" in said,
                     f"{name}: {site.CARDS[number - 1]} answers a relaxed get", said)
    return True


def started(report, name, results):
    """All three nodes were started."""
    for number, (held, log) in enumerate(results, 1):
        report.check(held, f"{name}: a node starts on {site.CARDS[number - 1]}", log)
    return all(held for held, _ in results)


def phase_cards(at, report):
    """Each card by each driver, with hugepages and without."""
    for driver, hugepages in (("vfio-pci", "true"), ("vfio-pci", "false"),
                              ("uio_pci_generic", "true")):
        bind_mixed(at, driver)
        name = f"{driver}, hugepages = {hugepages}"
        if started(report, name, at.cluster(port={"hugepages": hugepages})):
            serves(at, report, name)


def phase_ipv6(at, report):
    """The same over IPv6 alone, and over IPv6 beside IPv4."""
    bind_mixed(at, "vfio-pci")
    if started(report, "IPv6", at.cluster(family=6)):
        serves(at, report, "IPv6", 6)
    if started(report, "both", at.cluster(both=True)):
        serves(at, report, "IPv4 beside IPv6", 4)
        for number in (1, 2, 3):
            status, said = at.pollux("pollux --relaxed get metal/key", 6, [number])
            report.check(status == 0, f"IPv6 beside IPv4: {site.CARDS[number - 1]} answers", said)


WRITER = """rm -f /run/stop; : >/run/acknowledged
( number=0
while [ ! -e /run/stop ]; do
    number=$((number + 1))
    if pollux --timeout 10s set metal/held/$number value-$number >/dev/null 2>&1; then
        printf 'metal/held/%s\\tvalue-%s\\n' $number $number >>/run/acknowledged
    fi
done; touch /run/stopped ) >/dev/null 2>&1 </dev/null &
rm -f /run/stopped"""


def writer_begin(at):
    at.pollux(WRITER)
    writer_wait(at, 5)


def written(at):
    return int(at.pollux("touch /run/acknowledged; wc -l </run/acknowledged")[1] or 0)


def writer_wait(at, more):
    """Until so many more writes were acknowledged. Returns whether."""
    before = written(at)
    status, _ = at.pollux("for turn in $(seq 600); do\n"
                          f"    [ $(wc -l </run/acknowledged) -lt {before + more} ] || exit 0\n"
                          "    sleep 0.1\ndone\nexit 1", limit=120)
    return status == 0


def writer_end(at):
    at.pollux("touch /run/stop\nfor turn in $(seq 300); do\n"
              "    [ ! -e /run/stopped ] || exit 0\n    sleep 0.1\ndone", limit=60)


def all_held(at, report, name, members=(1, 2, 3)):
    count = written(at)
    status, said = at.pollux("pollux --timeout 10s check /run/acknowledged", members=members,
                             limit=120)
    report.check(status == 0 and count > 0,
                 f"{name}: all of {count} acknowledged writes are there", said)


def rejoins(at, report, name, number):
    """The node is a voter again and has all that the others have."""
    status, said = at.pollux("for turn in $(seq 100); do\n"
                             "    pollux member list >/run/said 2>&1 && exit 0\n"
                             "    sleep 0.2\ndone\ncat /run/said; exit 1", limit=120)
    report.check(status == 0, f"{name}: node {number} is a voter again", said)


def cluster_up(at, report, name):
    bind_mixed(at, "vfio-pci")
    if not started(report, name, at.cluster()):
        return False
    held, said = at.serves()
    return report.check(held == 0, f"{name}: serves", said)


def phase_kill(at, report):
    """kill -9 of the leader under load, and of the node that follows it."""
    if not cluster_up(at, report, "before"):
        return
    writer_begin(at)
    for turn in ("first", "second"):
        number = at.leader()
        if not report.check(number > 0, f"kill -9 of the {turn} leader: somebody leads"):
            break
        name = f"kill -9 of the {turn} leader ({site.CARDS[number - 1]})"
        at.signal(number, "KILL")
        report.check(writer_wait(at, 5), f"{name}: the others serve")
        held, log = at.start(number)
        report.check(held, f"{name}: it starts again on the same card", log)
        rejoins(at, report, name, number)
    writer_end(at)
    all_held(at, report, "kill -9")


def phase_power(at, report):
    """The power of the leader fails under load; then that of all three at once."""
    if not cluster_up(at, report, "before"):
        return
    writer_begin(at)
    number = at.leader()
    if not report.check(number > 0, "power cut: somebody leads"):
        return
    at.guests[number].cut()
    report.check(writer_wait(at, 5), "power cut of the leader: the others serve")
    for other in (1, 2, 3):
        at.guests[other].cut()
    writer_end(at)
    again(at, report, "power cut of all", (1, 2, 3))
    held, said = at.serves()
    report.check(held == 0, "power cut of all: serves again", said)
    rejoins(at, report, "power cut of all", number)
    all_held(at, report, "power cut of all")


def again(at, report, name, numbers):
    """Boots, binds, starts: as after a power cut."""
    at.need()

    def begin(number):
        at.bind(number, number - 1, "vfio-pci")
        at.configure(number)
        return at.start(number)
    for number, (held, log) in zip(numbers, at.each(list(numbers), begin)):
        report.check(held, f"{name}: node {number} starts again", log)


def phase_mount(at, report):
    """A boot without the mount: no new log, no vote; and nothing acknowledged is lost."""
    if not cluster_up(at, report, "before"):
        return
    writer_begin(at)
    writer_end(at)
    at.signal(3)
    one = at.guests[3]
    one.must(f"umount {site.DATA}")
    held, log = at.start(3)
    report.check(not held, "forgotten mount: the node does not start", log)
    report.check(at.signal(3) == "7" and "mount" in log,
                 "forgotten mount: exit status 7, and the message speaks of the mount", log)
    status, found = one.run(f"ls -A {site.DATA}")
    report.check(status == 0 and found.strip() == "", "forgotten mount: nothing was made", found)
    at.mount(3)
    held, log = at.start(3)
    report.check(held, "mounted again: the node starts", log)
    rejoins(at, report, "mounted again", 3)
    all_held(at, report, "mounted again")


def phase_medium(at, report):
    """What the medium is said to be: on DAX cache-line, with persistent caches byte."""
    if not cluster_up(at, report, "before"):
        return
    for number, word in ((1, "cache-line"), (2, "byte"), (3, "cache-line")):
        found = re.search(r" medium=(\S+)", at.log(number))
        report.check(found and found[1] == word,
                     f"NVDIMM of guest {number}: medium={word} (emulated)", at.log(number))
    at.signal(3)
    one = at.guests[3]
    one.must(f"umount {site.DATA} && mount -t ext4 /dev/pmem0 {site.DATA}")
    held, log = at.start(3)
    report.check(not held and "dax" in log,
                 "mounted without dax: the node refuses, and names the option", log)
    at.signal(3)
    one.must(f"umount {site.DATA}")
    at.mount(3)


