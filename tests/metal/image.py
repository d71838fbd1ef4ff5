"""The guests' file system: busybox, the programs of the build with their libraries, and modules.

All of it comes from Debian packages and the build. It is one cpio archive, which the kernel unpacks
into memory. The archive is made again if anything in it is newer.
"""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
BUILT = ("polluxd", "pollux", "pollux-doctor", "dump/pollux-dump")
# Programs of Debian that docs/bare-metal.md names and busybox lacks.
PROGRAMS = ("/usr/bin/ndctl", "/sbin/mke2fs", "/usr/bin/strace", "/usr/bin/kmod",
            "/usr/bin/dash")
LINKS = {"mkfs.ext4": "mke2fs", "modprobe": "kmod", "lsmod": "kmod", "modinfo": "kmod",
         "rmmod": "kmod",
         # busybox's own shell would prefer its own commands.
         "sh": "dash"}
DRIVERS = ("bus_pci", "bus_vdev", "mempool_ring", "net_virtio", "net_e1000", "net_vmxnet3",
           "net_memif", "net_tap", "net_af_packet")
MODULES = ("virtio_pci", "virtio_net", "virtio_blk", "e1000e", "vmxnet3", "vfio_pci",
           "vfio_iommu_type1", "uio_pci_generic", "nfit", "nd_pmem", "libnvdimm", "ext4",
           "crc32c_generic", "crc32c_intel", "msr")
LINKED = {"usr/sbin": "bin", "bin": "usr/bin", "sbin": "usr/bin", "lib": "usr/lib",
          "lib64": "usr/lib64"}
FOLDERS = ("usr/bin", "usr/lib/x86_64-linux-gnu", "usr/lib64", "dev", "proc", "sys",
           "run", "tmp", "etc/pollux", "root", "mnt", "var/lib/pollux", "var/log")


class Missing(Exception):
    """A package is not installed."""


def kernel():
    """The newest installed kernel that has its modules: its release and its file."""
    found = []
    for image in pathlib.Path("/boot").glob("vmlinuz-*"):
        release = image.name.removeprefix("vmlinuz-")
        if (pathlib.Path("/lib/modules") / release / "modules.dep").exists():
            found.append(([int(n) for n in re.findall(r"\d+", release)], release, image))
    if not found:
        raise Missing("no kernel with modules in /boot: apt-get install linux-image-amd64")
    return max(found)[1:]


def module_files(release):
    """The files of MODULES and of what they need, below /lib/modules/RELEASE."""
    base = pathlib.Path("/lib/modules") / release
    needs = {}
    for line in (base / "modules.dep").read_text().splitlines():
        name, rest = line.split(":", 1)
        needs[pathlib.Path(name).name.split(".")[0].replace("-", "_")] = [name] + rest.split()
    wanted = set()
    for name in MODULES:
        wanted.update(needs.get(name, ()))
    return base, sorted(wanted)


def libraries(path):
    """The shared libraries that the program or library loads."""
    listed = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False).stdout
    return {pathlib.Path(found) for found in re.findall(r"(?:=> |^\s)(/\S+) \(0x", listed, re.M)}


def driver_files():
    folders = sorted((LIBRARIES / "dpdk").glob("pmds-*"))
    if not folders:
        raise Missing("no DPDK drivers: apt-get install libdpdk-dev")
    return [file for name in DRIVERS for file in folders[-1].glob(f"librte_{name}.so*")]


def inputs(build, release):
    programs = [build / "tools" / name for name in BUILT]
    if not all(path.exists() for path in programs):
        raise Missing(f"{build} has no programs: ./dev build")
    programs += [pathlib.Path(path) for path in PROGRAMS]
    for needed in (*programs, pathlib.Path("/usr/bin/busybox")):
        if not needed.exists():
            raise Missing(f"{needed} is missing: ./dev packages names the packages")
    drivers = driver_files()
    # glibc loads this one when a thread ends.
    loaded = {pathlib.Path("/lib/x86_64-linux-gnu/libgcc_s.so.1")}
    for path in programs + drivers:
        loaded |= libraries(path)
    base, modules = module_files(release)
    return programs, drivers, sorted(loaded), [(base, name) for name in modules]


def copy(path, root, name=None):
    target = root / (name or str(path).lstrip("/"))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copy(path, target)


def copy_library(path, root):
    """Links stay links: DPDK would load one driver twice under two names, and panic."""
    real = path.resolve()
    if not (root / str(real).lstrip("/")).exists():
        copy(real, root)
    # Folders that are links have their counterpart in the guest.
    own = path.parent.resolve() / path.name
    if own != real:
        link = root / str(own).lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(real)


def fill(root, parts, release):
    programs, drivers, loaded, modules = parts
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    for name, target in LINKED.items():
        (root / name).symlink_to(target)
    copy(pathlib.Path("/usr/bin/busybox"), root, "usr/bin/busybox")
    applets = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True)
    for name in applets.stdout.split():
        if name != "busybox":
            (root / "usr/bin" / name).symlink_to("busybox")
    for path in programs:
        copy(path, root, f"usr/bin/{path.name}")
    for name, target in LINKS.items():
        (root / "usr/bin" / name).unlink(missing_ok=True)
        (root / "usr/bin" / name).symlink_to(target)
    for path in drivers + loaded:
        copy_library(path, root)
    for base, name in modules:
        copy(base / name, root, f"usr/lib/modules/{release}/{name}")
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        copy(pathlib.Path("/lib/modules") / release / name, root,
             f"usr/lib/modules/{release}/{name}")
    subprocess.run(["depmod", "-b", str(root), release], check=True)
    copy(pathlib.Path("/etc/mke2fs.conf"), root)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n"
                                     "pollux:x:990:990::/var/lib/pollux:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\npollux:x:990:\n")
    copy(HERE / "init", root, "init")


def make(build):
    """Returns the kernel and the archive, which is made if need be. Takes a lock meanwhile."""
    release, image = kernel()
    folder = build / "metal"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return image, make_archive(build, folder, release, image)


def make_archive(build, folder, release, image):
    archive = folder / "guest.cpio"
    parts = inputs(build, release)
    newest = max(path.stat().st_mtime for path in
                 (*parts[0], *parts[1], *parts[2], HERE / "init", HERE / "image.py", image))
    if archive.exists() and archive.stat().st_mtime > newest:
        return archive
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    fill(root, parts, release)
    part = archive.with_suffix(".part")
    names = subprocess.run(["find", ".", "-print0"], cwd=root, capture_output=True, check=True)
    with open(part, "wb") as out:
        subprocess.run(["cpio", "--null", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=root,
                       input=names.stdout, stdout=out, check=True)
    part.rename(archive)
    shutil.rmtree(root)
    return archive
