"""The tables of bench/beside: what was answered in each state, and what had become of it.

usage: beside.py [--markdown] FOLDER STATE...

FOLDER holds, for etcd and for Pollux: SYSTEM.STATE (state, kind, number, asked and answered in us,
answer, token), SYSTEM.kills (state, us), SYSTEM.truth (state, kind, number, what is stored: old,
new or other), and pollux.STATE.resolved (the line of an unknown call, then what it resolved to).
"""

import collections
import os
import sys

SYSTEMS = ("etcd", "pollux")
KINDS = ("swap", "set", "get", "set-relaxed", "get-relaxed")
WRITES = ("swap", "set", "set-relaxed")
PHASES = {
    "healthy": "healthy",
    "election": "leader killed: until another one served",
    "after": "leader killed: afterwards",
    "lost_at_leader": "three of five killed: asked at the former leader",
    "lost_at_follower": "three of five killed: asked at a follower",
    "alone": "four of five killed: asked at the last, a follower",
}

Call = collections.namedtuple("Call", "system phase kind number state answer token ms")


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file]


def plain(answer):
    return answer[4:].lower().replace("_", " ") if answer.startswith("PLX_") else answer


def phase_of(state, begin, end, kill, back):
    if state in ("healthy", "alone"):
        return state
    if end < kill:
        return "healthy"
    if state == "leader_killed":
        return "election" if begin < back else "after"
    return state


def calls_of(folder, system, states):
    kills = {state: int(us) for state, us in lines(f"{folder}/{system}.kills")}
    calls = []
    for state in states:
        rows = [(kind, int(number), int(begin), int(end), plain(answer), token) for
                _, kind, number, begin, end, answer, token in lines(f"{folder}/{system}.{state}")]
        kill = kills.get(state, 0)
        # Service is back when a write begun after the kill is answered with a success.
        back = min((end for kind, _, begin, end, answer, _ in rows
                    if kind in ("swap", "set") and begin > kill and answer == "ok"),
                   default=float("inf"))
        for kind, number, begin, end, answer, token in rows:
            calls.append(Call(system, phase_of(state, begin, end, kill, back), kind, number, state,
                              answer, token, (end - begin) / 1000))
    return calls


def counted(calls):
    counts = collections.Counter(call.answer for call in calls)
    return "\n".join(f"{count} {answer}" for answer, count in counts.most_common()) or "-"


def table(head, rows):
    rows = [[cell.split("\n") for cell in row] for row in [head, *rows]]
    widths = [max(len(line) for row in rows for line in row[i]) for i in range(len(head))]
    for row in rows:
        for at in range(max(len(cell) for cell in row)):
            print("  ".join((cell[at] if at < len(cell) else "").ljust(width)
                            for cell, width in zip(row, widths)).rstrip())
    print()


def answered(calls):
    rows = []
    for phase, title in PHASES.items():
        for kind in KINDS:
            of = {system: [call for call in calls if (call.system, call.phase, call.kind) ==
                           (system, phase, kind)] for system in SYSTEMS}
            rows.append((title, kind, counted(of["etcd"]), counted(of["pollux"])))
            title = ""
    return rows


def short(calls, truth, resolved):
    """One cell of the short table: answers by class, and what was not as it had been answered."""
    counts = collections.Counter()
    took_effect = collections.Counter()
    settled = collections.Counter()
    for call in calls:
        is_plain = call.system == "pollux" or call.answer in ("ok", "compare failed", "wrong value")
        answer = call.answer if is_plain else "error"
        counts[answer] += 1
        key = (call.system, call.state, call.kind, call.number)
        if answer not in ("ok", "unknown") and call.kind in WRITES and truth[key] == "new":
            took_effect[answer] += 1
        if key in resolved:
            settled[resolved[key]] += 1
    parts = []
    for answer, count in counts.most_common():
        note = f", of which **{took_effect[answer]} took effect**" if took_effect[answer] else ""
        if answer == "unknown":
            names = ", ".join(f"{n} {name}" for name, n in settled.items())
            note = f" (resolved: {names})" if names else " (without a token)"
        parts.append(f"{count} {answer}{note}")
    return ", ".join(parts) or "-"


def print_short(calls, truth, resolved):
    columns = [("etcd", ("swap", "set")), ("pollux", ("swap", "set")), ("etcd", ("get",)),
               ("pollux", ("get",)), ("etcd", ("get-relaxed",)), ("pollux", ("get-relaxed",)),
               ("pollux", ("set-relaxed",))]
    heads = ["etcd: swap, set", "Pollux: swap, set", "etcd: get", "Pollux: get",
             "etcd: serializable get", "Pollux: relaxed get", "Pollux: relaxed set"]
    print("| | " + " | ".join(heads) + " |\n|" + " --- |" * (len(heads) + 1))
    for phase, title in PHASES.items():
        cells = [short([call for call in calls if call.system == system and call.phase == phase and
                        call.kind in kinds], truth, resolved) for system, kinds in columns]
        print(f"| {title} | " + " | ".join(cells) + " |")


def became(calls, truth, resolved):
    """Of each answer to a write that was not a plain yes: how many took effect all the same."""
    groups = collections.defaultdict(list)
    for call in calls:
        if call.kind in WRITES:
            groups[call.system, call.kind, call.answer].append(call)
    rows = []
    for (system, kind, answer), members in sorted(groups.items(), key=lambda item: (
            item[0][0], KINDS.index(item[0][1]), item[0][2])):
        found = collections.Counter(truth[call.system, call.state, call.kind, call.number]
                                    for call in members)
        settled = collections.Counter(resolved[key] for key in (
            (call.system, call.state, call.kind, call.number) for call in members)
                                      if key in resolved)
        rows.append((system, kind, answer, str(len(members)), str(found["new"]),
                     str(found["old"]), str(found["other"]),
                     ", ".join(f"{count} {name}" for name, count in settled.items()) or "-"))
    return rows


def main():
    words = [word for word in sys.argv[1:] if word != "--markdown"]
    is_markdown = len(words) < len(sys.argv) - 1
    folder, states = words[0], words[1:]
    calls = [call for system in SYSTEMS for call in calls_of(folder, system, states)]
    truth = {(system, state, kind, int(number)): found for system in SYSTEMS
             for state, kind, number, found, _ in lines(f"{folder}/{system}.truth")}
    resolved = {("pollux", line[0], line[1], int(line[2])): plain(line[-1]) for state in states
                for line in lines(f"{folder}/pollux.{state}.resolved")}
    if is_markdown:
        print_short(calls, truth, resolved)
    else:
        table(("state", "call", "etcd answered", "Pollux answered"), answered(calls))
        print("What had become of the writes, read by a consistent get after all were back:\n")
        table(("system", "call", "answer", "calls", "took effect", "did not", "other value",
               "resolved to"), became(calls, truth, resolved))
    wrong = [call for call in calls if call.system == "pollux" and call.kind in WRITES and
             (call.answer, truth["pollux", call.state, call.kind, call.number]) in
             (("ok", "old"), ("timeout", "new"), ("mismatch", "new"))]
    print(f"Pollux: {len(wrong)} answers that were not true afterwards")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
