#!/usr/bin/env python3
"""What a stranger sends who knows the cluster's name and nothing else: tests/cluster/bounds.

usage: attacks.py ATTACK CLUSTER ADDRESS:PORT... (nodes in their order, the leader first)
Prints one line, NAME=VALUE ..., of what was sent and what was answered.
"""

import os
import socket
import struct
import sys
import time

HELLO, HELLO_REPLY, WRITE, WRITE_REPLY = 16, 17, 18, 19
READ, READ_REPLY, STATUS, STATUS_REPLY = 20, 21, 22, 23
SET, REGISTER, KEEP_ALIVE, CANCEL = 1, 4, 6, 7
OK = 0
MASK = (1 << 64) - 1
PACKET_PAYLOAD_BYTES = 1396
REPLY_HEADER_BYTES = 72
WAIT_SECONDS = 1.0
PATIENCE_SECONDS = 5.0
REGISTERS = 34  # whose answers fit the smallest packet


def crc_table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def cluster_id(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & MASK
    return value ^ value >> 31


def random_u64():
    return struct.unpack("<Q", os.urandom(8))[0]


class Host:
    """One address, which speaks to one node."""

    def __init__(self, cluster, node):
        self.cluster = cluster_id(cluster)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        address, port = node.rsplit(":", 1)
        self.socket.connect((address, int(port)))
        self.socket.settimeout(WAIT_SECONDS)
        self.number = time.time_ns() // 1000
        self.hello = None
        self.cookie = bytes(16)  # of an address that has not proven itself

    def packet(self, kind, body, piece=0, pieces=1, message=None, size=None):
        head = struct.pack("<2sBBIQHHHHQI4x16s", b"PX", 9, kind, 0, self.cluster, 0, 0, piece,
                           pieces, random_u64() if message is None else message,
                           len(body) if size is None else size, self.cookie)
        crc = crc32c(head + body)
        return head[:4] + struct.pack("<I", crc) + head[8:] + body

    def send(self, kind, body):
        self.socket.send(self.packet(kind, body))

    def receive(self, kind):
        """The body of the next message of the kind; None: none came."""
        data = self.receive_packet(kind)
        return None if data is None else data[56:]

    def receive_packet(self, kind):
        """The next packet of the kind; None: none came."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            try:
                data = self.socket.recv(2048)
            except (TimeoutError, ConnectionRefusedError):
                return None
            if data[3] == kind:
                return data
        return None

    def greet(self, is_older=False):
        """Hello; the reply's fields are kept, and its cookie shown from now on."""
        self.send(HELLO, struct.pack("<Q", random_u64()) + bytes(0 if is_older else 112))
        packet = self.receive_packet(HELLO_REPLY)
        if packet is None:
            sys.exit("attacks: no hello reply")
        self.cookie, body = packet[40:56], packet[56:]
        self.hello = {"incarnation": struct.unpack_from("<Q", body, 8)[0],
                      "commit": struct.unpack_from("<Q", body, 32)[0],
                      "node": struct.unpack_from("<H", body, 56)[0],
                      "series": struct.unpack_from("<Q", body, 88)[0]}
        return self.hello

    def write(self, request, number=None):
        self.number += 1
        self.send(WRITE, struct.pack("<QQI4x", self.number if number is None else number,
                                     self.hello["incarnation"], 0) + request)

    def ask(self, request):
        """Status and body of the answer; None: none came."""
        self.write(request)
        body = self.receive(WRITE_REPLY)
        return None if body is None else (body[46], body)

    def register(self):
        """The id of a new session. A node that is busy, or leads in a moment, is asked again."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            answer = self.ask(request_of(0, 0, [op_of(REGISTER, random_u64() | 1)]))
            if answer is not None and answer[0] == OK:
                return struct.unpack_from("<Q", answer[1], REPLY_HEADER_BYTES + 8)[0]
        sys.exit("attacks: no session is opened")


def op_of(kind, seq, key=b"", value=None, tag=0, node=0, series=None):
    head = struct.pack("<BBHIQIH2x", kind, int(value is not None), len(key), len(value or b""),
                       seq, tag, node)
    return head + (b"" if series is None else struct.pack("<Q", series)) + key + (value or b"")


def request_of(session, floor, ops):
    body = b"".join(ops)
    return struct.pack("<QQHHI", session, floor, len(ops), 0, len(body)) + body


def silence(cluster, nodes):
    """The highest packet number and a huge floor, for every session that there can be."""
    host = Host(cluster, nodes[0])
    commit = host.greet()["commit"]
    sent = 0
    for index in range(1, commit + 1):
        for ordinal in range(2):
            session = index << 12 | ordinal
            host.write(request_of(session, 0, [op_of(KEEP_ALIVE, 0)]), number=MASK)
            host.write(request_of(session, MASK - 1000, [op_of(KEEP_ALIVE, 0)]), number=MASK)
            sent += 2
            if sent % 64 == 0:
                time.sleep(0.002)
    print(f"packets={sent}")


def vanish(cluster, nodes):
    """A cancel of all relaxed writes that the second node will ever take of a key."""
    host, other = Host(cluster, nodes[0]), Host(cluster, nodes[1])
    host.greet()
    target = other.greet()
    session = host.register()
    cancel = op_of(CANCEL, MASK, tag=0, node=target["node"], series=target["series"])
    answer = host.ask(request_of(session, 1, [cancel, op_of(SET, 1, b"vanish/key", b"first")]))
    print(f"status={answer[0]}")


def exhaust(cluster, nodes):
    """A thousand cancels under as many tags; then somebody else needs one."""
    host, other = Host(cluster, nodes[0]), Host(cluster, nodes[1])
    host.greet()
    target = other.greet()

    def cancel(session, seq, tag):
        ops = [op_of(CANCEL, (1 << 41) + seq, tag=tag, node=target["node"],
                     series=target["series"]), op_of(SET, seq, b"exhaust/%d" % tag, b"x")]
        status, body = host.ask(request_of(session, seq, ops))
        return status == OK and body[REPLY_HEADER_BYTES + 24] == 1

    hostile = host.register()
    taken = sum(cancel(hostile, seq, seq) for seq in range(1, 1100))
    honest = host.register()
    print(f"taken={taken} honest={int(cancel(honest, 1, 5000))}")


def halves(cluster, nodes):
    """For four seconds the last pieces of ever new messages of two pieces."""
    host = Host(cluster, nodes[0])
    packets = [host.packet(WRITE, b"end", piece=1, pieces=2, size=PACKET_PAYLOAD_BYTES + 3)
               for _ in range(20000)]
    end = time.monotonic() + 4
    sent = 0
    while time.monotonic() < end:
        host.socket.send(packets[sent % len(packets)])
        sent += 1
    print(f"packets={sent}")


def registers(cluster, nodes):
    """120 packets with many registrations each, from one address."""
    host = Host(cluster, nodes[0])
    host.greet()
    granted = 0
    for _ in range(120):
        ops = [op_of(REGISTER, random_u64() | 1) for _ in range(REGISTERS)]
        answer = host.ask(request_of(0, 0, ops))
        if answer is not None and answer[0] == OK:
            granted += sum(answer[1][REPLY_HEADER_BYTES + 32 * i + 24] == 1
                           for i in range(REGISTERS))
    print(f"asked={120 * REGISTERS} granted={granted}")


def identities(cluster, nodes):
    """Relaxed sets of one key by 1,100 identities, from one address."""
    host = Host(cluster, nodes[0])
    host.greet()
    taken = 0
    for _ in range(1100):
        host.number += 1
        request = request_of(random_u64() >> 1 | 1, 0, [op_of(SET, 1, b"identities/key", b"x")])
        host.send(WRITE, struct.pack("<QQIB3x", host.number, host.hello["incarnation"], 0, 1) +
                  request)
        body = host.receive(WRITE_REPLY)
        taken += body is not None and body[46] == OK
    print(f"asked=1100 taken={taken}")


ATTACKS = {attack.__name__: attack
           for attack in (silence, vanish, exhaust, halves, registers, identities)}

if __name__ == "__main__":
    ATTACKS[sys.argv[1]](sys.argv[2], sys.argv[3:])
