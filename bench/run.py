#!/usr/bin/env python3
"""run.py - postern beside Postfix+Dovecot, in the same run, on the same disk, in turns.

  bench/run.py [--quick] [--rounds N] [--only PART,…] [--alone] [--program FILE] [--write FILE]

As root on Debian: it installs what is missing (postfix, dovecot-imapd, dovecot-lmtpd, linux-perf; no service is started), mounts an
image of its own and works there; loopback only. PARTs: mail, flushes, memory, latency, handshake, mailbox. --alone: without the peers.
--write: the tables as Markdown, for docs/bench.md."""

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
PACKAGES = {"postfix": "postfix", "dovecot": "dovecot-imapd dovecot-lmtpd", "perf": "linux-perf", "mkfs.ext4": "e2fsprogs", "cc": "gcc"}


def arguments():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--quick", action="store_true")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--only", default="mail,flushes,memory,latency,handshake,mailbox")
    p.add_argument("--alone", action="store_true")
    p.add_argument("--program", default=str(TOP / "build-release/postern"))
    p.add_argument("--write")
    return p.parse_args()


def install():
    """Debian's packages, without letting any of them start a service."""
    missing = [word for program, packages in PACKAGES.items() if shutil.which(program) is None for word in packages.split()]
    if not missing:
        return
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        subprocess.run(["debconf-set-selections"], input="postfix postfix/main_mailer_type select No configuration\n", text=True)
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    finally:
        if ours:
            policy.unlink()


def main():
    args = arguments()
    if os.geteuid() != 0:
        sys.exit("bench/run.py mounts a disk image and installs packages: run it as root")
    if not Path(args.program).exists():
        sys.exit(f"{args.program}: not there; meson setup build-release --buildtype=release && ninja -C build-release")
    os.environ["POSTERN"] = args.program
    sys.path[:0] = [str(TOP / "tests/lib")]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    install()
    os.nice(-15)  # servers and clients alike: less of what else the machine does gets into the numbers

    from machine import Disk
    from measures import PARTS, Bench
    from report import Report

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    disk = Disk()
    bench = None
    try:
        bench = Bench(disk, quick=args.quick, rounds=args.rounds, alone=args.alone)
        report = Report(bench)
        for part in args.only.split(","):
            began = time.monotonic()
            PARTS[part](bench, report)
            print(f"-- {part}: {time.monotonic() - began:.0f} s", file=sys.stderr)
        report.print()
        if args.write:
            report.write(args.write)
    finally:
        if bench is not None:
            bench.close()
        disk.close()


main()
