#!/usr/bin/env python3
"""relay.py - mail that is passed on: postern, Postfix and Exim take it from a load and hand it to a sink, in turns A B C A B C,
in the same run on the same disk.

  bench/relay.py [--quick] [--rounds N] [--servers postern,postfix,exim] [--program FILE] [--write FILE]

As root on Debian: it mounts an image of its own and fetches the packages of Postfix and Exim without installing them; loopback only.
A round ends when the sink has taken the last message; what is done in a second and a half after that belongs to its CPU time.
--write: the table as Markdown, for docs/bench.md."""

import argparse
import contextlib
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
SETTLE_SECONDS = 1.5
ARRIVED_SECONDS = 300
SIZES = (4096, 65536)


def arguments():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--quick", action="store_true")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--servers", default="postern,postfix,exim")
    p.add_argument("--program", default=str(TOP / "build-release/postern"))
    p.add_argument("--write")
    return p.parse_args()


class Sink:
    """smtp_sink, and the connection on which it is asked how much it took."""

    def __init__(self, disk):
        from postern_site import free_ports
        from servers import wait_for_port
        self.port, = free_ports(1)
        self.process = subprocess.Popen([compiled(disk, "smtp_sink"), "127.0.0.1", str(self.port)])
        wait_for_port(self.port)
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.recv(100)

    def count(self):
        self.socket.sendall(b"COUNT\r\n")
        return int(self.socket.recv(100).split()[1])

    def close(self):
        self.process.kill()
        self.process.wait()


def compiled(disk, name):
    program = disk.dir / name
    if not program.exists():
        subprocess.run(["cc", "-O2", "-o", program, HERE / f"{name}.c"], check=True)
    return program


def send(disk, server, sink, connections, messages, size):
    """Seconds until the sink has the last message, the seconds of accepting among them."""
    due = sink.count() + messages
    began = time.monotonic()
    done = subprocess.run([compiled(disk, "smtp_load"), "127.0.0.1", str(server.port), str(connections), str(messages), str(size), "sender@example.test",
                           "someone@elsewhere.test"], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{server.name}: {done.stdout}{done.stderr}")
    accepted = time.monotonic() - began
    while sink.count() < due:
        if time.monotonic() - began > ARRIVED_SECONDS:
            raise RuntimeError(f"{server.name}: {due - sink.count()} messages did not arrive")
        time.sleep(0.005)
    return time.monotonic() - began, accepted


def measured(disk, server, sink, connections, messages, size):
    os.sync()  # what others have written is not to be paid for in the round
    cpu, had = server.group.cpu_seconds(), sink.count()
    seconds, accepted = send(disk, server, sink, connections, messages, size)
    time.sleep(SETTLE_SECONDS)
    if sink.count() != had + messages:
        raise RuntimeError(f"{server.name}: {sink.count() - had} of {messages} messages came")
    return {"messages/s": messages / seconds, "accepted/s": messages / accepted,
            "CPU-s per 1000": (server.group.cpu_seconds() - cpu) / messages * 1000}


def row(what, key, medians, servers, more_is_better):
    values = [medians[s.name][key] for s in servers]
    ratios = [f"{values[0] / v if more_is_better else v / values[0]:.1f}x" for v in values[1:]]
    return [f"{key}, {what}", *[f"{v:.3f}" if v < 10 else f"{v:.0f}" for v in values], *ratios]


def table(disk, servers, sink, args):
    rows = []
    for size in SIZES:
        for connections, messages in ((20, 2000), (100, 3000)):
            messages = messages // (4 if args.quick else 1) // (1 if size == SIZES[0] else 3)
            for server in servers:  # not counted: first processes, first files
                send(disk, server, sink, connections, 100, size)
            results = {s.name: [] for s in servers}
            for _ in range(args.rounds):
                for s in servers:
                    results[s.name].append(measured(disk, s, sink, connections, messages, size))
            medians = {name: {k: statistics.median(r[k] for r in all_) for k in all_[0]} for name, all_ in results.items()}
            what = f"{size // 1024} KiB, {connections} connections"
            for key in ("messages/s", "accepted/s", "CPU-s per 1000"):
                rows.append(row(what, key, medians, servers, "/s" in key))
                print("  ".join(rows[-1]), flush=True)
    return rows


def markdown(rows, servers):
    from machine import described
    load = " ".join(f"{n:.0f}" for n in os.getloadavg())
    names = [s.name for s in servers] + [f"to {s.name}" for s in servers[1:]]
    return "\n".join([f"{described()}; {time.strftime('%Y-%m-%d', time.gmtime())}, load averages at the end {load}; "
                      f"{'; '.join(s.version() for s in servers)}.", "", f"| | {' | '.join(names)} |", "|---|" + "---:|" * len(names),
                      *[f"| {' | '.join(r)} |" for r in rows]]) + "\n"


def main():
    args = arguments()
    if os.geteuid() != 0:
        sys.exit("bench/relay.py mounts a disk image: run it as root")
    os.environ["POSTERN"] = args.program
    sys.path[:0] = [str(TOP / "tests/lib"), str(TOP / "tests/e2e")]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.nice(-15)

    from machine import Disk
    from relays import Exim, Postern, Postfix
    kinds = {"postern": Postern, "postfix": Postfix, "exim": Exim}

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    with contextlib.ExitStack() as ends:
        disk = Disk()
        ends.callback(disk.close)
        sink = Sink(disk)
        ends.callback(sink.close)
        servers = []
        for name in args.servers.split(","):
            servers.append(kinds[name](disk, sink.port))
            ends.callback(servers[-1].close)
            servers[-1].start()
        text = markdown(table(disk, servers, sink, args), servers)
        print(text)
        if args.write:
            Path(args.write).write_text(text)


main()
