"""Counts the instructions of single operations and compares them with bench/gauge.txt.

usage: gauge.py [--write] [--skip REASON] GAUGE FILE OUTPUT
       gauge.py --tiny GAUGE

GAUGE is the program bench/gauge, FILE holds the counts to compare with, and callgrind writes its
profile to OUTPUT. A count that is more than 3 % above that of FILE fails; one that is more than 3 %
below is told. --write writes FILE anew. With a REASON, or without valgrind: exit status 77. --tiny
counts nothing: it runs a few operations, so that they work in every build.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

ALLOWED_PERCENT = 3.0
SKIPPED = 77
RENEW = "./dev gauge --write"
# What the program calls an operation, and what the file calls it.
NAMES = {
    "gauge_set_leader": "set_at_leader",
    "gauge_set_follower": "set_at_follower",
    "gauge_get_relaxed": "get_relaxed",
    "gauge_log_append": "append_32_records",
    "gauge_apply": "apply_set",
}
HEAD = """# Instructions of one operation, counted by callgrind in a gcc build with the default
# options. The operations are described in bench/gauge.c. The test "gauge" fails when a count rises
# by more than 3 %. Renew this file with: ./dev gauge --write
#
# The counts were made with:
"""


def tool_versions():
    """What the counts depend on beside the tree: compiler, libraries, and what valgrind's processor
    takes over from this one."""
    gcc = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=False)
    parts = [f"gcc {gcc.stdout.strip()}"]
    for name in ("libdpdk", "libisal", "libpmem2"):
        found = subprocess.run(["pkg-config", "--modversion", name], capture_output=True, text=True,
                               check=False)
        parts.append(f"{name} {found.stdout.strip()}")
    parts.append(" ".join(os.confstr("CS_GNU_LIBC_VERSION").split()))
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        parts.append("AVX2" if re.search(r"\bavx2\b", cpuinfo.read()) else "no AVX2")
    return ", ".join(parts)


def run(program, *arguments):
    """Runs the program in a folder of its own; returns how many operations each function ran."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    folder = tempfile.mkdtemp(prefix="pollux-gauge-", dir=memory)
    command = [*program, folder, *arguments]
    environment = dict(os.environ, PMEM2_FORCE_GRANULARITY="CACHE_LINE")
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment,
                              check=False)
    finally:
        shutil.rmtree(folder)
    if done.returncode != 0:
        sys.exit(f"gauge: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return {name: int(count) for name, count in
            re.findall(r"^(gauge_\w+) (\d+)$", done.stdout, re.MULTILINE)}


def inclusive(output):
    """Instructions inside each gauge_ function, what it calls included: the sum over its calls."""
    names = {}
    costs = dict.fromkeys(NAMES, 0)
    callee = None
    with open(output, encoding="utf-8") as profile:
        for line in profile:
            match = re.match(r"c?fn=\((\d+)\)(?: (\S+))?", line)
            if match:
                if match[2]:
                    names[match[1]] = match[2].split(".")[0]
                callee = names[match[1]] if line[0] == "c" else callee
            elif line.startswith("calls="):
                cost = int(next(profile).split()[1])
                if callee in costs:
                    costs[callee] += cost
    return costs


def measure(program, output):
    operations = run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", program])
    costs = inclusive(output)
    for name in NAMES:
        if not operations.get(name) or costs[name] == 0:
            sys.exit(f"gauge: {output}: nothing was counted in {name}; was it inlined?")
    return {NAMES[name]: round(costs[name] / operations[name]) for name in NAMES}


def read(path):
    """The counts of the file, and what they were made with."""
    counts, made_with, is_next = {}, "", False
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#"):
                made_with = line[1:].strip() if is_next else made_with
                is_next = line.strip() == HEAD.splitlines()[-1]
            elif line.strip():
                name, count = line.split()
                counts[name] = int(count)
    return counts, made_with


def write(path, counts):
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{HEAD}# {tool_versions()}\n")
        file.writelines(f"{name} {count}\n" for name, count in counts.items())


def compare(now, before):
    """Prints a line for each count; returns the numbers of those that rose and fell too far."""
    risen = fallen = 0
    for name, count in now.items():
        if name not in before:
            print(f"{name}: {count} instructions, and no count in the file")
            risen += 1
            continue
        percent = 100 * (count - before[name]) / before[name]
        verdict = "as before"
        if percent > ALLOWED_PERCENT:
            verdict = f"RISEN by more than {ALLOWED_PERCENT:g} %"
            risen += 1
        elif percent < -ALLOWED_PERCENT:
            verdict = f"fallen by more than {ALLOWED_PERCENT:g} %"
            fallen += 1
        print(f"{name}: from {before[name]} to {count} instructions ({percent:+.1f} %): {verdict}")
    return risen, fallen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--skip", metavar="REASON")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("gauge")
    parser.add_argument("file", nargs="?")
    parser.add_argument("output", nargs="?")
    arguments = parser.parse_args()
    if arguments.tiny:
        return 0 if len(run([arguments.gauge], "10")) == len(NAMES) else 1
    if arguments.output is None:
        parser.error("which counts to compare with, and where may callgrind write?")
    if arguments.skip:
        print(f"skipped: {arguments.skip}")
        return SKIPPED
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is missing; install the package valgrind")
        return SKIPPED
    now = measure(arguments.gauge, arguments.output)
    before, made_with = read(arguments.file) if os.path.exists(arguments.file) else ({}, "")
    risen, fallen = compare(now, before)
    if arguments.write:
        write(arguments.file, now)
        print(f"written: {arguments.file}")
        return 0
    if risen:
        print(f"See what costs more: callgrind_annotate --inclusive=yes {arguments.output}")
        print(f"If it is worth its cost, renew {arguments.file}: {RENEW}")
        if made_with != tool_versions():
            print(f"The file was made with: {made_with}\nThis build has:         "
                  f"{tool_versions()}\nThat may be the whole difference.")
    elif fallen:
        print(f"{arguments.file} may be renewed: {RENEW}")
    return 1 if risen else 0


if __name__ == "__main__":
    sys.exit(main())
