"""Checks a trace of transitions (JSON lines, README.md).

trace_check.py FILE                                 a trace that exists
trace_check.py --scenario PROGRAM SCRIPT...         the trace of each scenario
trace_check.py --self-test --scenario PROGRAM SCRIPT   and that broken traces are refused
"""

import json
import pathlib
import subprocess
import sys
import tempfile

KEYS = ["node", "now_ns", "event", "message", "from", "role", "term", "vote", "leader",
        "last_index", "last_term", "commit_index", "durable_index", "truncate_from",
        "append_count"]
EVENTS = {"start", "tick", "receive", "propose", "durable", "read", "transfer", "step_down",
          "reconfigure"}
MESSAGES = {"none", "vote_request", "vote_reply", "append_request", "append_reply", "timeout_now"}
ROLES = {"follower", "pre_candidate", "candidate", "leader"}


class Wrong(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Wrong(text)


def check_shape(line):
    need(list(line) == KEYS, "keys or their order")
    need(line["event"] in EVENTS, "event")
    need(line["message"] in MESSAGES, "message")
    need(line["role"] in ROLES, "role")
    for key in KEYS:
        if key not in ("event", "message", "role"):
            need(isinstance(line[key], int) and line[key] >= 0, key)
    is_message = line["event"] == "receive"
    need((line["message"] != "none") == is_message, "message without receive, or the reverse")
    need((line["from"] != 0) == is_message, "from without receive, or the reverse")


def check_state(line):
    need(line["commit_index"] <= line["last_index"], "commit_index beyond the log")
    need(line["durable_index"] <= line["last_index"], "durable_index beyond the log")
    need(line["last_term"] <= line["term"], "a record of a later term")
    if line["role"] in ("candidate", "leader"):
        # A vote is a birth: the node's id, and a hundred more for each storage that it lost.
        need(line["vote"] % 100 == line["node"], "a candidate or leader votes for itself")
    if line["role"] == "leader":
        need(line["leader"] == line["node"], "a leader knows itself")
        need(line["truncate_from"] == 0, "a leader never truncates")


def check_step(before, line):
    """One transition of one node: `line` follows from `before`."""
    need(line["now_ns"] >= before["now_ns"], "time goes back")
    if line["event"] == "start":
        return  # what was not durable is gone
    need(line["term"] >= before["term"], "term goes back")
    if line["term"] == before["term"] and before["vote"] != 0:
        need(line["vote"] == before["vote"], "a vote changes within its term")
    need(line["commit_index"] >= before["commit_index"], "commit_index goes back")
    last = before["last_index"]
    if line["truncate_from"] != 0:
        need(before["commit_index"] < line["truncate_from"] <= last, "truncation out of range")
        last = line["truncate_from"] - 1
    need(line["last_index"] == last + line["append_count"], "last_index does not follow")
    if line["append_count"] == 0 and line["truncate_from"] == 0:
        need(line["last_term"] == before["last_term"], "last_term without a record")
    if line["event"] in ("propose", "reconfigure"):
        need(line["append_count"] == 1, "a proposal or a configuration is one record")
    if line["role"] == "leader" and before["role"] != "leader":
        need(line["append_count"] == 1, "a new leader appends its no-op")
        need(line["last_term"] == line["term"], "the no-op is of the leader's term")


def check_trace(lines):
    nodes = {}
    leaders = {}
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
            check_shape(line)
            check_state(line)
            if line["node"] in nodes:
                check_step(nodes[line["node"]], line)
            else:
                need(line["event"] == "start", "a node's first line is its start")
            if line["role"] == "leader":
                need(leaders.setdefault(line["term"], line["node"]) == line["node"],
                     "two leaders in a term")
        except (Wrong, ValueError) as error:
            raise Wrong(f"line {number}: {error}: {text.strip()}") from None
        nodes[line["node"]] = line
    need(nodes, "an empty trace")
    return len(lines)


def trace_of(program, script):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "trace.jsonl"
        subprocess.run([program, "--trace", path, script], check=True,
                       stdout=subprocess.DEVNULL)
        return path.read_text().splitlines()


def first(lines, wanted):
    return next(i for i, text in enumerate(lines)
                if all(json.loads(text)[key] == value for key, value in wanted.items()))


# Where a trace is broken: the first line like this, and the values it gets.
MISTAKES = [
    ({"role": "leader"}, {"vote": 2}),
    ({"role": "leader"}, {"append_count": 0}),
    ({"role": "leader"}, {"last_index": 99}),
    ({"event": "durable"}, {"durable_index": 99}),
    ({"event": "receive"}, {"message": "none"}),
    ({"event": "receive"}, {"now_ns": 0}),
    ({"event": "tick"}, {"term": 0}),
    ({"event": "tick"}, {"event": "tock"}),
    ({"event": "start"}, {"event": "tick"}),
]


def self_test(lines):
    for wanted, values in MISTAKES:
        broken = list(lines)
        at = first(lines, wanted)
        broken[at] = json.dumps({**json.loads(lines[at]), **values})
        try:
            check_trace(broken)
        except Wrong:
            continue
        sys.exit(f"not noticed: {wanted} with {values}")
    print(f"{len(MISTAKES)} broken traces refused")


def main(arguments):
    is_self_test = arguments[:1] == ["--self-test"]
    arguments = arguments[is_self_test:]
    try:
        if arguments[:1] != ["--scenario"]:
            count = check_trace(pathlib.Path(arguments[0]).read_text().splitlines())
        else:
            traces = [trace_of(arguments[1], script) for script in arguments[2:]]
            count = sum(check_trace(trace) for trace in traces)
            if is_self_test:
                self_test(traces[0])
        print(f"{count} transitions are consistent")
    except Wrong as error:
        sys.exit(str(error))


main(sys.argv[1:])
