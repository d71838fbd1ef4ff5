"""Judges what pollux-dump -o json says of a node.

usage: dump_judge.py order FILE...      dumps of one node, in the order of time: each is one whole
                                        log, and no later one shows less
       dump_judge.py state FILE LINES   snapshot and records give the keys of LINES (KEY<TAB>VALUE),
                                        by the checksum of the value
       dump_judge.py same FILE...       dumps of several nodes: equal records where they overlap
       dump_judge.py pending FILE       prints how many entries of the journals are pending
       dump_judge.py findings FILE      prints each finding: kind, what, offset
"""

import json
import sys

POLYNOMIAL = 0x82f63b78


def make_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


TABLE = make_table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xff]
    return f"{crc ^ 0xffffffff:08x}"


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def objects(value):
    """Every object in a dump, at any depth."""
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from objects(child)
    elif isinstance(value, list):
        for child in value:
            yield from objects(child)


def log_records(log):
    return {record["index"]: record for record in log["records"] if "fate" not in record}


def check_log(path, log):
    records = log_records(log)
    expected = set(range(log["first_index"], log["last_index"] + 1))
    if set(records) != expected:
        raise ValueError(f"{path}: the records are not those from first to last")
    if log["findings"]:
        raise ValueError(f"{path}: {log['findings']}")
    terms = [records[index]["term"] for index in sorted(records)]
    if terms != sorted(terms):
        raise ValueError(f"{path}: terms fall")
    for record in records.values():
        if "error" in record or any("error" in request for request in record.get("requests", [])):
            raise ValueError(f"{path}: record {record['index']} is not understood")


def check_order(paths):
    before = {}
    count = changing = logs = 0
    for path in paths:
        for shard in load(path)["shards"]:
            log = shard["log"]
            logs += 1
            if log["is_changing"]:  # this machine reads slower than the node writes
                changing += 1
                continue
            check_log(path, log)
            now = (log["term"], log["commit_index"], log["first_index"])
            last = before.get(shard["number"], (0, 0, 0))
            if any(new < old for new, old in zip(now, last)):
                raise ValueError(f"{path}: shard {shard['number']} shows {now} after {last}")
            before[shard["number"]] = now
            count += len(log["records"])
    if changing > logs / 2:
        raise ValueError(f"{changing} of {logs} logs were changing")
    print(f"{len(paths)} dumps, {count} records, {changing} logs were changing")


def content(record):
    return (record["term"], record["kind"], record["payload_size_bytes"],
            json.dumps(record.get("requests")))


def check_same(paths):
    seen = {}
    compared = 0
    for path in paths:
        for shard in load(path)["shards"]:
            log = shard["log"]
            for index, record in log_records(log).items():
                if index > log["commit_index"]:
                    continue
                known = seen.setdefault((shard["number"], index), content(record))
                compared += 1
                if known != content(record):
                    raise ValueError(f"{path}: shard {shard['number']}, record {index} differs")
    print(f"{compared} records compared")


class State:
    """The keys of one shard, with the checksums of their values."""

    def __init__(self):
        self.keys = {}
        self.done = set()

    def take(self, session, operation):
        name = (session, operation["seq"])
        if operation["operation"] not in ("set", "swap") or name in self.done:
            return
        self.done.add(name)
        key = operation["key"]
        is_swap = operation["operation"] == "swap"
        if is_swap and self.keys.get(key) != operation.get("old_crc32c"):
            return
        if "value_crc32c" in operation:
            self.keys[key] = operation["value_crc32c"]
        else:
            self.keys.pop(key, None)


def replay(shard):
    state = State()
    index = 0
    snapshots = [snapshot for snapshot in shard["snapshots"]
                 if snapshot["is_complete"] and snapshot["state"]["is_whole"]]
    for snapshot in sorted(snapshots, key=lambda found: found["index"]):
        index = snapshot["index"]
        state.keys = {row["key"]: row["value_crc32c"] for row in snapshot["keys"]}
    log = shard["log"]
    records = log_records(log)
    for number in range(index + 1, log["commit_index"] + 1):
        for request in records[number].get("requests", []):
            for operation in request["operations"]:
                state.take(request.get("session", request.get("series")), operation)
    return state.keys, len(snapshots)


def check_state(path, lines):
    keys = {}
    snapshots = 0
    for shard in load(path)["shards"]:
        found, count = replay(shard)
        keys.update(found)
        snapshots += count
    with open(lines, encoding="utf-8") as file:
        wanted = dict(line.rstrip("\n").split("\t", 1) for line in file)
    for key, value in wanted.items():
        if keys.get(key) != crc32c(value.encode()):
            raise ValueError(f"{path}: {key}: {keys.get(key)}, not {crc32c(value.encode())}")
    print(f"{len(wanted)} keys compared, {snapshots} snapshots")


def main():
    what, paths = sys.argv[1], sys.argv[2:]
    try:
        if what == "order":
            check_order(paths)
        elif what == "same":
            check_same(paths)
        elif what == "state":
            check_state(*paths)
        elif what == "pending":
            print(sum(bank["pending_entries"] for found in objects(load(paths[0]))
                      for bank in found.get("journal", []) if bank.get("state") == "active"))
        elif what == "findings":
            for found in objects(load(paths[0])):
                for finding in found.get("findings", []):
                    print(finding["kind"], finding["what"], finding["offset"])
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
