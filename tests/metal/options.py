"""What a guest is made of."""

import argparse

import guest


def cards(text):
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in guest.CARDS:
            raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(guest.CARDS)}")
    return names


def add(parser):
    parser.add_argument("--cards", type=cards, default=["virtio"],
                        help="network cards, with commas between: virtio, e1000e, vmxnet3")
    parser.add_argument("--iommu", choices=("translating", "passthrough", "none"),
                        default="translating", help="passthrough: vfio and uio work both")
    parser.add_argument("--hugepages", type=int, default=96, help="of 2 MiB (default 96)")
    parser.add_argument("--nvdimm", choices=("none", "mem-ctrl", "cpu"), default="none",
                        help="persistent memory; cpu: its caches are persistent, too")
    parser.add_argument("--nvdimm-size", type=int, default=256, help="MiB (default 256)")
    parser.add_argument("--disk", type=int, default=0, help="MiB of a virtio disk (default: none)")
    parser.add_argument("--memory", type=int, default=768, help="MiB (default 768)")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--kernel", default="", help="more of the kernel's command line")


def make(**values):
    """The same by name, from the defaults."""
    parser = argparse.ArgumentParser()
    add(parser)
    made = parser.parse_args([])
    for name, value in values.items():
        if not hasattr(made, name):
            raise ValueError(name)
        setattr(made, name, value)
    return made
