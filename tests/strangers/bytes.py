"""Any bytes, through each form of input and output of `pollux`: tests/strangers/bytes."""

import base64
import json
import os
import pathlib
import pty
import subprocess
import sys

WORK = pathlib.Path(sys.argv[1])
POLLUX = sys.argv[2:]
ODD = [b"plain", b"a\0b", b"two\nlines", b"tab\there", b"\x1b[31mred\x1b[0m\r", b"-", b"--", b"-x",
       b"\\x41", "ключ €".encode(), "\u009b31m".encode(), b"\xff\xfe", b"\x7f", b"\xc3",
       bytes(range(256))]
VALUES = [b"", b"\n", b"x" * 5000 + b"\0"] + ODD


def run(*arguments, stdin=b""):
    done = subprocess.run([*POLLUX, *arguments], input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{arguments} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def escaped(some):
    return "".join(f"\\x{byte:02x}" for byte in some)


def shown(text):
    """What an escaped field stands for."""
    done, at = bytearray(), 0
    while at < len(text):
        if text[at:at + 2] == b"\\x":
            done.append(int(text[at + 2:at + 4], 16))
            at += 4
        else:
            done.append(text[at])
            at += 1
    return bytes(done)


def on_terminal(*arguments):
    """All that a terminal gets, of both streams."""
    outer, terminal = pty.openpty()
    child = subprocess.Popen([*POLLUX, *arguments], stdout=terminal, stderr=terminal)
    os.close(terminal)
    got = bytearray()
    while True:
        try:
            piece = os.read(outer, 65536)
        except OSError:
            break
        if not piece:
            break
        got += piece
    os.close(outer)
    child.wait()
    return bytes(got)


def of_json(answer, name):
    if name in answer:
        return answer[name].encode()
    return base64.b64decode(answer[name + "_base64"])


def obeyed(output):
    """Control characters, but for the ends of lines and tabs."""
    text = output.replace(b"\r\n", b"\n").decode("utf-8")
    return [one for one in text if one not in "\n\t" and (ord(one) < 32 or 127 <= ord(one) < 160)]


def check(key, value):
    word = escaped(key)
    run("--escaped", "set", word, escaped(value))
    assert run("--escaped", "get", "--raw", word) != b"" or value == b"", (key, value)
    assert shown(run("--escaped", "get", "--raw", word)) == value, (key, value)
    answer = json.loads(run("-o", "json", "--escaped", "get", word))
    assert of_json(answer, "value") == value and of_json(answer, "key") == key, (key, value)
    rows = run("-o", "table", "--escaped", "get", word).split(b"\n")
    assert rows[0][:15] == b"key            " and shown(rows[0][15:]) == key, rows
    assert rows[2][:15] == b"value          " and shown(rows[2][15:]) == value, rows
    for form in ("plain", "table", "json"):
        output = on_terminal("--escaped", "-o", form, "get", word)
        assert not obeyed(output), (form, output)


def check_operand(key, value):
    """As a script does it: bytes as they are, where the command line can carry them."""
    run("set", "--", os.fsdecode(key), "-", stdin=value)
    assert run("get", "--raw", "--", os.fsdecode(key)) == value, (key, value)
    assert run("get", "--", os.fsdecode(key)) == value + b"\n", (key, value)
    assert not obeyed(on_terminal("get", "--", os.fsdecode(key))), (key, value)
    assert not obeyed(on_terminal("swap", "--", os.fsdecode(key), "new", "old")), (key, value)


def check_files():
    """load and check, with and without escapes."""
    pairs = WORK / "odd"
    pairs.write_text("".join(f"{escaped(b'f' + key)}\t{escaped(key)}\n" for key in ODD))
    run("--escaped", "load", str(pairs))
    run("--escaped", "check", "-", stdin=pairs.read_bytes())
    for key in ODD:
        assert shown(run("--escaped", "get", "--raw", escaped(b"f" + key))) == key, key
    pairs.write_bytes(b"".join(b"g\x1b" + key.replace(b"\t", b"") + b"\t" + key + b"\n"
                               for key in ODD if b"\n" not in key))
    run("load", str(pairs))
    run("check", str(pairs))
    pairs.write_bytes(b"g\x1bplain\tother\nno\x1btab\n")
    assert not obeyed(on_terminal("check", str(pairs)))
    pairs.write_bytes(b"g\x1bplain\tother\n")
    assert not obeyed(on_terminal("check", str(pairs)))


def check_messages():
    """What a message quotes."""
    for words in (("get", "no\x1b[2Jkey"), ("\x1b[2J",), ("--\x1b[2J",), ("load", "\x1b[2J"),
                  ("logs", "take", "--server", "s", "--file", "a", "--odd", "\x1b[2J"),
                  ("logs", "confirm", "--server", "s", "\x1b[2J"), ("resolve", "\x1b[2J"),
                  ("get", "a", "\x1b[2J"), ("-e", "\x1b[2J:1", "get", "a")):
        output = on_terminal(*words)
        assert b"\\x1b[2J" in output and not obeyed(output), output


for number, odd in enumerate(ODD):
    check(odd, VALUES[number])
    check(b"key", VALUES[-number - 1])
for number, odd in enumerate(one for one in ODD if b"\0" not in one):
    check_operand(odd, VALUES[number])
check_files()
check_messages()
