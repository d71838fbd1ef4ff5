"""Proof that every rule can fail: a clean little tree, then one violation of each rule in turn."""

import json
import os
import tempfile

import documents
import report
import tree

GUARDED = "/* A thing. */\n#ifndef {guard}\n#define {guard}\n{body}#endif\n"
GLOSSARY = "# Glossary\n\n" + "".join(f"**{word}**: a thing.\n" for word in documents.WORDS)
CONFIG = "/* A thing. */\nstatic const int keys[] = {\n    {\"node\", \"id\", KEY_U16},\n};\n"
STATUS = ("/* A thing. */\n#define X(name) wire_counter_add(writer, \"drop_\" #name, 1);\n"
          "    LANE_LIST(X)\n"
          "/* */ static const char *const text = \"started node=%u\";\n")
OPERATING = ("# O\n\n## Settings\n\n| `[node] id` | 1 |\n\n## Exit statuses\n\n| `3` | config |\n\n"
             "## Log events\n\n| `started` | |\n\n## Counters\n\n| `drop_magic` | |\n")
SERVER = {
    "server/config.c": CONFIG,
    "server/status.c": STATUS,
    "server/node.h": GUARDED.format(guard="POLLUX_SERVER_NODE_H",
                                    body="enum node_exit { NODE_EXIT_CONFIG = 3 };\n"),
    "server/lane.h": GUARDED.format(guard="POLLUX_SERVER_LANE_H",
                                    body="#define LANE_LIST(X) X(magic)\n"),
    "server/meson.build": "files('config.c', 'status.c')\n",
    "docs/operating.md": OPERATING,
    "tools/polluxd.example.ini": "[node]\nid = 1\n",
}
CLEAN = {
    "docs/glossary.md": GLOSSARY,
    "base/thing.c": "/* A thing. */\n#include \"base/thing.h\"\n\nint thing(int a)\n{\n"
                    "    /* rand() and goto are only words in a comment. */\n"
                    "    const char *text = \"malloc(1) /* no comment\";\n"
                    "    if (a > 0)\n        goto out;\n    a = text[0];\nout:\n    return a;\n}\n",
    "base/thing.h": GUARDED.format(guard="POLLUX_BASE_THING_H", body="int thing(int a);\n"),
    "base/meson.build": "lib = static_library('base', files('thing.c'))\n",
    "tests/unit/base/thing_test.c": "/* Tests of a thing. */\n#include \"base/thing.h\"\n",
    "client/include/pollux.h": GUARDED.format(guard="POLLUX_H", body=""),
}


def _c(body):
    return f"/* A thing. */\n#include \"base/thing.h\"\n{body}"


def _function(statement):
    return _c(f"\nint thing(int a)\n{{\n    {statement}\n    return a;\n}}\n")


def _other(statement):
    return _function(statement).replace("int thing(int a)", "int other(int a)")


# rule -> {path: text} laid over the clean tree.
BROKEN = [
    ("whitespace", {"base/thing.c": _function("a++; ")}),
    ("whitespace", {"base/thing.c": _function("a++;").rstrip("\n")}),
    ("tab", {"base/thing.c": _function("\ta++;")}),
    ("columns", {"base/thing.c": _function("a++; /* " + "x" * 100 + " */")}),
    ("unfinished", {"base/thing.c": _function("a++; /* " + "TO" + "DO: more */")}),
    ("unfinished", {"README.md": "# X\n\nFIX" + "ME\n"}),
    ("file-length", {"base/thing.c": _c("int x;\n" * 600)}),
    ("head", {"base/thing.c": _function("a++;").split("\n", 1)[1]}),
    ("include", {"base/thing.c": _c("#include \"thing.h\"\n")}),
    ("layer", {"base/thing.c": _c("#include \"raft/raft.h\"\n"),
               "raft/raft.h": GUARDED.format(guard="POLLUX_RAFT_RAFT_H", body="")}),
    ("layer", {"pmem/log.h": GUARDED.format(guard="POLLUX_PMEM_LOG_H",
                                            body="#include \"dataplane/port.h\"\n"),
               "dataplane/port.h": GUARDED.format(guard="POLLUX_DATAPLANE_PORT_H", body="")}),
    ("dpdk", {"base/thing.c": _function("rte_pause();")}),
    ("pmem2", {"base/thing.c": _function("pmem2_map_new();")}),
    ("urcu", {"base/thing.c": _function("cds_lfht_new();")}),
    ("sodium", {"base/thing.c": _function("sodium_init();")}),
    ("ipsec", {"base/thing.c": _function("IMB_AES128_GCM_PRE();")}),
    ("banned", {"base/thing.c": _function("a = rand();")}),
    ("banned", {"base/thing.c": _function("strcpy(b, c);")}),
    ("banned", {"base/thing.c": _function("sleep(1);")}),
    ("by-name", {"base/thing.c": _function("a = open(b, O_RDONLY | O_CLOEXEC);")}),
    ("by-name", {"base/thing.c": _function("struct file *c = fopen(b, d);")}),
    ("any-failure", {"tests/run.sh": "#!/bin/bash\n! cluster_leader | grep -q 1 || exit 1\n"}),
    ("any-failure", {"tests/run.sh": "#!/bin/bash\nrun\n[[ -z $cluster_bad_exits ]] || exit 1\n"}),
    ("impure", {"raft/raft.c": _other("malloc(1);"), "raft/meson.build": "files('raft.c')\n"}),
    ("impure", {"engine/map.c": _other("clock_gettime(0, 0);"),
                "engine/meson.build": "files('map.c')\n"}),
    ("impure", {"engine/map.c": _other("pthread_create();"),
                "engine/meson.build": "files('map.c')\n"}),
    ("typedef", {"base/thing.c": _c("typedef struct thing thing_t;\n")}),
    ("function-length", {"base/thing.c": _function("a++;\n" * 70)}),
    ("parameters", {"base/thing.c": _c("int f(int a, int b, int c, int d, int e, int f)\n{\n}\n")}),
    ("recursion", {"base/thing.c": _function("a = thing(a - 1);")}),
    ("goto", {"base/thing.c": _function("again:\n    a++;\n    goto again;")}),
    ("goto", {"base/thing.c": _function("goto x;\n    goto y;\nx:\n    a++;\ny:\n    a++;")}),
    ("guard", {"base/thing.h": GUARDED.format(guard="THING_H", body="int thing(int a);\n")}),
    ("unregistered", {"tests/unit/base/other_test.c": "/* Tests. */\n"}),
    ("dead-file", {"base/dead.c": "/* Dead. */\n"}),
    ("inner-layer", {"engine/state/map.c": "/* A map. */\n#include \"engine/service/batch.h\"\n",
                     "engine/meson.build": "files('state/map.c')\n",
                     "engine/service/batch.h": GUARDED.format(
                         guard="POLLUX_ENGINE_SERVICE_BATCH_H", body="")}),
    ("inner-layer", {"engine/state/map.c": "/* A map. */\n#include \"engine/engine.h\"\n",
                     "engine/meson.build": "files('state/map.c')\n",
                     "engine/engine.h": GUARDED.format(guard="POLLUX_ENGINE_ENGINE_H", body="")}),
    ("comment-end", {"base/thing.c": _c("/* One line that goes on\n * here.\n */\n")}),
    ("name", {"raft/raft.c": "/* Raft. */\nstatic int thing(int a)\n{\n    return a;\n}\n",
              "raft/meson.build": "files('raft.c')\n"}),
    ("posix", {"base/thing.c": _c("static int accept(int a)\n{\n    return a;\n}\n")}),
    ("limit", {"raft/raft.h": GUARDED.format(guard="POLLUX_RAFT_RAFT_H",
                                             body="#define RAFT_THINGS_MAX 7\n"),
               "server/node.c": "/* A node. */\n#include \"raft/raft.h\"\n",
               "server/meson.build": "files('node.c')\n"}),
    ("glossary", {"docs/glossary.md": GLOSSARY.replace("**fence**", "**fences**")}),
    ("glossary", {"docs/glossary.md": GLOSSARY + "**fence**: another thing.\n"}),
    ("operating", {**SERVER, "server/config.c": CONFIG.replace("id", "log"),
                   "tools/polluxd.example.ini": "[node]\nlog = 1\n"}),
    ("operating", {**SERVER, "server/status.c": STATUS.replace("started", "ended")}),
    ("operating", {**SERVER, "server/status.c": STATUS.replace("drop_", "lost_")}),
    ("operating", {**SERVER, "docs/operating.md": OPERATING.replace("`3`", "`4`")}),
    ("operating", {**SERVER, "docs/operating.md": OPERATING + "| `drop_more` | |\n"}),
    ("example", {**SERVER, "tools/polluxd.example.ini": "[node]\n"}),
    ("example", {**SERVER, "tools/polluxd.example.ini": "[node]\nid = 1\nlog = 2\n"}),
    ("quote", {"docs/examples/one.c": "/* One. */\n",
               "docs/embedding.md": "<!-- docs/examples/one.c -->\n```c\n/* Two. */\n```\n",
               "docs/examples/meson.build": "files('one.c')\n"}),
    ("quote", {"docs/examples/one.c": "/* One. */\n",
               "docs/examples/meson.build": "files('one.c')\n"}),
    ("link", {"README.md": "[x](docs/none.md)\n"}),
    ("link", {"README.md": "[x](docs/glossary.md#none)\n"}),
    ("header-alone", {"base/thing.h": GUARDED.format(guard="POLLUX_BASE_THING_H",
                                                     body="size_t thing(int a);\n")}),
]


def _lint(files, compiler, exempt):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as handle:
                handle.write(text)
        os.makedirs(os.path.join(root, "build/meson-info"))
        sources = [os.path.join(root, "tests/unit/base/thing_test.c")]
        with open(os.path.join(root, "build/meson-info/intro-targets.json"), "w",
                  encoding="utf-8") as info:
            json.dump([{"target_sources": [{"sources": sources}]}], info)
        return report.lint(tree.Tree(root, compiler, os.path.join(root, "build")), exempt)[0]


def run(compiler):
    failures = 0
    found = _lint({**CLEAN, **SERVER}, compiler, {})
    if found:
        failures += 1
        print("FAIL clean tree:", *found, sep="\n  ")
    for rule, files in BROKEN:
        found = _lint({**CLEAN, **files}, compiler, {})
        rules = {line.split(": ")[1] for line in found}
        if rules != {rule}:
            failures += 1
            print(f"FAIL {rule}: reported {sorted(rules) or 'nothing'}", *found, sep="\n  ")
    exempt = {("banned", "base/thing.c"): "a reason"}
    if _lint({**CLEAN, "base/thing.c": _function("a = rand();")}, compiler, exempt):
        failures += 1
        print("FAIL exception: an exempt violation is reported")
    if not any(": exception: " in line for line in _lint(CLEAN, compiler, exempt)):
        failures += 1
        print("FAIL exception: a needless entry is not reported")
    count = len(BROKEN) + 3
    print(f"lint self-test: {count - failures} passed, {failures} failed")
    return 1 if failures else 0
