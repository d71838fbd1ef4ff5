"""What a card and its lane do beside serving: sizes of packets, sleep, links that fail."""

import re

import phases
import servers

MEASURED_SECONDS = 10
# For a value of 1 MiB, in each direction. Without loss it takes 860, 720 and 120; a slow guest asks
# for some pieces again.
PACKETS_MAX = {1280: 1500, 1500: 1250, 9000: 250}

# In MEASURED_SECONDS: the lane wakes the thread behind the snapshots (pmem/snapshot_thread.c), once
# or twice a second, to read ahead for the scrubber. The call (FUTEX_WAKE) never waits.
SYSTEM_CALLS_MAX = 30

# Prints voluntary switches, page faults and system calls of the lane while it ran for $1 seconds.
# The lane's thread is the one that is pinned to the core 1 and has used most of it.
LANE = """pid=$(cat /run/node.pid)
most=-1
for task in /proc/$pid/task/*; do
    [ "$(awk '/^Cpus_allowed_list/ {print $2}' $task/status)" = 1 ] || continue
    used=$(awk '{print $14 + $15}' $task/stat)
    if [ "$used" -gt "$most" ]; then most=$used; lane=$task; fi
done
[ "$most" -ge 0 ] || { echo 'no thread is pinned'; exit 1; }
look() {
    awk '/^voluntary_ctxt_switches/ {printf "%s ", $2}' $lane/status
    awk '{print $10 + $12, $14 + $15}' $lane/stat
}
cd /sys/kernel/tracing
echo 0 >events/enable
echo "common_pid == ${lane##*/}" >events/raw_syscalls/sys_enter/filter
echo 1 >events/raw_syscalls/sys_enter/enable
echo >trace
set -- $(look)
sleep SECONDS
set -- $* $(look)
calls=$(grep -c 'sys_enter: NR' trace)
echo "switches $(($4 - $1)) faults $(($5 - $2)) calls $calls ran $(($6 - $3))"
grep -o 'sys_enter: NR [0-9]*' trace | sort | uniq -c | sort -rn | head -5
echo 0 >events/raw_syscalls/sys_enter/enable
"""


def phase_lane(at, report):
    """A pinned lane on each kind of card: no voluntary switch, page fault or system call."""
    phases.bind_mixed(at, "vfio-pci")
    lane = "cores = 1\nidle_spin_turns = forever"
    if not phases.started(report, "pinned lane", at.cluster(lane=lane)):
        return
    held, said = at.serves()
    report.check(held == 0, "pinned lane: serves", said)
    script = LANE.replace("SECONDS", str(MEASURED_SECONDS))
    found = at.each([1, 2, 3], lambda number: at.guests[number].run(script, 60))
    for card, (status, said) in zip(servers.CARDS, found):
        counts = dict(re.findall(r"(switches|faults|calls|ran) (\d+)", said))
        if not report.check(status == 0 and int(counts.get("ran", 0)) > 0,
                            f"pinned lane on {card}: it ran meanwhile", said):
            continue
        for name, what, most in (("switches", "voluntary switches", 0),
                                 ("faults", "page faults", 0),
                                 ("calls", "system calls", SYSTEM_CALLS_MAX)):
            report.check(int(counts[name]) <= most, f"pinned lane on {card}: {counts[name]} {what} "
                         f"in {MEASURED_SECONDS} s (emulated), {most} at most", said)


# An emulated card is slow enough for packets to be sent again.
TRIES = 3
# Stores and reads a value of 1 MiB; prints the packets sent for it, those received, hundredths of
# a second of each.
LARGE = """head -c 1048576 /dev/urandom >/run/large
now() { awk '{print int($1 * 100)}' /proc/uptime; }
sent() { cat /sys/class/net/wire/statistics/tx_packets; }
received() { cat /sys/class/net/wire/statistics/rx_packets; }
sent=$(sent); begun=$(now)
pollux --timeout 20s set metal/large - </run/large || exit 1
sent=$(($(sent) - sent)); stored=$(($(now) - begun))
received=$(received); begun=$(now)
pollux --timeout 20s --raw get metal/large >/run/large.read || exit 1
received=$(($(received) - received)); read=$(($(now) - begun))
cmp /run/large /run/large.read || exit 1
echo "packets $sent $received times $stored $read"
"""


def phase_mtu(at, report):
    """A value of 1 MiB with an MTU of 1280, 1500 and 9000: it is right, and in few packets."""
    phases.bind_mixed(at, "vfio-pci")
    for mtu in (1280, 1500, 9000):
        name = f"mtu = {mtu}"
        at.guests[servers.CLIENT].must(f"ip link set wire mtu {mtu}")
        if not phases.started(report, name, at.cluster(port={"mtu": str(mtu), "ring_size": "512"})):
            continue
        held, said = at.serves()
        report.check(held == 0, f"{name}: serves", said)
        tries = []
        for _ in range(TRIES):
            status, said = at.pollux(LARGE, limit=90)
            found = re.search(r"packets (\d+) (\d+) times (\d+) (\d+)", said)
            if not report.check(status == 0 and found, f"{name}: 1 MiB is stored and read", said):
                break
            tries.append([int(text) for text in found.groups()])
        if len(tries) < TRIES:
            continue
        sent, stored = min((one[0], one[2]) for one in tries)
        received, read = min((one[1], one[3]) for one in tries)
        report.check(max(sent, received) <= PACKETS_MAX[mtu],
                     f"{name}: 1 MiB in {sent} packets there ({stored / 100:.2f} s, emulated) and "
                     f"{received} back ({read / 100:.2f} s, emulated), the fewest of {TRIES}; "
                     f"{PACKETS_MAX[mtu]} at most", tries)
    at.guests[servers.CLIENT].must("ip link set wire mtu 1500")


def link(at, number, is_up):
    at.guests[number].monitor("set_link", name=f"card{number - 1}", up=is_up)


def phase_link(at, report):
    """The link of each card fails and comes back; a node starts while its link is down."""
    if not phases.cluster_up(at, report, "before"):
        return
    for number, card in enumerate(servers.CARDS, 1):
        link(at, number, False)
        others = [other for other in (1, 2, 3) if other != number]
        held, said = at.serves(members=others)
        report.check(held == 0, f"link of {card} down: the others serve", said)
        link(at, number, True)
        phases.rejoins(at, report, f"link of {card} up again", number)
        at.signal(number)
        link(at, number, False)
        held, log = at.start(number)
        report.check(held, f"link of {card} down: its node starts", log)
        link(at, number, True)
        phases.rejoins(at, report, f"link of {card} up after the start", number)
