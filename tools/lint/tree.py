"""Rules about the tree as a whole. Each yields (path, line, rule, text)."""

import concurrent.futures
import os
import re
import subprocess

_QUOTED = re.compile(r"'([^'\n]*)'")
_UNIT_TEST = re.compile(r"tests/unit/(\w+)/(\w+)_test\.c$")
PACKAGES = ("libdpdk", "liburcu-qsbr", "liburcu-cds", "libpmem2", "libisal", "jansson", "inih",
            "cmocka")


def _meson_files(files):
    return [file for file in files if os.path.basename(file.path) == "meson.build"]


def registered_tests(_root, files, _compiler):
    """Each unit test is named by the meson.build of the folder that it tests."""
    named = set()
    for file in _meson_files(files):
        folder = os.path.basename(os.path.dirname(file.path))
        named.update((folder, text) for text in _QUOTED.findall(file.text))
    for file in files:
        match = _UNIT_TEST.match(file.path)
        if match and match.groups() not in named:
            folder, unit = match.groups()
            yield file.path, 1, "unregistered", f"{folder}/meson.build does not register '{unit}'"


def dead_files(_root, files, _compiler):
    """Each .c file is named, from its own or an upper folder, by a meson.build."""
    named = set()
    for file in _meson_files(files):
        folder = os.path.dirname(file.path)
        for text in _QUOTED.findall(file.text):
            named.add(os.path.normpath(os.path.join(folder, text)).removesuffix(".c"))
    for file in files:
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
    return path, result.returncode, result.stderr.strip().split("\n")[0]


def headers_alone(root, files, compiler):
    headers = [file.path for file in files if file.is_header]
    command = compiler + ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                          "-fsyntax-only", "-x", "c", "-I."] + _package_flags()
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        jobs = [pool.submit(_compile_alone, root, path, command) for path in headers]
    for path, status, message in (job.result() for job in jobs):
        if status != 0:
            yield path, 1, "header-alone", f"does not compile alone: {message}"


TREE_RULES = (registered_tests, dead_files, headers_alone)
