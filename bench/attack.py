#!/usr/bin/env python3
"""attack.py - a user's login, reading and delivery while attacks are made of quantity run (tests/e2e/siege.py): the 99th percentile of each.

  bench/attack.py [--seconds N] [--only ATTACK,…] [--program FILE]

As root, loopback only. Prints the table of docs/security.md; ends with status 1 when a percentile is a second or more."""
import argparse
import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
LIMIT = 1.0
HEAD = "| row | attack | strikes a second | login | fetch | delivery |\n|---|---|---|---|---|---|"


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--only")
    p.add_argument("--program", default=str(TOP / "build-release/postern"))
    return p.parse_args()


def main():
    args = arguments()
    os.environ["POSTERN"] = args.program
    sys.path[:0] = [str(TOP / "tests/lib"), str(TOP / "tests/e2e")]
    import siege
    from postern_site import Site

    attacks = [a for a in siege.ATTACKS if not args.only or a.__name__ in args.only.split(",")]
    slow = 0
    print(HEAD)
    for how in [None, *attacks]:
        with Site(siege.USERS, extra=siege.CONF) as site:  # hashes cost what they cost
            site.start()
            user = siege.Neighbour(site)
            if how is None:
                user.work(args.seconds)
                row, title, rate = "–", "nobody attacks", "–"
            else:
                with siege.Siege(site, how) as enemy:
                    user.work(args.seconds)
                row, title, rate = how.__name__[:3].upper(), how.__doc__.rstrip("."), f"{enemy.strikes / args.seconds:.0f}"
            times = [siege.p99(values) for values in user.times.values()]
            slow += sum(t >= LIMIT for t in times) + len(user.failures)
            print(f"| {row} | {title} | {rate} |", " | ".join(f"{1000 * t:.0f} ms" for t in times), "|", *user.failures[:2], flush=True)
    print(f"load average {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
