#!/usr/bin/env python3
"""Bytes in and bytes out of one node, for an address that has not proven itself.

usage: amplify.py strict|older CLUSTER ADDRESS:PORT
strict: the node has unproven_rate 0. older: it has the default. Prints a line for each kind of
question; the exit status is not 0 where more came out than may.
"""

import struct
import sys
import time

from attacks import (Host, HELLO, HELLO_REPLY, READ, READ_REPLY, STATUS, STATUS_REPLY, WRITE, op_of,
                     random_u64, request_of, SET)

TRANSFER, MISSING, MEMBERS, REPLACE, CHANGE, BACKUP, COOKIE = 24, 27, 30, 32, 36, 38, 43
SESSIONS, SESSION_END = 52, 54
KEY = b"amplify/large%d"
KEYS = 4
QUIET_SECONDS = 0.2
RATE = 256 << 10


def read_of(keys, is_consistent=False):
    body = struct.pack("<QQIIHB5x", random_u64(), 0, 0, 0, len(keys), int(is_consistent))
    for key in keys:
        body += struct.pack("<QIHH", 0, 0, len(key), 0) + key
    return body


def questions(incarnation):
    """Name, type and body of each kind."""
    large = [KEY % i for i in range(KEYS)]
    write = struct.pack("<QQI4x", random_u64() >> 1, incarnation, 0)
    registration = request_of(0, 0, [op_of(4, random_u64() & ~1) for _ in range(40)])
    relaxed = struct.pack("<QQIB3x", random_u64() >> 1, incarnation, 0, 1)
    return [("hello", HELLO, struct.pack("<Q", random_u64())),
            ("hello_padded", HELLO, struct.pack("<Q112x", random_u64())),
            ("read", READ, read_of(large[:1])),
            ("read_four", READ, read_of(large)),
            ("read_consistent", READ, read_of(large, True)),
            ("write", WRITE, write + registration),
            ("write_relaxed", WRITE, relaxed + request_of(
                random_u64() >> 1 | 1, 0, [op_of(SET, 1, b"amplify/relaxed", b"x")])),
            ("status", STATUS, b""),
            ("transfer", TRANSFER, struct.pack("<QH6x", random_u64(), 200)),
            ("members", MEMBERS, struct.pack("<Q392x", random_u64())),
            ("replace", REPLACE, struct.pack("<QQH6x", random_u64(), 1, 1)),
            ("change", CHANGE, bytes(48)),
            ("backup", BACKUP, struct.pack("<QB7xQ", random_u64(), 1, 0) + bytes(1152)),
            ("sessions", SESSIONS, struct.pack("<Q1144x", random_u64())),
            ("session_end", SESSION_END, struct.pack("<QQ112x", random_u64(), 1)),
            ("missing", MISSING, struct.pack("<QIHHHH", random_u64(), 0, 1, 0, 0, 8))]


def exchange(host, kind, body):
    """Sends it; bytes in, bytes out, and the packets of the answer."""
    packet = host.packet(kind, body)
    host.socket.send(packet)
    host.socket.settimeout(QUIET_SECONDS)
    answers = []
    while True:
        try:
            answers.append(host.socket.recv(2048))
        except TimeoutError:
            return len(packet), sum(map(len, answers)), answers


def cookie_for(name, cluster, node, kind, body):
    """A fresh address: what came in, what went out, and what it got when it asked again."""
    host = Host(cluster, node)
    sent, got, answers = exchange(host, kind, body)
    given = [answer[40:56] for answer in answers if answer[3] in (COOKIE, HELLO_REPLY)]
    print(f"{name:16} in={sent} out={got} ratio={got / sent:.2f}", end="")
    again = 0
    if given:
        host.cookie = given[0]
        _, again, _ = exchange(host, kind, body)
    print(f" with_cookie={again}")
    return got <= sent, again


def strict(cluster, node):
    """No kind of question brings more than it took; with the cookie it is answered."""
    host = Host(cluster, node)
    host.greet()
    kinds = questions(host.hello["incarnation"])
    held, answered = True, {}
    for name, kind, body in kinds:
        is_held, answered[name] = cookie_for(name, cluster, node, kind, body)
        held = held and is_held
    for name in ("hello", "hello_padded", "read", "read_four", "status", "members"):
        if answered[name] <= 56:
            sys.exit(f"amplify: {name} is not answered with a cookie")
    if answered["read_four"] < 30000:
        sys.exit("amplify: a read with a cookie is not answered in full")
    # A cookie is of one address.
    other = Host(cluster, node)
    other.cookie = host.cookie
    sent, got, answers = exchange(other, STATUS, b"")
    held = held and got <= sent and answers[0][3] == COOKIE
    # And a made-up one is none.
    other.cookie = b"\x55" * 16
    sent, got, answers = exchange(other, STATUS, b"")
    held = held and got <= sent and answers[0][3] == COOKIE
    # What it asks for again, of an answer that it was given, needs the cookie, too.
    host.send(READ, read_of([KEY % 0, KEY % 1]))
    message = struct.unpack_from("<Q", host.socket.recv(2048), 24)[0]
    while exchange_rest(host):
        pass
    cookie, host.cookie = host.cookie, bytes(16)
    missing = struct.pack("<QIHHHH", message, 0, 1, 0, 0, 8)
    sent, got, _ = exchange(host, MISSING, missing)
    print(f"missing_of_own   in={sent} out={got}", end="")
    held = held and got == 0
    host.cookie = cookie
    _, got, _ = exchange(host, MISSING, missing)
    print(f" with_cookie={got}")
    if got < 8000:
        sys.exit("amplify: pieces are not sent again to who has a cookie")
    sys.exit(0 if held else "amplify: more came out than went in")


def exchange_rest(host):
    host.socket.settimeout(QUIET_SECONDS)
    try:
        return host.socket.recv(2048)
    except TimeoutError:
        return None


def older(cluster, node):
    """A program of before works, at the pace that the budget has; above it gets no more than it
    sends."""
    host = Host(cluster, node)
    host.greet(is_older=True)
    body = read_of([KEY % 0])
    _, got, answers = exchange(host, READ, body)
    if got < 30000 or answers[0][3] != READ_REPLY:
        sys.exit(f"amplify: a program of before is not answered: {got} bytes")
    _, got, answers = exchange(host, STATUS, b"")
    if not answers or answers[0][3] != STATUS_REPLY:
        sys.exit("amplify: a program of before gets no status")
    sent = got = refused = 0
    begin = time.monotonic()
    host.socket.settimeout(0.002)
    while time.monotonic() < begin + 2:
        packet = host.packet(READ, body)
        host.socket.send(packet)
        sent += len(packet)
        for _ in range(64):
            try:
                answer = host.socket.recv(2048)
            except TimeoutError:
                break
            got += len(answer)
            refused += answer[3] == COOKIE
    budget = RATE * (1 + time.monotonic() - begin)
    print(f"older            in={sent} out={got} refused={refused} budget={budget:.0f}")
    if got > sent + budget or refused == 0 or got < RATE:
        sys.exit("amplify: the budget is not kept")


if __name__ == "__main__":
    {"strict": strict, "older": older}[sys.argv[1]](sys.argv[2], sys.argv[3])
