#!/usr/bin/env python3
"""Runs a command in a network of its own in which every packet is recorded.

    recorded.py [--report FILE] [--leaving-only] [--local ADDRESS]... [--may-reach ADDRESS]... -- COMMAND...

The network has a loopback, and a way out that leads nowhere: what is sent there
is written down and lost. `--local` gives the machine a further address. The
report has one JSON object for each packet, loopback included unless what leaves is
all that is wanted: the interface, the protocol, and the address and port that it
goes to. COMMAND runs as whoever started this.

It ends as COMMAND ends, but with 3 when a packet left for an address that no
`--may-reach` names, and with 77 when this machine lets nobody make networks.
"""

import argparse
import ipaddress
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading

CANNOT = 77
LEFT = 3
ETH_P_ALL = 0x0003
ETH_P_IP = 0x0800
ETH_P_IPV6 = 0x86DD
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
OUTGOING = (socket.PACKET_OUTGOING,)


def cannot(why):
    print(f"not recorded: {why}", file=sys.stderr)
    sys.exit(CANNOT)


def enter(arguments):
    """Starts this program again in a network of its own."""
    for tool in ("unshare", "ip"):
        if shutil.which(tool) is None:
            cannot(f"`{tool}` is not installed")
    own = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    as_before = ["--as", f"{os.geteuid()}:{os.getegid()}"]
    if subprocess.run(own + ["true"], capture_output=True).returncode != 0:
        cannot("this machine does not let us make a network of our own")
    sys.exit(
        subprocess.run(own + [sys.executable, os.path.abspath(__file__), "--inside"] + as_before + arguments).returncode
    )


def as_before(who):
    """What runs a command as whoever that was, who is root in this network."""
    user, group = who.split(":")
    if user == "0":
        return []
    words = ["unshare", f"--map-user={user}", f"--map-group={group}"]
    if subprocess.run(words + ["true"], capture_output=True).returncode != 0:
        cannot("this machine does not let us be ourselves in a network of our own")
    return words


def build(local):
    def ip(*words):
        return subprocess.run(["ip", *words], capture_output=True, text=True)

    def must(*words):
        done = ip(*words)
        if done.returncode != 0:
            cannot(f"`ip {' '.join(words)}` says: {done.stderr.strip()}")

    must("link", "set", "lo", "up")
    # A cable that nobody reads at its other end, and that needs no neighbour's
    # answer: what is sent into it is lost. Not every kernel has the first kind.
    if ip("link", "add", "out0", "type", "dummy").returncode != 0:
        must("link", "add", "out0", "type", "veth", "peer", "name", "end0")
        must("link", "set", "end0", "arp", "off", "up")
    must("link", "set", "out0", "arp", "off", "up")
    must("addr", "add", "203.0.113.2/24", "dev", "out0")
    for address in local:
        must("addr", "add", f"{address}/32", "dev", "out0")
    must("route", "add", "default", "via", "203.0.113.1")
    if os.path.exists("/proc/net/if_inet6"):
        must("-6", "addr", "add", "2001:db8::2/64", "dev", "out0", "nodad")
        must("-6", "route", "add", "default", "dev", "out0")


def goes_to(protocol, packet):
    """The protocol, the address and the port of an IP packet; none for others."""
    if protocol == ETH_P_IP and len(packet) >= 20:
        inner, after = packet[9], (packet[0] & 15) * 4
        to = socket.inet_ntop(socket.AF_INET, packet[16:20])
    elif protocol == ETH_P_IPV6 and len(packet) >= 40:
        inner, after = packet[6], 40
        to = socket.inet_ntop(socket.AF_INET6, packet[24:40])
    else:
        return None
    port = struct.unpack_from("!H", packet, after + 2)[0] if inner in (6, 17) and len(packet) >= after + 4 else 0
    return {"protocol": PROTOCOLS.get(inner, str(inner)), "to": to, "port": port}


class Recorder(threading.Thread):
    def __init__(self, device):
        super().__init__(daemon=True)
        # Cooked, so that each packet begins with its IP header on every interface.
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        if device is not None:
            self.socket.bind((device, ETH_P_ALL))
        self.socket.settimeout(0.2)
        self.ended = threading.Event()
        self.packets = []

    def run(self):
        while True:
            try:
                packet, (device, protocol, kind, *_) = self.socket.recvfrom(128)
            except TimeoutError:
                # Only when nothing is under way any more.
                if self.ended.is_set():
                    return
                continue
            found = goes_to(protocol, packet) if kind in OUTGOING else None
            if found is not None:
                self.packets.append({"device": device, **found})

    def dropped(self):
        # struct tpacket_stats: packets seen, packets dropped.
        return struct.unpack("II", self.socket.getsockopt(263, 6, 8))[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--as", dest="who", default="0:0", help=argparse.SUPPRESS)
    parser.add_argument("--leaving-only", action="store_true")
    parser.add_argument("--report")
    parser.add_argument("--local", action="append", default=[])
    parser.add_argument("--may-reach", action="append", default=[])
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    if not asked.inside:
        enter(sys.argv[1:])

    build(asked.local)
    ourselves = as_before(asked.who)
    recorder = Recorder("out0" if asked.leaving_only else None)
    recorder.start()
    ended = subprocess.run(ourselves + asked.command).returncode
    recorder.ended.set()
    recorder.join()
    if recorder.dropped():
        print(f"not recorded: {recorder.dropped()} packets came too fast", file=sys.stderr)
        sys.exit(LEFT)
    if asked.report:
        with open(asked.report, "w", encoding="utf-8") as report:
            report.writelines(json.dumps(packet) + "\n" for packet in recorder.packets)

    allowed = {ipaddress.ip_address(address) for address in asked.may_reach}

    def left(packet):
        to = ipaddress.ip_address(packet["to"])
        # Interfaces greet their neighbours by multicast; that is the kernel's own.
        return packet["device"] == "out0" and not to.is_multicast and to not in allowed

    strangers = sorted({f"{p['protocol']} to {p['to']} port {p['port']}" for p in recorder.packets if left(p)})
    for stranger in strangers:
        print(f"a packet left: {stranger}", file=sys.stderr)
    sys.exit(ended or (LEFT if strangers else 0))


main()
