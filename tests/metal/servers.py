"""Three servers and a client machine, and what is done with all of them."""

import concurrent.futures
import pathlib
import re
import tempfile

import guest
import options

CLUSTER = "metal"
CLIENT = 4
CARDS = ("virtio", "e1000e", "vmxnet3")
DATA = "/var/lib/pollux"
CONFIG = "/etc/pollux/node.ini"
LOG = "/var/log/node"
START_SECONDS = 40
SERVICE_SECONDS = 60

CONFIGURATION = """[node]
id = {id}
directory = {data}/node
log_size = 16MiB
relaxed_size = 8MiB
{node}
[cluster]
name = metal
shards = 1
election_timeout_min = 1s
election_timeout_max = 2s
heartbeat_interval = 200ms
keys_max = 10000
store_size = 16MiB
sessions_max = 256
[peers]
{peers}
[security]
mode = none
clients = none
open_port = true
[port]
device = {device}
{port}
[lane]
{lane}
"""

# $1 card, $2 driver: as docs/bare-metal.md does by hand.
BIND = """set -e
modprobe $2
card=/sys/bus/pci/devices/$1
echo $2 >$card/driver_override
if [ -e $card/driver ]; then echo $1 >$card/driver/unbind; fi
echo $1 >/sys/bus/pci/drivers_probe
[ "$(basename $(readlink $card/driver))" = "$2" ]
"""

# Ends with 0 when the node serves, with 1 when it has ended, with 2 when the time is up.
STARTED = """for turn in $(seq {turns}); do
    if grep -q ' started node=' {log}; then exit 0; fi
    if [ -e /run/node.status ]; then exit 1; fi
    sleep 0.2
done
exit 2
"""


def address(number, family=4):
    return f"10.77.0.{number}" if family == 4 else f"fd77::{number:x}"


def endpoint(number, family=4):
    return f"{address(number)}:7400" if family == 4 else f"[{address(number, 6)}]:7400"


class Site:
    """The guests 1 to 3 have one card of each kind; the client's card belongs to its kernel."""

    def __init__(self, folder, image, archive):
        self.image = image
        self.archive = archive
        self.guests = {number: guest.Guest(folder, number) for number in (1, 2, 3, CLIENT)}
        self.device = {}

    def options(self, number, **more):
        if number == CLIENT:
            return options.make(cards=["virtio", "e1000e"], memory=512, hugepages=0, iommu="none",
                                nvdimm="mem-ctrl", **more)
        nvdimm = "cpu" if number == 2 else "mem-ctrl"
        return options.make(**{"cards": list(CARDS), "iommu": "passthrough", "nvdimm": nvdimm,
                               "hugepages": 80, **more})

    def each(self, numbers, work):
        """Runs work(number) for all of them at once; results in their order."""
        with concurrent.futures.ThreadPoolExecutor(len(numbers)) as pool:
            return list(pool.map(work, numbers))

    def boot(self, numbers, **more):
        def start(number):
            one = self.guests[number]
            if not one.is_running():
                one.boot(self.image, self.archive, self.options(number, **more)).wait()
                one.write("/root/bind", BIND)
        self.each(list(numbers), start)

    def need(self, numbers=(1, 2, 3, CLIENT)):
        """Boots what does not run, with media mounted and the client on the wire."""
        fresh = [number for number in numbers if not self.guests[number].is_running()]
        if not fresh:
            return
        self.boot(fresh)
        for number in fresh:
            if number == CLIENT:
                self.mount(number)
                self.guests[number].must(
                    "set -e\ncard=$(ls /sys/bus/pci/devices/0000:00:10.0/virtio*/net)\n"
                    "ip link set $card name wire\ncard=wire\n"
                    "sysctl -q -w net.ipv6.conf.wire.accept_dad=0\n"
                    f"ip addr add {address(100)}/24 dev $card\n"
                    f"ip addr add {address(100, 6)}/64 dev $card\n"
                    "ip link set $card mtu 1500 up")
            else:
                self.mount(number)

    def mount(self, number):
        """Makes the file system if the NVDIMM is new."""
        self.guests[number].must(
            "[ -e /dev/pmem0 ] && ndctl list -N | grep -q fsdax || {\n"
            "    ndctl create-namespace -f -e namespace0.0 -m fsdax --map=mem &&\n"
            "    mkfs.ext4 -q -b 4096 -F /dev/pmem0; } &&\n"
            f"mount -t ext4 -o dax=always /dev/pmem0 {DATA}")

    def bind(self, number, card, driver):
        self.guests[number].must(f"sh /root/bind {guest.pci_address(card)} {driver}")
        self.device[number] = guest.pci_address(card)

    def release(self, number):
        """Gives all cards of a guest back to nobody."""
        self.guests[number].must(
            "for card in /sys/bus/pci/devices/0000:00:1[0-2].0; do\n"
            "    [ ! -e $card/driver ] || basename $card >$card/driver/unbind\n"
            "done")

    def configure(self, number, family=4, members=(1, 2, 3), **parts):
        """parts: node, port and lane, each more lines of that section."""
        port = {"hugepages": "true", "memory_mib": "64", "mtu": "1500"}
        port.update(parts.get("port", {}))
        if parts.get("both", False):
            port["ipv6"] = f"{address(number, 6)}/64"
        text = CONFIGURATION.format(
            id=number, data=parts.get("data", DATA), node=parts.get("node", ""),
            peers="\n".join(f"{peer} = {endpoint(peer, family)}" for peer in members),
            device=parts.get("device", self.device.get(number)),
            port="\n".join(f"{name} = {value}" for name, value in port.items()),
            lane=parts.get("lane", ""))
        self.guests[number].write(CONFIG, text)

    def init(self, number):
        """A new data directory. Returns whether it was made, and what was said."""
        status, said = self.guests[number].run(
            f"rm -rf {DATA}/node && polluxd --config {CONFIG} --init")
        return status == 0, said

    def start(self, number, limit=START_SECONDS, program=f"exec polluxd --config {CONFIG}"):
        """Starts the node and waits. Returns whether it serves, and its log."""
        one = self.guests[number]
        one.must(f"rm -f /run/node.status {LOG}\n"
                 f"cat >/run/node.sh <<'END'\n{program}\nEND\n"
                 f"setsid sh -c 'sh /run/node.sh 2>{LOG} & echo $! >/run/node.pid\n"
                 "wait $!; echo $? >/run/node.status' >/dev/null 2>&1 &")
        status, _ = one.run(STARTED.format(turns=limit * 5, log=LOG), limit + 60)
        return status == 0, self.log(number)

    def log(self, number):
        return self.guests[number].must(f"cat {LOG}")

    def signal(self, number, name="TERM"):
        """To the node, if it runs; waits for its end and returns its exit status."""
        _, output = self.guests[number].run(
            "[ -e /run/node.pid ] || exit 0\n"
            f"[ -e /run/node.status ] || kill -{name} $(cat /run/node.pid)\n"
            "for turn in $(seq 200); do\n"
            "    if [ -e /run/node.status ]; then cat /run/node.status; exit 0; fi\n"
            "    sleep 0.1\n"
            "done\nkill -KILL $(cat /run/node.pid)\necho killed", 90)
        return output.strip()

    def stop(self, numbers=(1, 2, 3)):
        self.each([number for number in numbers if self.guests[number].is_running()], self.signal)

    def cluster(self, family=4, **parts):
        """A new cluster of the three nodes on the cards that are bound. Returns their logs."""
        self.stop()

        def begin(number):
            self.configure(number, family, **parts)
            made = self.init(number)
            return self.start(number) if made[0] else made
        return self.each([1, 2, 3], begin)

    def pollux(self, text, family=4, members=(1, 2, 3), limit=60):
        """A command of the client; ENDPOINTS and cluster are given. Returns status, output."""
        ends = ",".join(endpoint(member, family) for member in members)
        return self.guests[CLIENT].run(
            f"export POLLUX_ENDPOINTS='{ends}' POLLUX_CLUSTER={CLUSTER}\n{text}", limit)

    def serves(self, family=4, members=(1, 2, 3)):
        """Waits until a value can be stored. Returns whether, and what was said last."""
        return self.pollux(
            f"for turn in $(seq {SERVICE_SECONDS}); do\n"
            "    pollux --timeout 2s set metal/serves yes >/run/said 2>&1 && exit 0\n"
            "    sleep 0.2\ndone\ncat /run/said\nexit 1", family, members, 4 * SERVICE_SECONDS)

    def leader(self, family=4):
        """The node that leads, or 0."""
        _, output = self.pollux("pollux status 2>/dev/null", family)
        found = re.search(r"^\S+ +(\d+) +leader ", output, re.M)
        return int(found[1]) if found else 0

    def counters(self, member, family=4):
        """Of one node, by name; the first shard's."""
        _, output = self.pollux("pollux counters 2>/dev/null", family, [member])
        return {name: int(value) for name, value in
                re.findall(r"\b([a-z][a-z0-9_]+)[= ]+(\d+)\b", output)}

    def end(self):
        for one in self.guests.values():
            one.cut()


def folder_new(build):
    """Of one run: two runs at a time do not share a wire."""
    base = pathlib.Path(build) / "metal"
    base.mkdir(parents=True, exist_ok=True)
    return pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=base))
