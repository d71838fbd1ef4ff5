"""Rules about docs/ beside the code: what is documented exists, and what exists is documented.

Each yields (path, line, rule, text). A document lists its names in tables: the first cell of a row
holds them between backticks. The names of the code are read from the one place that defines them.
"""

import re

import rules

OPERATING = "docs/operating.md"
GLOSSARY = "docs/glossary.md"
EXAMPLE = "tools/polluxd.example.ini"

# Words of our own: each stands in the glossary.
WORDS = ("association", "bank", "blocked", "cancel", "cluster", "consistent", "cookie",
         "cursor", "decided", "drain", "durable", "emulated", "fence", "fingerprint", "forward",
         "fresh quorum", "granularity", "hand-out", "hand-over", "hard state", "incarnation",
         "journal", "journal seq", "lane", "lease", "log time", "medium", "node",
         "node progress", "nonce", "outbox", "outcome", "overruled", "own commit",
         "packet number", "pending write", "preferred leader", "preferred node", "recall",
         "record", "refusal", "relaxed", "relaxed session", "replica", "rot", "round", "seal",
         "secret", "session", "session floor", "settled", "shard", "staleness", "suspect",
         "tag", "token", "torn", "trail", "turn", "vouch", "window")

_ENTRY = re.compile(r"^\*\*(.+?)\*\*", re.MULTILINE)
_ROW = re.compile(r"^\| (`[^|]*`) \|")
_NAME = re.compile(r"`([^`]+)`")
_SETTING = re.compile(r'\{"(\w+)", "(\w+)", KEY_')
_SPECIAL = re.compile(r'(?:strcmp\(section, "(\w+)"\) == 0 && )?strcmp\(name, "(\w+)"\) == 0')
_EXIT = re.compile(r"\bNODE_EXIT_(\w+) = (\d+)")
_EVENT = re.compile(r'"([a-z][a-z ]*) node=%u')
_COUNTER = re.compile(r'\bwire_counter_add\(\s*\w+,\s*"(\w+)",')
_COUNTERS = re.compile(r'#define X\(name[^)]*\)[^\n]*?"(\w+_)" #name[^\n]*\n'
                       r'(?:[^\n]*\n)??\s*(\w+_LIST)\(X\)')
_DROPS = re.compile(r'"(\w+_)%s",\s*dp_drop_name')


def _text(tree, path):
    return next((file.text for file in tree.files if file.path == path), "")


def glossary(tree):
    """Each listed word has one entry in the glossary; entries of several words have one each."""
    text = _text(tree, GLOSSARY)
    if not text:
        return
    entries = {}
    for line in text.split("\n"):
        if line.startswith("**"):
            for word in _ENTRY.findall(line.replace("**, **", "**\n**")):
                entries[word] = entries.get(word, 0) + 1
    for word in WORDS:
        if entries.get(word, 0) != 1:
            yield GLOSSARY, 1, "glossary", f"'{word}' has {entries.get(word, 0)} entries, not 1"


def _documented(text, heading):
    """{name: line} of the tables under a heading of the second level."""
    names, is_under = {}, False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("## "):
            is_under = line == "## " + heading
        row = _ROW.match(line)
        if is_under and row:
            names.update({name: number for name in _NAME.findall(row.group(1))})
    return names


def list_items(text, macro):
    """The first argument of each X(...) of an X-macro list."""
    found = re.search(rf"#define {macro}\(X\)((?:[^\n]*\\\n)*[^\n]*)", text)
    return re.findall(r"\bX\((\w+)", found.group(1)) if found else []


def _settings(tree):
    names = set()
    for file in tree.files:
        if file.folder != "server" or not file.path.endswith(".c"):
            continue
        names.update(f"[{section}] {name}" for section, name in _SETTING.findall(file.text))
        if "store_peer" in file.text:
            names.add("[peers]")
            names.add("[neighbours]")
            names.update(f"[{section or 'port'}] {name}"
                         for section, name in _SPECIAL.findall(file.text))
    return names


def _exits(tree):
    return {number for file in tree.files if file.path == "server/node.h"
            for _, number in _EXIT.findall(file.text)}


def _events(tree):
    return {name for file in tree.files if file.folder == "server" and file.path.endswith(".c")
            for name in _EVENT.findall(file.text)}


def _counters(tree):
    headers = "\n".join(file.text for file in tree.files if file.is_header)
    names = set()
    for file in tree.files:
        if file.folder != "server" or not file.path.endswith(".c"):
            continue
        names.update(_COUNTER.findall(file.text))
        for prefix, macro in _COUNTERS.findall(file.text):
            names.update(prefix + item for item in list_items(headers, macro))
        for prefix in _DROPS.findall(file.text):
            names.update(prefix + item.lower() for item in list_items(headers, "DP_DROP_LIST"))
    return names


KINDS = (("Settings", "setting", _settings), ("Exit statuses", "exit status", _exits),
         ("Log events", "log event", _events), ("Counters", "counter", _counters))


def operating(tree):
    """Settings, exit statuses, log events and counters of docs/operating.md and of the code."""
    text = _text(tree, OPERATING)
    if not text:
        return
    for heading, kind, names_of in KINDS:
        documented, names = _documented(text, heading), names_of(tree)
        for name in sorted(names - set(documented)):
            yield OPERATING, 1, "operating", f"{kind} {name} is not documented"
        for name in sorted(set(documented) - names):
            yield OPERATING, documented[name], "operating", f"{kind} {name} does not exist"


def example_settings(tree):
    """The example configuration shows each setting of the code, and no other."""
    text = _text(tree, EXAMPLE)
    if not text:
        return
    section, shown = "", {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("["):
            section = line.split("]")[0][1:]
        name = re.match(r";?(\w+) = ", line)
        if section in ("peers", "neighbours"):
            shown[f"[{section}]"] = number
        elif name:
            shown[f"[{section}] {name.group(1)}"] = number
    names = _settings(tree)
    for name in sorted(names - set(shown)):
        yield EXAMPLE, 1, "example", f"setting {name} is not shown"
    for name in sorted(set(shown) - names):
        yield EXAMPLE, shown[name], "example", f"setting {name} does not exist"


# docs/embedding.md quotes each program of docs/examples/ whole, after a line that names the file.
_QUOTE = re.compile(r"^<!-- (docs/examples/\w+\.c) -->\n```c\n(.*?)^```", re.MULTILINE | re.DOTALL)


def quotes(tree):
    """What a document quotes of docs/examples/ is the file; each example is quoted."""
    programs = {file.path: file.text for file in tree.files
                if file.path.startswith("docs/examples/") and file.path.endswith(".c")}
    quoted = set()
    for file in tree.files:
        if file.folder != "docs" or not file.path.endswith(".md"):
            continue
        for match in _QUOTE.finditer(file.text):
            path = match.group(1)
            quoted.add(path)
            if programs.get(path) != match.group(2):
                yield (file.path, rules.line_of(file.text, match.start()), "quote",
                       f"what is quoted is not {path}")
    for path in sorted(set(programs) - quoted):
        yield path, 1, "quote", "no document quotes this example"


_LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")


def _anchors(text):
    """GitHub's anchors of the headings."""
    anchors = set()
    for line in text.split("\n"):
        if line.startswith("#"):
            title = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            anchors.add(title.replace(" ", "-"))
    return anchors


def links(tree):
    """Each relative link of a document leads to a file, and to a heading of it."""
    for file in tree.files:
        if not file.path.endswith(".md"):
            continue
        for match in _LINK.finditer(file.text):
            target, anchor = match.group(1), match.group(2)
            if "://" in target:
                continue
            path = tree.path_of(file.path, target)
            line = rules.line_of(file.text, match.start())
            if not tree.has(path):
                yield file.path, line, "link", f"{target} does not exist"
            elif anchor and path.endswith(".md") and anchor[1:] not in _anchors(_text(tree, path)):
                yield file.path, line, "link", f"{path} has no heading {anchor}"


DOCUMENT_RULES = (glossary, operating, example_settings, quotes, links)
