"""docs/bare-metal.md, literally: guests run its blocks "sh server", "sh one" and "sh client".

Three things differ between the document and a guest: the address of the card, the node's id, and
that systemd, which a guest lacks, starts the node.
"""

import pathlib
import re

import guest
import servers

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/bare-metal.md"
BLOCK = re.compile(r"^```sh (server|one|client)\n(.*?)^```$", re.M | re.S)
DOCUMENT_CARD = "0000:03:00.0"
KEY = "/etc/pollux/root.key"


def blocks(kind):
    """Of the servers, of one server alone, or of the client's machine."""
    return [text for found, text in BLOCK.findall(DOCUMENT.read_text()) if found == kind]


def fit(text, number):
    card = guest.pci_address(number - 1)
    return re.sub(r"^id = 1$", f"id = {number}", text.replace(DOCUMENT_CARD, card), flags=re.M)


def phase_document(at, report):
    """docs/bare-metal.md: every command that a guest can run, on three servers and a client."""
    if not report.check(len(blocks("server")) >= 5 and blocks("one") and blocks("client"),
                        "docs/bare-metal.md has its commands"):
        return
    for number in (1, 2, 3):  # as new servers: nothing is mounted, the kernel has the cards
        at.guests[number].cut()
        (at.guests[number].folder / "nvdimm").unlink(missing_ok=True)
    at.need((servers.CLIENT,))
    at.boot((1, 2, 3), hugepages=0)
    for text in blocks("one"):
        status, said = at.guests[1].run(f"set -e\n{text}")
        report.check(status == 0, f"on one server: {text.strip().splitlines()[0]}", said)
    key = at.guests[1].must(f"base64 -w 0 {KEY}")
    for number in (2, 3, servers.CLIENT):
        at.guests[number].must(f"mkdir -p /etc/pollux; umask 077; echo {key} | base64 -d >{KEY}")
    for text in blocks("server"):
        results = at.each([1, 2, 3], lambda number, text=text: at.guests[number].run(
            f"set -e\n{fit(text, number)}"))
        for number, (status, said) in enumerate(results, 1):
            report.check(status == 0, f"server {number}: {text.strip().splitlines()[0]}", said)
    for number, (held, log) in enumerate(at.each([1, 2, 3], at.start), 1):
        report.check(held, f"server {number}: the node starts", log)
    held, said = at.guests[servers.CLIENT].run(
        "for turn in $(seq 100); do pollux -e 10.77.0.1:7400,10.77.0.2:7400,10.77.0.3:7400 "
        f"-c example --key {KEY} status >/run/said 2>&1 && exit 0; done; cat /run/said; exit 1", 90)
    report.check(held == 0, "the nodes form the cluster", said)
    for text in blocks("client"):
        status, said = at.guests[servers.CLIENT].run(f"set -e\n{text}")
        report.check(status == 0, f"client: {text.strip().splitlines()[0]}", said)
    at.stop()
    at.end()
