"""One guest: a QEMU process that emulates a machine in software, and a line to run commands in it.

The cards of all guests of one folder lie on one emulated wire, a multicast group of the loopback
interface. Nothing leaves this machine.
"""

import base64
import ctypes
import functools
import json
import mmap
import os
import pathlib
import signal
import socket
import subprocess
import time
import zlib

CARDS = {
    "virtio": "virtio-net-pci,disable-legacy=on,iommu_platform=on,host_mtu=9000",
    "e1000e": "e1000e",
    "vmxnet3": "vmxnet3",
}
FIRST_SLOT = 0x10
BOOT_SECONDS = 180
ANSWER_SLACK_SECONDS = 30


class Failed(Exception):
    """A guest did not do what it had to."""


@functools.cache
def counter_khz():
    """The rate of this processor's time stamp counter, which is that of the guests' as well.

    A guest on a busy machine measures it badly, and its clock would run at another speed.
    """
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex("0f31 48c1e220 4809d0 c3"))  # rdtsc; shl rdx, 32; or rax, rdx; ret
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    begun, first = time.monotonic_ns(), read()
    time.sleep(0.5)
    ended, last = time.monotonic_ns(), read()
    return (last - first) * 1000000 // (ended - begun)


def mac(number, card):
    return f"52:54:00:00:{number:02x}:{card:02x}"


def pci_address(card):
    """Of the card with this index: the order in which the cards were named."""
    return f"0000:00:{FIRST_SLOT + card:02x}.0"


class Guest:
    """number: 1 to 250, unique in the folder. The rest: see `tests/metal/guest --help`."""

    def __init__(self, folder, number):
        self.number = number
        self.wire_folder = pathlib.Path(folder)
        self.folder = self.wire_folder / str(number)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = None
        self.line = None
        self.count = 0
        self.received = b""

    def command(self, image, archive, options):
        kernel_options = (f"console=ttyS0 loglevel=5 panic=-1 mitigations=off random.trust_cpu=on "
                          f"no_timer_check tsc=reliable tsc_early_khz={counter_khz()} "
                          f"hugepages={options.hugepages} {options.kernel}")
        # The machine has an IOMMU unless told otherwise: q35, as servers of today have.
        machine = "q35,smm=off"
        arguments = ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                     "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(options.cores)]
        if options.iommu != "none":
            arguments += ["-device", "intel-iommu,intremap=on,caching-mode=on"]
            kernel_options += " intel_iommu=on"
            kernel_options += " iommu=pt" if options.iommu == "passthrough" else ""
        memory = f"{options.memory}M"
        if options.nvdimm != "none":
            machine += f",nvdimm=on,nvdimm-persistence={options.nvdimm}"
            memory += ",slots=2,maxmem=8G"
            medium = self.folder / "nvdimm"
            if not medium.exists():
                with open(medium, "wb") as out:
                    out.truncate(options.nvdimm_size << 20)
            arguments += ["-object", f"memory-backend-file,id=nv,share=on,mem-path={medium},"
                          f"size={options.nvdimm_size}M", "-device", "nvdimm,id=nv0,memdev=nv"]
        if options.disk:
            disk = self.folder / "disk"
            if not disk.exists():
                with open(disk, "wb") as out:
                    out.truncate(options.disk << 20)
            arguments += ["-drive", f"file={disk},format=raw,if=none,id=disk,cache=writeback",
                          "-device", "virtio-blk-pci,drive=disk,addr=0x8"]
        return (["qemu-system-x86_64", "-machine", machine, "-m", memory] + arguments +
                self.ports() + self.cards(options.cards) +
                ["-kernel", str(image), "-initrd", str(archive), "-append", kernel_options])

    def ports(self):
        return ["-serial", f"file:{self.folder}/console",
                "-serial", f"unix:{self.folder}/line,server=on,wait=off",
                "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off"]

    def cards(self, names):
        group = zlib.crc32(str(self.wire_folder.resolve()).encode())
        wire = (f"239.{group >> 8 & 255}.{group >> 16 & 255}.{group & 255}:"
                f"{20000 + (group >> 8) % 12000}")
        arguments = []
        for card, name in enumerate(names):
            arguments += ["-netdev", f"socket,id=wire{card},mcast={wire},localaddr=127.0.0.1",
                          "-device", f"{CARDS[name]},id=card{card},netdev=wire{card},"
                          f"addr={FIRST_SLOT + card:#x},mac={mac(self.number, card)}"]
        return arguments

    def boot(self, image, archive, options):
        """Starts the guest; wait() waits for it."""
        for name in ("line", "qmp", "console"):
            (self.folder / name).unlink(missing_ok=True)
        # A socket's path is at most 107 bytes long: QEMU is started in the folder of the guest.
        command = [part.replace(f"{self.folder}/", "") for part in
                   self.command(image, archive, options)]
        with open(self.folder / "qemu.log", "wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log, start_new_session=True)
        (self.folder / "pid").write_text(f"{process.pid}\n")
        self.process = process
        return self

    def is_running(self):
        """The process with the noted id is still this guest's."""
        if self.process is not None:
            return self.process.poll() is None
        try:
            pid = int((self.folder / "pid").read_text())
            name = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            return b"qemu-system" in name and \
                os.readlink(f"/proc/{pid}/cwd") == str(self.folder.resolve())
        except (OSError, ValueError):
            return False

    def said(self):
        """The end of what QEMU and the guest's kernel wrote."""
        text = ""
        for name in ("qemu.log", "console"):
            path = self.folder / name
            text += path.read_text(errors="replace")[-1500:] if path.exists() else ""
        return text

    def wait(self, limit=BOOT_SECONDS):
        """Waits until the guest runs commands."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if not self.is_running():
                raise Failed(f"guest {self.number} ended: {self.said()}")
            try:
                self.attempt("true", 5, 5)
                return self
            except (Failed, OSError):
                self.close()
                time.sleep(0.2)
        raise Failed(f"guest {self.number} did not start in {limit} s: {self.said()}")

    def connect(self, name):
        end = socket.socket(socket.AF_UNIX)
        folder = os.open(self.folder, os.O_PATH)
        try:
            end.connect(f"/proc/self/fd/{folder}/{name}")
        finally:
            os.close(folder)
        return end

    def close(self):
        if self.line is not None:
            self.line.close()
        self.line = None

    def attempt(self, script, limit, slack):
        if self.line is None:
            self.line = self.connect("line")
            self.received = b""
        self.count += 1
        tag = f"{os.getpid()}.{self.count}"
        text = base64.b64encode((script or ":").encode()).decode()
        self.line.sendall(f"\n{tag} {limit} {text}\n".encode())
        answer = self.answer(f"done {tag} ".encode(), time.monotonic() + limit + slack)
        status, _, output = answer.partition(b" ")
        return int(status), base64.b64decode(output).decode(errors="replace")

    def answer(self, start, deadline):
        while True:
            while b"\n" in self.received:
                line, _, self.received = self.received.partition(b"\n")
                if start in line:
                    return line.partition(start)[2].strip()
            self.line.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                got = self.line.recv(65536)
            except TimeoutError:
                raise Failed(f"guest {self.number} does not answer") from None
            if not got:
                raise Failed(f"guest {self.number} hung up")
            self.received += got

    def run(self, script, limit=60):
        """Runs a shell script; it is killed after the limit. Returns exit status and output."""
        return self.attempt(script, limit, ANSWER_SLACK_SECONDS)

    def must(self, script, limit=60):
        """The same for a script that has to succeed. Returns its output."""
        status, output = self.run(script, limit)
        if status != 0:
            raise Failed(f"guest {self.number}: {script!r} ended with {status}: {output}")
        return output

    def write(self, path, text):
        coded = base64.b64encode(text.encode()).decode()
        self.must(f"mkdir -p $(dirname {path}) && echo {coded} | base64 -d >{path}")

    def monitor(self, command, **arguments):
        """A command of QEMU, such as set_link(name="card0", up=False)."""
        with self.connect("qmp") as end, end.makefile("rw") as stream:
            stream.readline()
            for name, values in (("qmp_capabilities", {}), (command, arguments)):
                stream.write(json.dumps({"execute": name, "arguments": values}) + "\n")
                stream.flush()
                answer = json.loads(stream.readline())
                while "event" in answer:
                    answer = json.loads(stream.readline())
                if "error" in answer:
                    raise Failed(f"QEMU: {name}: {answer['error']['desc']}")
            return answer["return"]

    def cut(self):
        """The power fails: the process is killed."""
        self.close()
        if self.is_running():
            pid = int((self.folder / "pid").read_text())
            os.kill(pid, signal.SIGKILL)
            if self.process is not None:
                self.process.wait()
                self.process = None
        (self.folder / "pid").unlink(missing_ok=True)
