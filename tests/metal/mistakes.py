"""What goes wrong on the way to a card: what the start says of it, and what mends it.

Each mistake is made in a guest, and a node is started. Its message must name the cause. Then
`pollux doctor` is asked, each command that it gives is run, and the node has to start. Some have no
command: the setting is wrong, or the machine lacks something.
"""

import dataclasses
import json
import re

import guest
import servers

NUMBER = 1
CARD = guest.pci_address(0)
OTHER = guest.pci_address(1)
DISK = "0000:00:1f.2"  # the SATA controller that q35 has
NOBODY = "0000:00:1e.7"
PATIENCE_SECONDS = 20
FORBIDDEN = ("among 0 ports", "pci_allow")

AS_USER = "ulimit -l {memlock}; exec su -s /bin/sh pollux -c 'exec {program}'"
FILES_OF_USER = f"chown -R pollux /etc/pollux {servers.DATA}/node"
UNBIND = """cd /sys/bus/pci/devices/{0}
[ ! -e driver ] || echo {0} >driver/unbind
echo >driver_override
cd /
"""


@dataclasses.dataclass
class Mistake:
    cause: str
    make: str                # a script
    says: str                # what the message has: a regular expression
    device: str = CARD
    hugepages: str = "true"
    user: str = ""           # the lock limit in KiB, if the node is started by the user pollux
    mends: bool = True       # the doctor's commands, and they alone, let the node start
    other: bool = False      # another node has the card; to the doctor, a running node is good


BIND = f"sh /root/bind {CARD} "
MISTAKES = (
    Mistake("the card is bound to no driver", UNBIND.format(CARD), r"no driver|not bound"),
    Mistake("the card is bound to the kernel's driver",
            UNBIND.format(CARD) + f"echo {CARD} >/sys/bus/pci/drivers_probe", r"kernel"),
    Mistake("the module vfio-pci is not loaded",
            UNBIND.format(CARD) + "modprobe -r vfio_pci vfio_iommu_type1 || true",
            r"modprobe|module"),
    Mistake("there is no such address", "", r"no such|does not exist|no device", device=NOBODY,
            mends=False),
    Mistake("the address is no network card", "", r"no network card|not a network card",
            device=DISK, mends=False),
    Mistake("the address is short", "", re.escape(CARD), device=CARD.removeprefix("0000:")),
    Mistake("another process has the card", "", r"in use|another|busy", other=True,
            mends=False),
    Mistake("the user may not open the card", FILES_OF_USER + "\nchmod 600 /dev/vfio/[0-9]*",
            r"may not|permission|denied", hugepages="false", user="unlimited"),
    Mistake("the user may lock too little memory",
            FILES_OF_USER + "\nchmod 666 /dev/vfio/[0-9]*", r"lock", hugepages="false", user="64",
            mends=False),
    Mistake("uio without hugepages", BIND + "uio_pci_generic", r"hugepages", hugepages="false"),
    Mistake("uio behind an IOMMU that translates",
            UNBIND.format(CARD) +
            f"echo DMA >/sys/bus/pci/devices/{CARD}/iommu_group/type\n" + BIND + "uio_pci_generic",
            r"IOMMU"),
    Mistake("too few hugepages", "sysctl -q -w vm.nr_hugepages=4", r"huge ?page"),
)


def restore(at):
    """As it should be: the card bound to vfio-pci, hugepages, files of root."""
    at.signal(NUMBER)
    at.guests[NUMBER].must(
        "sysctl -q -w vm.nr_hugepages=80\n" + UNBIND.format(CARD) +
        f"echo identity >/sys/bus/pci/devices/{CARD}/iommu_group/type\n" + BIND + "vfio-pci\n"
        f"chown -R root /etc/pollux; [ ! -e {servers.DATA}/node ] || chown -R root "
        f"{servers.DATA}/node")
    at.device[NUMBER] = CARD


def as_user(mistake, program):
    """The program, started by whom the mistake names."""
    if not mistake.user:
        return f"exec {program}"
    return AS_USER.format(memlock=mistake.user, program=program)


def attempt(at, mistake):
    """Starts the node. Returns whether it serves, its message and its whole log."""
    program = as_user(mistake, f"polluxd --config {servers.CONFIG}")
    held, log = at.start(NUMBER, PATIENCE_SECONDS, program)
    errors = re.findall(r"^\S+ error (.*)$", log, re.M)
    return held, " ".join(errors) or ("none: it starts" if held else log.strip()[-300:]), log


def ask_doctor(at, mistake):
    """What is wrong by the doctor's word, about the card and its memory, and its commands."""
    program = as_user(mistake, f"pollux doctor -o json --config {servers.CONFIG}")
    _, said = at.guests[NUMBER].run(f"({program}) 2>/run/doctor.error")
    try:
        found = json.loads(said)
    except ValueError:
        return [], said + at.guests[NUMBER].must("cat /run/doctor.error")
    names = ("card", "vfio", "iommu", "memlock", "hugepages", "configuration")
    return [entry for entry in found if entry["state"] == "wrong" and
            entry["name"].lower() in names and "new start" not in entry["subject"]], said


def second_process(at):
    """Another node on the same card: its start is what is looked at."""
    at.start(NUMBER)
    at.guests[NUMBER].must(
        f"mv /run/node.pid /run/other.pid; rm -rf {servers.DATA}/other\n"
        f"sed 's|/node$|/other|' {servers.CONFIG} >/etc/pollux/other.ini\n"
        f"cp /etc/pollux/other.ini {servers.CONFIG}\npolluxd --config {servers.CONFIG} --init")


def one(at, report, mistake):
    """Makes the mistake, looks, mends. Returns the row of the table."""
    restore(at)
    at.configure(NUMBER, members=[NUMBER], device=mistake.device,
                 port={"hugepages": mistake.hugepages})
    made, said = at.init(NUMBER)
    if not report.check(made, f"{mistake.cause}: the directory is made", said):
        return (mistake.cause, said, "", "")
    if mistake.other:
        second_process(at)
    at.guests[NUMBER].must(mistake.make)
    held, message, log = attempt(at, mistake)
    fails = not held and re.search(mistake.says, message, re.I) and \
        not any(word in message for word in FORBIDDEN)
    report.check(fails, f"{mistake.cause}: the start says so", message)
    wrong, said = ask_doctor(at, mistake)
    if not mistake.other:
        report.check(wrong, f"{mistake.cause}: the doctor says so", said[-600:])
    commands = [entry["command"] for entry in wrong if entry["command"]]
    mended = "no command"
    if mistake.mends:
        for command in commands:
            # The guest has no sudo: root runs what the user was told, in the user's name.
            at.guests[NUMBER].run(command.replace("sudo ", "").replace("$(id -un)", "pollux"))
        at.signal(NUMBER)
        held, _, log = attempt(at, mistake)
        mended = "yes" if held else "no"
        report.check(commands and held, f"{mistake.cause}: the command mends it",
                     f"{commands}\n{log}")
    if mistake.other:
        at.signal(NUMBER)
        at.guests[NUMBER].must("mv /run/other.pid /run/node.pid; rm -f /run/node.status\n"
                               "kill -KILL $(cat /run/node.pid)\necho 137 >/run/node.status")
    told = "; ".join(entry["subject"] + ": " + entry["message"] for entry in wrong)
    return (mistake.cause, message, " ; ".join(commands) or told, mended)


def no_iommu(at, report):
    """The client's machine has none."""
    _, said = at.guests[servers.CLIENT].run(f"sh /root/bind {OTHER} vfio-pci")
    at.guests[servers.CLIENT].must(f"mkdir -p {servers.DATA}")
    at.configure(servers.CLIENT, members=[servers.CLIENT], device=OTHER,
                 port={"hugepages": "false"})
    made, said = at.init(servers.CLIENT)
    if not report.check(made, "no IOMMU: the directory is made", said):
        return ("no IOMMU", said, "", "")
    held, log = at.start(servers.CLIENT, PATIENCE_SECONDS)
    message = " ".join(re.findall(r"^\S+ error (.*)$", log, re.M)) or log.strip()[-300:]
    report.check(not held and "IOMMU" in message, "no IOMMU: the start says so", message)
    _, said = at.guests[servers.CLIENT].run(f"pollux doctor --config {servers.CONFIG}")
    told = [line for line in said.splitlines() if "IOMMU" in line]
    report.check(told, "no IOMMU: the doctor says so", said)
    at.signal(servers.CLIENT)
    return ("no IOMMU", message, " ".join(told), "no command")


def without_dax(at, report):
    """ext4 on the NVDIMM, mounted without dax: a node that is new there runs, and is told."""
    restore(at)
    machine = at.guests[NUMBER]
    machine.must(f"umount {servers.DATA} && mount -t ext4 /dev/pmem0 {servers.DATA}")
    at.configure(NUMBER, members=[NUMBER])
    at.init(NUMBER)
    _, log = at.start(NUMBER, PATIENCE_SECONDS)
    line = " ".join(text for text in log.splitlines() if "dax" in text.lower())
    report.check(line, "mounted without dax: the start says so", log)
    at.signal(NUMBER)
    _, said = machine.run(f"pollux doctor -o json --config {servers.CONFIG}")
    command = re.search(r'"command": "(umount [^"]*dax[^"]*)"', said)
    mended = False
    if report.check(command, "mounted without dax: the doctor gives a command", said[-600:]):
        machine.run(command[1])
        mended = "dax" in machine.must(f"grep {servers.DATA} /proc/mounts")
        report.check(mended, "mounted without dax: the command mends it")
    return ("mounted without dax", line, command[1] if command else "", "yes" if mended else "no")


def phase_mistakes(at, report):
    """Every mistake on the way to a card: the message, the doctor's command, whether it mends."""
    at.need((NUMBER, servers.CLIENT))
    at.stop()  # of all guests: what is idle leaves its core to others
    at.signal(servers.CLIENT)
    rows = [one(at, report, mistake) for mistake in MISTAKES]
    rows += [no_iommu(at, report), without_dax(at, report)]
    restore(at)
    for cause, message, command, mended in rows:
        report.tell(f"{cause}")
        report.tell(f"  message: {message}")
        report.tell(f"  doctor:  {command}")
        report.tell(f"  mended:  {mended}")
