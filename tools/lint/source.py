"""Source files as the rules see them: raw text, code without comments and strings, functions."""

import os
import re

FOLDERS = ("base", "raft", "wire", "security", "engine", "dataplane", "pmem", "client", "server",
           "tools", "tests", "bench", "docs")
C_SUFFIXES = (".c", ".h")
SCRIPT_SUFFIXES = (".py", ".sh", ".go", ".md", ".ini", ".conf")

_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", re.MULTILINE)
_NAME_BEFORE_PAREN = re.compile(r"([A-Za-z_]\w*)\s*$")


class Function:
    """A function definition: name, first and last line (from 1), its parameters, its code."""

    def __init__(self, name, first_line, last_line, parameters, body, body_line):
        self.name = name
        self.first_line = first_line
        self.last_line = last_line
        self.parameters = parameters
        self.body = body
        self.body_line = body_line


class File:
    """One file: `path` from the root with slashes, `text` raw, `code` blanked, `functions`."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self.is_c = path.endswith(C_SUFFIXES)
        self.is_header = path.endswith(".h")
        self.folder = path.split("/")[0]
        self.code = blank(text) if self.is_c else text
        self.functions = find_functions(self.code) if self.is_c else []


def blank(text):
    """The text with comments and literals replaced by spaces; line numbers and columns stay."""

    def spaces(match):
        token = match.group(0)
        keep = token[0] if token[0] in "\"'" else " "
        inner = re.sub(r"[^\n]", " ", token[1:-1])
        return keep + inner + (token[-1] if keep != " " else " ")

    return _TOKEN.sub(spaces, text)


def split_parameters(text):
    """Top-level comma-separated parameters of a parameter list without its parentheses."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += char in "(["
        depth -= char in ")]"
        if char == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    parts.append(text[start:].strip())
    return [] if parts in ([""], ["void"]) else parts


def _matching(code, at, opening, closing):
    depth = 0
    for position in range(at, len(code)):
        depth += code[position] == opening
        depth -= code[position] == closing
        if depth == 0:
            return position
    return len(code) - 1


def _signature(head):
    """(name, parameter text) when `head` ends like a function's head, else None."""
    head = head.rstrip()
    if not head.endswith(")"):
        return None
    depth = 0
    for at in range(len(head) - 1, -1, -1):
        depth += head[at] == ")"
        depth -= head[at] == "("
        if depth == 0:
            name = _NAME_BEFORE_PAREN.search(head[:at])
            return (name.group(1), head[at + 1:-1]) if name else None
    return None


def find_functions(code):
    """Every function definition at file scope of blanked code."""
    code = _PREPROCESSOR.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), code)
    functions, at, head_start = [], 0, 0
    while at < len(code):
        char = code[at]
        if char in ";}":
            head_start = at + 1
        elif char == "{":
            end = _matching(code, at, "{", "}")
            head = code[head_start:at]
            signature = _signature(head)
            if signature is not None:
                first = head_start + len(head) - len(head.lstrip())
                functions.append(Function(
                    signature[0], code.count("\n", 0, first) + 1, code.count("\n", 0, end) + 1,
                    split_parameters(signature[1]), code[at:end + 1],
                    code.count("\n", 0, at) + 1))
                head_start = end + 1
            at = end
        at += 1
    return functions


def _is_script(folder, name):
    if name.endswith(SCRIPT_SUFFIXES) or name == "meson.build":
        return True
    with open(os.path.join(folder, name), "rb") as handle:
        return handle.read(2) == b"#!"


def read_tree(root):
    """All files that the rules read: those of the product's folders, and the root's own."""
    files = []

    def add(folder, name):
        full = os.path.join(folder, name)
        if not os.path.isfile(full) or os.path.islink(full):
            return
        if not name.endswith(C_SUFFIXES) and not _is_script(folder, name):
            return
        with open(full, encoding="utf-8", errors="replace") as handle:
            files.append(File(os.path.relpath(full, root).replace(os.sep, "/"), handle.read()))

    for name in sorted(os.listdir(root)):
        add(root, name)
    for top in FOLDERS:
        for folder, folders, names in sorted(os.walk(os.path.join(root, top))):
            folders[:] = [name for name in folders
                          if not name.startswith(("build", ".")) and name != "__pycache__"]
            for name in sorted(names):
                add(folder, name)
    return files
