"""Rules about the tree as a whole. Each yields (path, line, rule, text)."""

import concurrent.futures
import json
import os
import re
import subprocess

import documents
import rules
import source

_QUOTED = re.compile(r"'([^'\n]*)'")
_UNIT_TEST = re.compile(r"tests/unit/\w+/\w+_test\.c$")
PACKAGES = ("libdpdk", "liburcu-qsbr", "libpmem2", "liblz4", "libisal", "jansson",
            "inih", "cmocka", "libsodium")


class Tree:
    """What the rules look at: the files, the compiler, and what meson builds (None: not known)."""

    def __init__(self, root, compiler, build=None):
        self.root = os.path.realpath(root)
        self.compiler = compiler
        self.files = source.read_tree(self.root)
        self.built = None if build is None else self._built(build)

    def path_of(self, path, target):
        """What a relative link in file `path` names, from the root."""
        if not target:
            return path
        return os.path.normpath(os.path.join(os.path.dirname(path), target)).replace(os.sep, "/")

    def has(self, path):
        return os.path.exists(os.path.join(self.root, path))

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


# Functions of POSIX and of the C library whose name a function of ours would hide.
POSIX_NAMES = frozenset((
    "abort accept access alarm basename bind bsearch chdir chmod chown close connect creat "
    "daemon dirname div dup exec exit fcntl flock fork free fsync ftruncate getline getopt hash "
    "index ioctl isatty kill link listen log lseek lstat malloc mkdir mmap mount msync munmap nice "
    "open opendir pause pipe poll printf putenv qsort raise rand random read readdir readlink recv "
    "recvfrom recvmsg remove rename rindex rmdir select send sendmsg sendto setenv shutdown signal "
    "sleep socket stat symlink sync system time times truncate umask umount uname unlink wait "
    "waitpid write").split())

# The folders whose code ends up together in one program.
PRODUCT = ("base", "raft", "wire", "security", "engine", "dataplane", "pmem", "client", "server")


def unique_functions(tree):
    """No two functions of different product files share a name."""
    homes = {}
    for file in tree.files:
        if file.folder not in PRODUCT:
            continue
        for function in file.functions:
            first = homes.setdefault(function.name, file.path)
            # Two backends of one header are two definitions of one function.
            if first != file.path:
                yield (file.path, function.first_line, "name",
                       f"{function.name} is also a function of {first}")


def posix_names(tree):
    for file in tree.files:
        for function in file.functions:
            if function.name in POSIX_NAMES and file.folder in PRODUCT + ("tools",):
                yield (file.path, function.first_line, "posix",
                       f"{function.name} hides the function of POSIX")


_LIMIT = re.compile(r"^[ \t]*#[ \t]*define[ \t]+([A-Z][A-Z0-9_]*(?:_MAX|_MIN|_CAPACITY|_BYTES"
                    r"|_SIZE))[ \t]+\S", re.MULTILINE)
LIMITS = "base/limits.h"


def limits(tree):
    """A limit in a header that another folder includes stands in base/limits.h."""
    users = {}
    for file in tree.files:
        if file.is_c and file.folder in PRODUCT:
            for path in rules.includes(file):
                users.setdefault(path, set()).add(file.folder)
    for file in tree.files:
        if (not file.is_header or file.folder not in PRODUCT or file.path == LIMITS
                or file.path.endswith("client/include/pollux.h")
                or not users.get(file.path, set()) - {file.folder}):
            continue
        for match in _LIMIT.finditer(file.text):
            yield (file.path, rules.line_of(file.text, match.start()), "limit",
                   f"{match.group(1)} is for other folders, too: it belongs in {LIMITS}")


TREE_RULES = (registered_tests, dead_files, headers_alone, unique_functions, posix_names,
              limits) + documents.DOCUMENT_RULES
