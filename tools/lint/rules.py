"""Rules about one file at a time. Each yields (path, line, rule, text)."""

import re

FILE_LINES_MAX = 600
FILE_LINES_WARN = 500
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 5
COLUMNS_MAX = 100

# Layer of each folder: an include points to a folder of a lower number, or of its own.
LAYERS = {"base": 0, "raft": 1, "wire": 1, "security": 1, "engine": 2, "dataplane": 3, "pmem": 3,
          "client": 3, "server": 4, "tools": 5, "bench": 6, "tests": 7}

BANNED_EVERYWHERE = {
    "strcpy": "no bound", "strcat": "no bound", "strncpy": "may leave no terminator",
    "sprintf": "no bound", "vsprintf": "no bound", "gets": "no bound", "strtok": "hidden state",
    "atoi": "hides errors", "rand": "unseeded", "srand": "global state", "random": "unseeded",
    "alloca": "no bound", "setjmp": "hidden control flow", "longjmp": "hidden control flow",
    "system": "a shell", "popen": "a shell", "sleep": "waits for no condition",
    "usleep": "waits for no condition", "nanosleep": "waits for no condition",
    "clock_nanosleep": "waits for no condition",
}

# raft/ and engine/ are pure: no memory but the arena's, no clock, randomness, I/O or thread.
BANNED_IN_PURE = {
    "malloc", "calloc", "realloc", "free", "strdup", "mmap", "munmap", "time", "clock_gettime",
    "gettimeofday", "clock", "getrandom", "open", "close", "read", "write", "fopen", "printf",
    "fprintf", "fputs", "puts", "socket", "send", "sendto", "recv", "recvfrom", "poll", "select",
    "getenv", "usleep", "sched_yield",
}
PURE_FOLDERS = ("raft", "wire", "engine")

# A foreign interface and the only places that may name it.
FOREIGN = (
    ("dpdk", re.compile(r"\brte_\w+|<rte_"), re.compile(r"dataplane/|tests/unit/dataplane/")),
    ("pmem2", re.compile(r"\bpmem2_\w+|<libpmem2"), re.compile(r"pmem/|tests/unit/pmem/")),
    ("urcu", re.compile(r"\b(?:urcu_|cds_lfht|rcu_read_|call_rcu|synchronize_rcu)\w*|<urcu"),
     re.compile(r"engine/state/rcu|engine/state/index")),
    ("sodium", re.compile(r"\b(?:sodium|crypto)_\w+|<sodium"),
     re.compile(r"security/|tests/unit/security/")),
    ("ipsec", re.compile(r"\b(?:IMB|imb)_\w+|<intel-ipsec"),
     re.compile(r"security/|tests/unit/security/")),
)

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.MULTILINE)
_CALL = re.compile(r"(?<![\w.>])([a-z_]\w*)\s*\(")
_GOTO = re.compile(r"\bgoto\s+(\w+)\s*;")
_UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def text_shape(file):
    for number, line in enumerate(file.lines, 1):
        if line != line.rstrip():
            yield file.path, number, "whitespace", "white space at the end of the line"
        if "\t" in line and not file.path.endswith(".go"):
            yield file.path, number, "tab", "tab"
        if len(line.replace("\t", "    ")) > COLUMNS_MAX and not file.path.endswith(".md"):
            yield file.path, number, "columns", f"{len(line)} columns, {COLUMNS_MAX} at most"
    if file.text and not file.text.endswith("\n"):
        yield file.path, len(file.lines), "whitespace", "no newline at the end of the file"


def unfinished(file):
    if file.path.startswith("tools/lint/"):
        return
    for match in _UNFINISHED.finditer(file.text):
        yield file.path, line_of(file.text, match.start()), "unfinished", match.group(0)


def file_length(file):
    count = len(file.lines) - 1
    if count > FILE_LINES_MAX and not file.path.endswith(".md"):
        yield file.path, count, "file-length", f"{count} lines, {FILE_LINES_MAX} at most"


def warn_file_length(file):
    count = len(file.lines) - 1
    if FILE_LINES_WARN < count <= FILE_LINES_MAX and not file.path.endswith(".md"):
        yield f"{file.path}: {count} lines, {FILE_LINES_WARN} are plenty"


def head_comment(file):
    if file.is_c and not file.text.startswith("/*"):
        yield file.path, 1, "head", "a file begins with a comment that states its purpose"


# Inside engine/: what may include what of it. The files beside the folders tie them together.
INNER = {"engine/state": ("engine/state",),
         "engine/service": ("engine/state", "engine/service"),
         "engine/relaxed": ("engine/state", "engine/relaxed")}


def includes(file):
    """The paths of our own that a file includes."""
    return [match.group(2) for match in _INCLUDE.finditer(file.text) if match.group(1) == '"']


def inner_layers(file):
    allowed = INNER.get("/".join(file.path.split("/")[:2]))
    if not file.is_c or allowed is None:
        return
    for match in _INCLUDE.finditer(file.text):
        target = match.group(2)
        if not target.startswith("engine/") or target.startswith(
                tuple(folder + "/" for folder in allowed)):
            continue
        # The folders of requests talk through the engine's own headers.
        if not file.path.startswith("engine/state/") and target.count("/") == 1:
            continue
        yield (file.path, line_of(file.text, match.start()), "inner-layer",
               f"{'/'.join(file.path.split('/')[:2])}/ may not include {target}")


_ORPHAN = re.compile(r"^[ \t]*\*/[ \t]*$", re.MULTILINE)


def orphaned_ends(file):
    """The end of a comment stands alone only where the beginning does."""
    if not file.is_c:
        return
    for match in _ORPHAN.finditer(file.text):
        begin = file.text.rfind("/*", 0, match.start())
        line = file.text[begin:file.text.find("\n", begin)]
        if line.strip() not in ("/*", "/**"):
            yield (file.path, line_of(file.text, match.start()), "comment-end",
                   "*/ stands alone, but the comment does not begin alone")


def layers(file):
    if not file.is_c or file.folder not in LAYERS:
        return
    for match in _INCLUDE.finditer(file.text):
        if match.group(1) != '"':
            continue
        line = line_of(file.text, match.start())
        target = match.group(2).split("/")[0]
        # Installed headers include their neighbours, wherever they are installed.
        if file.path.startswith("client/include/") and target == "pollux.h":
            continue
        if target not in LAYERS or "/" not in match.group(2):
            yield file.path, line, "include", f'"{match.group(2)}" is not written from the root'
        elif target != file.folder and LAYERS[target] >= LAYERS[file.folder]:
            yield file.path, line, "layer", f"{file.folder}/ may not include {target}/"


def foreign(file):
    if not file.is_c:
        return
    for rule, pattern, home in FOREIGN:
        if home.match(file.path):
            continue
        for match in pattern.finditer(file.code):
            yield (file.path, line_of(file.code, match.start()), rule,
                   f"{match.group(0)} is named outside {home.pattern}")


def banned_calls(file):
    if not file.is_c:
        return
    for match in _CALL.finditer(file.code):
        name, line = match.group(1), line_of(file.code, match.start())
        if name in BANNED_EVERYWHERE:
            yield file.path, line, "banned", f"{name}(): {BANNED_EVERYWHERE[name]}"
        elif file.folder in PURE_FOLDERS and (
                name in BANNED_IN_PURE or name.startswith("pthread_")):
            yield file.path, line, "impure", f"{name}() in {file.folder}/"


# Whose files may be anything: what a node has, and what an operator names.
_OPENS = re.compile(r"(?<![\w.>])f?open\s*\(([^;]*?)\)\s*(?:;|:|\?|&&|==|<)")
_BY_NAME_FOLDERS = re.compile(r"(?:base|security|pmem|client|server|tools)/(?!drill/)")
_NEVER_WAITS = re.compile(r"\bO_DIRECTORY\b|\bO_EXCL\b")


def opened_by_name(file):
    """A file is opened by its name in base/regular_file.c: open(2) waits at a fifo."""
    if not file.is_c or not _BY_NAME_FOLDERS.match(file.path):
        return
    for match in _OPENS.finditer(file.code):
        if not _NEVER_WAITS.search(match.group(1)):
            yield (file.path, line_of(file.code, match.start()), "by-name",
                   "open() and fopen() wait at a fifo: regular_file_open()")


# A failure that is expected is one of a kind: `!` takes any for it, a missing program too.
_ANY_FAILURE = re.compile(
    r"(?:^|[\s;&|(])!\s+(?:cluster_(?!until\b|is_|start\b)\w+|grep\b|find\b|pollux|\"\$@\")")


def any_failure(file):
    if not re.match(r"#!.*\bbash\b", file.text):
        return
    for number, line in enumerate(file.lines, 1):
        if _ANY_FAILURE.search(line) and not line.lstrip().startswith("#"):
            yield (file.path, number, "any-failure",
                   "takes any failure for the expected one: cluster_ends STATUS, cluster_lacks")
        if "[[ -z $cluster_bad_exits" in line and file.lines[number - 2].strip() != "cluster_stop":
            yield (file.path, number, "any-failure",
                   "nothing was stopped yet, so there is no bad exit: cluster_end")


def struct_typedefs(file):
    if file.is_c:
        for match in re.finditer(r"\btypedef\s+(?:struct|union|enum)\b", file.code):
            yield (file.path, line_of(file.code, match.start()), "typedef",
                   "a struct, union or enum is named by its tag")


def functions(file):
    for function in file.functions:
        length = function.last_line - function.first_line + 1
        if length > FUNCTION_LINES_MAX:
            yield (file.path, function.first_line, "function-length",
                   f"{function.name} has {length} lines, {FUNCTION_LINES_MAX} at most")
        if len(function.parameters) > PARAMETERS_MAX:
            yield (file.path, function.first_line, "parameters",
                   f"{function.name} has {len(function.parameters)}, {PARAMETERS_MAX} at most")
        recursion = re.search(rf"(?<![\w.>]){function.name}\s*\(", function.body)
        if recursion:
            yield (file.path, function.body_line + line_of(function.body, recursion.start()) - 1,
                   "recursion", f"{function.name} calls itself")


def gotos(file):
    for function in file.functions:
        targets = set()
        for match in _GOTO.finditer(function.body):
            label = match.group(1)
            targets.add(label)
            line = function.body_line + line_of(function.body, match.start()) - 1
            after = re.compile(rf"^\s*{label}\s*:", re.MULTILINE)
            if not after.search(function.body, match.end()):
                yield file.path, line, "goto", f"goto {label} does not lead forward"
        if len(targets) > 1:
            yield (file.path, function.first_line, "goto",
                   f"{function.name} has {len(targets)} labels; one exit label at most")


def include_guard(file):
    if not file.is_header:
        return
    path = re.sub(r"^client/include/", "", file.path)
    prefix = "" if path.startswith("pollux") else "POLLUX_"
    guard = prefix + re.sub(r"[^A-Za-z0-9]", "_", path).upper()
    if not re.search(rf"^#ifndef {guard}\n#define {guard}\n", file.text, re.MULTILINE):
        yield file.path, 1, "guard", f"include guard {guard} expected"


FILE_RULES = (text_shape, unfinished, file_length, head_comment, layers, foreign, banned_calls,
              opened_by_name, any_failure, struct_typedefs, functions, gotos, include_guard,
              inner_layers, orphaned_ends)
