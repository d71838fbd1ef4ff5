"""Rules about the tree as a whole. Each yields (path, line, rule, text)."""

import concurrent.futures
import json
import os
import re
import subprocess

import source

_QUOTED = re.compile(r"'([^'\n]*)'")
_UNIT_TEST = re.compile(r"tests/unit/\w+/\w+_test\.c$")
PACKAGES = ("libdpdk", "liburcu-qsbr", "libpmem2", "libisal", "jansson", "inih",
            "cmocka")


class Tree:
    """What the rules look at: the files, the compiler, and what meson builds (None: not known)."""

    def __init__(self, root, compiler, build=None):
        self.root = os.path.realpath(root)
        self.compiler = compiler
        self.files = source.read_tree(self.root)
        self.built = None if build is None else self._built(build)

    def _built(self, build):
        paths = set()
        with open(os.path.join(build, "meson-info", "intro-targets.json"),
                  encoding="utf-8") as info:
            for target in json.load(info):
                for group in target["target_sources"]:
                    for path in group.get("sources", []):
                        paths.add(os.path.relpath(os.path.realpath(path), self.root))
        return paths


def registered_tests(tree):
    """Each unit test is a target of the build: a folder's meson.build registers it."""
    for file in tree.files:
        if tree.built is not None and _UNIT_TEST.match(file.path) and file.path not in tree.built:
            yield file.path, 1, "unregistered", "no meson.build registers this unit test"


def dead_files(tree):
    """Each .c file is named, from its own or an upper folder, by a meson.build."""
    named = set()
    for file in tree.files:
        if os.path.basename(file.path) == "meson.build":
            folder = os.path.dirname(file.path)
            for text in _QUOTED.findall(file.text):
                named.add(os.path.normpath(os.path.join(folder, text)).removesuffix(".c"))
    named.update(path.removesuffix(".c") for path in tree.built or ())
    for file in tree.files:
        if not file.path.endswith(".c") or _UNIT_TEST.match(file.path):
            continue
        if file.path.removesuffix(".c") not in named:
            yield file.path, 1, "dead-file", "no meson.build builds it"


def _package_flags():
    flags = []
    for package in PACKAGES:
        result = subprocess.run(["pkg-config", "--cflags", package], capture_output=True,
                                text=True, check=False)
        flags.extend(result.stdout.split())
    return flags


def _compile_alone(root, path, command):
    source = f'#include "{path}"\n'
    result = subprocess.run(command + ["-"], cwd=root, input=source, capture_output=True,
                            text=True, check=False)
    lines = result.stderr.strip().split("\n")
    return path, result.returncode, next((line for line in lines if "error" in line), lines[0])


def headers_alone(tree):
    headers = [file.path for file in tree.files if file.is_header]
    command = tree.compiler + ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                               "-fsyntax-only", "-x", "c", "-I."] + _package_flags()
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        jobs = [pool.submit(_compile_alone, tree.root, path, command) for path in headers]
    for path, status, message in (job.result() for job in jobs):
        if status != 0:
            yield path, 1, "header-alone", f"does not compile alone: {message}"


TREE_RULES = (registered_tests, dead_files, headers_alone)
