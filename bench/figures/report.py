"""report.html: all figures in one file that needs nothing else, for any screen and for paper."""

import datetime
import html
import re
import subprocess

from systems import ROOT, load_average

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto;
       max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
figure { margin: 1rem 0; break-inside: avoid; } figure svg { width: 100%; height: auto; }
figcaption, .setting { color: #555; font-size: .9rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
         border-bottom: 1px solid #ddd; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
.met { color: #0f7b6c; } .missed { color: #c0341d; } .open { color: #777; }
@media (max-width: 40rem) { th:nth-child(2), td:nth-child(2), th:nth-child(4), td:nth-child(4)
       { display: none; } table { font-size: .85rem; } }
@media print { body { max-width: none; padding: 0; } h2 { break-after: avoid; } }
"""

# What each picture shows, in two sentences.
TEXTS = {
    "failover-thesis": "The time from the crash of a leader until its successor is first heard, "
                       "for the ranges of the Raft thesis. Steps are split votes: the wider the "
                       "range of timeouts, the fewer there are.",
    "failover-low": "The same for lower timeouts. Below the time that a vote takes (own write, "
                    "request, voter's write, answer: about 25 ms here) elections collide again and "
                    "again.",
    "failover-own": "The same where network and storage are fast. Then timeouts of a few "
                    "milliseconds elect at the first try.",
    "packets": "Requests for votes sent and answers received until a leader is elected. Without "
               "pre-vote the least is six: four requests and the first two votes.",
    "steps": "Sets finished in each second while 2500, then 5000, then 10000 are offered. What "
             "stays below the offer falls behind.",
    "steps-100": "The same with a hundred times as much offered to Pollux, 16 sets a packet. etcd "
                 "would need minutes to answer what it is offered in a second.",
    "failover-real": "Leaders of real processes killed under load: how long no write was "
                     "acknowledged. All processes share this machine's cores.",
    "latency": "How long a set takes, from when it was due, as more is offered. Beyond saturation "
               "the wait in the queue is what counts.",
    "shards": "How throughput changes with shards and lanes. On a machine whose cores all nodes "
              "share, more groups mean smaller batches for the same cores.",
    "nodes": "What each further node costs. All of them run on the same cores here, so this is the "
             "cost in CPU and not in round trips.",
    "readers": "Gets of 64 clients beside a steady stream of sets. Relaxed gets ask one node "
               "alone.",
    "values": "How many bytes a second are stored as values grow. Small ones cost packets, large "
              "ones cost copies.",
    "growth-keys": "Relaxed gets as keys grow. A flat line means that nothing depends on their "
                   "number.",
    "growth-clients": "Sets as clients grow, one of each in flight. More clients mean larger "
                      "batches.",
}


def _goal_row(goal):
    measured = "not measured"
    if goal["measured"] is not None:
        measured = f"{goal['measured']:,} {goal['unit']}"
    peer = "" if goal["peer"] is None else f"{goal['peer']:,}"
    ratio = "" if goal["ratio"] is None else f"{goal['ratio']}"
    word = {True: "met", False: "missed"}.get(goal["met"], "open")
    cells = [goal["id"], goal["target"], measured, peer, ratio]
    return ("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) +
            f'<td class="{word}">{word}</td></tr>')


def _svg(path):
    """The picture without its prologue, its ids made its own."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg"):]
    prefix = path.stem.replace("-", "") + "_"
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r"(xlink:)?href='#", lambda m: (m[1] or "") + f"href='#{prefix}", text)
    text = re.sub(r"\bid='", f"id='{prefix}", text)
    return re.sub(r"url\(#", f"url(#{prefix}", text)


def _figure(run, picture):
    text = TEXTS.get(picture.name, "")
    drawing = _svg(run.folder / f"{picture.name}.svg")
    return (f"<h2>{html.escape(picture.title)}</h2>\n<figure>{drawing}"
            f"<figcaption>{html.escape(text)}</figcaption></figure>\n"
            f'<p class="setting">{html.escape(picture.setting)} Data: {picture.name}.csv.</p>')


def _tree():
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip() or "a tree without git"


def write_history(run):
    """history.md: this run's goals as a section of bench/HISTORY.md."""
    day = datetime.date.today().isoformat()
    lines = [f"## {day}, {_tree()}", "", f"{run.machine}; load average {load_average()}.", "",
             "| goal | measured | peer | ratio | |", "| --- | --- | --- | --- | --- |"]
    for goal in run.goals.values():
        measured = "–" if goal["measured"] is None else f"{goal['measured']:,} {goal['unit']}"
        peer, ratio = ("" if goal[key] is None else f"{goal[key]:,}" for key in ("peer", "ratio"))
        word = {True: "met", False: "missed"}.get(goal["met"], "open")
        lines.append(f"| {goal['id']} | {measured} | {peer} | {ratio} | {word} |")
    (run.folder / "history.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write(run):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    share = " (quick: a small share of trials and seconds)" if run.is_quick else ""
    parts = [
        "<!doctype html>", '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Figures of Pollux</title><style>{STYLE}</style></head><body>",
        f"<h1>Figures of Pollux</h1><p>{now}{share}. Machine: {html.escape(run.machine)}.</p>",
        '<h2>Goals</h2><div class="table"><table><tr><th>goal</th><th>target</th><th>measured</th>'
        "<th>peer</th><th>ratio</th><th></th></tr>",
        *(_goal_row(goal) for goal in run.goals.values()), "</table></div>",
        *(_figure(run, picture) for picture in run.pictures),
        "</body></html>", ""]
    (run.folder / "report.html").write_text("\n".join(parts), encoding="utf-8")
