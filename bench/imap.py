#!/usr/bin/env python3
"""imap.py - postern's IMAP beside Debian's Dovecot, in the same run, on the same disk, in turns.

  bench/imap.py [--quick] [--sizes N,…] [--only ROW,…] [--rounds N] [--sessions N] [--letter-kib N] [--alone] [--program FILE] [--write FILE]

As root on Debian with dovecot-imapd (bench/run.py installs it); it mounts an image of its own and works there; loopback only, always
TLS: postern lets nobody log in without. Default sizes 10000,100000; each message needs 40 KiB of disk in all, a million 40 GB; with
--letter-kib 2, the largest letter, 14 GB: enough for rows that look into no body.
ROWs: the keys in imaprows.py, and view, append, mixed, idle. --quick: 10 000 messages, two rounds, 200 sessions."""

import argparse
import os
import resource
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
# Dovecot has a process per session, and one that idles has an inotify instance, of which Linux gives a user 128: those beyond them look for
# news every 30 s, and a measurement of notices would not end.
PEER_IDLERS = 100
BASE_MIB = 2048  # for what does not grow with the mailbox
MESSAGE_KIB = 40  # twice a message, its rows, what copies leave behind
SMALL_KIB = 14  # the same where no letter is larger than a block


def arguments():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--quick", action="store_true")
    p.add_argument("--sizes", default="10000,100000")
    p.add_argument("--only")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--sessions", type=int, default=5000)
    p.add_argument("--letter-kib", type=int, default=50)
    p.add_argument("--alone", action="store_true")
    p.add_argument("--program", default=str(TOP / "build-release/postern"))
    p.add_argument("--write")
    args = p.parse_args()
    if args.quick:
        args.sizes, args.rounds, args.sessions = "10000", 2, 200
    args.sizes = [int(n) for n in args.sizes.split(",")]
    return args


def rows_of_mailboxes(servers, args, keys, table):
    import imaprows

    if not keys & {row.key for row in imaprows.ROWS}:
        return
    for count in args.sizes:
        part = f"{count} messages, ms"
        began = time.monotonic()
        imaprows.measure(servers, count, keys, args.rounds,
                         lambda row, got, part=part: table.add(part, row.words, got, "ms", row.wanted, row.limit), args.letter_kib)
        print(f"-- {count} messages: {time.monotonic() - began:.0f} s", file=sys.stderr)


def in_turns(servers, rounds, measure):
    import statistics

    results = {s.name: [] for s in servers}
    for _ in range(rounds):
        for s in servers:
            results[s.name].append(measure(s))
    return {name: {key: statistics.median(r[key] for r in runs) for key in runs[0]} for name, runs in results.items()}


def rows_of_sessions(servers, args, keys, table):
    import imapload

    part = "Many sessions"
    loads = [("append", "APPEND of 4 KB, 1 client", imapload.appends, 1, 1000, 1.2, None),
             ("append", "APPEND of 4 KB, 20 clients", imapload.appends, 20, 4000, 2, None),
             ("mixed", "mixed, 20 sessions", imapload.mixed, 20, 9000, 2, 2)]
    if keys & {"append", "mixed"}:
        imapload.prepare(servers)
    for key, words, kind, sessions, operations, wanted, wanted_cpu in loads:
        if key in keys:
            got = in_turns(servers, min(args.rounds, 3), lambda s, k=kind, n=sessions, o=operations: imapload.load(s, k, n, o))
            table.add(part, f"{words}, per second", got, "rate", wanted, more_is_better=True)
            table.add(part, f"{words}, CPU-s per 1000", got, "cpu", wanted_cpu)


def rows_of_idlers(servers, args, keys, table):
    import imapload

    if "idle" not in keys:
        return
    for server in servers:
        server.stop()
        server.start()
    counts = {s.name: args.sessions if s is servers[0] else min(args.sessions, PEER_IDLERS) for s in servers}
    got = {s.name: imapload.idle(s, counts[s.name], 40) for s in servers}
    part = "In IDLE over TLS, with " + ", ".join(f"{counts[s.name]} sessions ({s.name})" for s in servers)
    table.add(part, "KiB PSS of a session", got, "each", limit=20)
    table.add(part, "of it what a session without TLS would be (store)", {"postern": got["postern"]}, "store", limit=6)
    table.add(part, "OK of an APPEND to EXISTS in another session, median ms", got, "from ok", limit=5)
    table.add(part, "APPEND sent to EXISTS in another session, median ms", got, "from sent")


def run(disk, args):
    import imaprows
    from imapload import IDLERS, SMALL, USERS
    from imapservers import Dovecot, ImapPostern
    from imaptable import Table
    from letters import fill

    keys = set(args.only.split(",")) if args.only else {row.key for row in imaprows.ROWS} | {"append", "mixed", "idle"}
    users = [*USERS, *IDLERS, *(f"{letter}{n}" for n in args.sizes for letter in "mf")]
    servers = [ImapPostern(disk, users)]
    try:
        if not args.alone:
            servers.append(Dovecot(disk, users, own_certificate(disk)))
        for user in USERS + IDLERS:
            fill([s.place(user) for s in servers], SMALL if user in USERS else 10)
        for s in servers:
            s.start()
        table = Table(servers, args.write)
        rows_of_mailboxes(servers, args, keys, table)
        rows_of_sessions(servers, args, keys, table)
        rows_of_idlers(servers, args, keys, table)
        print(table.markdown())
    except BaseException:
        print(servers[0].site.log_tail(), file=sys.stderr)
        raise
    finally:
        for s in servers:
            s.close()


def own_certificate(disk):
    import subprocess

    cert, key = disk.dir / "peer.pem", disk.dir / "peer.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=peer.test", "-out", cert, "-keyout", key], check=True, capture_output=True)
    return cert, key


def main():
    args = arguments()
    if os.geteuid() != 0:
        sys.exit("bench/imap.py mounts a disk image: run it as root")
    if not Path(args.program).exists():
        sys.exit(f"{args.program}: not there; meson setup build-release --buildtype=release && ninja -C build-release")
    os.environ["POSTERN"] = args.program
    sys.path[:0] = [str(TOP / "tests/lib")]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.nice(-15)  # servers and clients alike: less of what else the machine does gets into the numbers

    from machine import Disk

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    disk = Disk(BASE_MIB + sum(args.sizes) * (MESSAGE_KIB if args.letter_kib > 3 else SMALL_KIB) // 1024)
    try:
        run(disk, args)
    finally:
        disk.close()


main()
