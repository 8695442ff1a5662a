#!/usr/bin/env python3
"""logins.py - can a stranger tell by the time whether an account exists? Wrong passwords for names that exist and names that do not.

  bench/logins.py [--pairs N] [--only TEXT] [--program FILE]

As root, loopback only. Each trial is a pair on one connection from an address of its own: one name that exists and one that does not, in
random order, so that whatever else the machine does meets both alike. What is said has to be the same; the times of a row are compared
by the signed ranks of their differences (Wilcoxon). A row whose p is below 0.001 in a first run and in a second one can be told apart.
The last rows are there to be told apart: they show what the measurement sees.

Ends with status 1 when a row can be told apart that should not, or the other way round."""
import argparse
import base64
import math
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
P_LIMIT = 0.001
FREE = 3  # failures of an account that cost it nothing; a restart forgets them
DECOMPOSED = "wrong cafe\u0301"
HEAD = ("| how | password | pairs | exists | does not | difference (95 %) | p |\n"
        "|---|---|---|---|---|---|---|")


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pairs", type=int, default=300)
    p.add_argument("--only", default="")
    p.add_argument("--program", default=str(TOP / "build-release/postern"))
    return p.parse_args()


# --- one connection


class Client:
    """TLS to a service, from the n-th loopback address: each has its own count of failures."""
    numbers = iter(range(1 << 16, 1 << 24))

    def __init__(self, site, service):
        n = next(self.numbers)
        source = f"127.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255 or 1}"
        plain = socket.create_connection(("127.0.0.1", site.ports[service]), 60, (source, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = site.context.wrap_socket(plain, server_hostname=site.hostname)
        self.rest = b""
        self.line()

    def line(self):
        while b"\n" not in self.rest:
            got = self.file.recv(65536)
            if not got:
                raise EOFError("the server closed")
            self.rest += got
        line, _, self.rest = self.rest.partition(b"\n")
        return line.rstrip(b"\r")

    def say(self, text):
        self.file.sendall(text.encode() + b"\r\n")

    def until(self, *begins):
        while not (line := self.line()).startswith(begins):
            pass
        return line


def base(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def timed(act):
    begin = time.perf_counter()
    said = act()
    return time.perf_counter() - begin, said


# --- how one logs in: a list of (time, what was said), one for each answer


def imap_login(c, name, password):
    c.say(f'a LOGIN "{name}" {{{len(password.encode())}+}}\r\n{password}')
    return c.until(b"a ")


def imap_plain(c, name, password):
    c.say(f"a AUTHENTICATE PLAIN {base(f'{chr(0)}{name}{chr(0)}{password}')}")
    return c.until(b"a ")


def smtp_plain(c, name, password):
    c.say(f"AUTH PLAIN {base(f'{chr(0)}{name}{chr(0)}{password}')}")
    return c.until(b"5", b"4", b"2")


def smtp_login(c, name, password):
    c.say(f"AUTH LOGIN {base(name)}")
    c.until(b"334")
    c.say(base(password))
    return c.until(b"5", b"4", b"2")


def one_answer(act):
    return lambda c, name, password: [timed(lambda: act(c, name, password))]


def scram(begin, go_on, challenge, end):
    """The challenge, and the answer to a proof that is none."""
    def act(c, name, _):
        nonce = base(os.urandom(12))

        def first():
            c.say(begin + base(f"n,,n={name},r={nonce}"))
            return c.until(challenge)

        t1, said = timed(first)
        server = base64.b64decode(said.split(b" ", 1)[1]).decode()
        fields = dict(f.split("=", 1) for f in server.split(","))

        def final():
            c.say(go_on + base(f"c=biws,r={fields['r']},p={base(os.urandom(32))}"))
            return c.until(*end)

        return [(t1, f"i={fields['i']} {len(fields['s'])}".encode()), timed(final)]
    return act


imap_scram = scram("a AUTHENTICATE SCRAM-SHA-256 ", "", b"+ ", (b"a ",))
smtp_scram = scram("AUTH SCRAM-SHA-256 ", "", b"334 ", (b"5", b"4", b"2"))


def greet_smtp(c):
    c.say("EHLO bench")
    c.until(b"250 ")


# service, what it is called, how, password, the names of the answers, whether the two may be told apart
ROWS = [
    ("imaps", "IMAP LOGIN", one_answer(imap_login), "wrong horse", [""], False),
    ("imaps", "IMAP LOGIN", one_answer(imap_login), "", [""], False),
    ("imaps", "IMAP LOGIN", one_answer(imap_login), DECOMPOSED, [""], False),
    ("imaps", "IMAP PLAIN", one_answer(imap_plain), "wrong horse", [""], False),
    ("imaps", "IMAP SCRAM-SHA-256", imap_scram, "wrong horse", [", salt", ", proof"], False),
    ("submissions", "SMTP AUTH PLAIN", one_answer(smtp_plain), "wrong horse", [""], False),
    ("submissions", "SMTP AUTH PLAIN", one_answer(smtp_plain), "", [""], False),
    ("submissions", "SMTP AUTH LOGIN", one_answer(smtp_login), "wrong horse", [""], False),
    ("submissions", "SMTP AUTH SCRAM-SHA-256", smtp_scram, "wrong horse", [", salt", ", proof"], False),
    ("imaps", "imported account, IMAP LOGIN", one_answer(imap_login), "wrong horse", [""], True),
]


# --- statistics


def signed_rank(differences):
    """Wilcoxon's test of paired differences, two-sided, by the normal distribution (many pairs, hardly any ties)."""
    ranked = sorted((d for d in differences if d != 0), key=abs)
    n = len(ranked)
    up = sum(i for i, d in enumerate(ranked, 1) if d > 0)
    z = (up - n * (n + 1) / 4) / math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return math.erfc(abs(z) / math.sqrt(2))


def bounds_of_median(differences):
    """That hold the true median with 95 %: by order, whatever the distribution."""
    ordered, n = sorted(differences), len(differences)
    reach = int(0.98 * math.sqrt(n)) + 1
    return ordered[max(0, n // 2 - reach)], ordered[min(n - 1, n // 2 + reach)]


# --- rows


def trial(site, row, there, nobody):
    """A pair: the answers for the one and the other."""
    service, _, act, password, _, _ = row
    c = Client(site, service)
    if service != "imaps":
        greet_smtp(c)
    names = [there, nobody]
    random.shuffle(names)
    got = {name: act(c, name, password) for name in names}
    c.file.close()
    return got[there], got[nobody]


def measure(site, row, pairs):
    """For each answer: the pairs of times. Words that differ end it at once."""
    there, nobody = (site.imported, site.nobody) if row[-1] else (site.there, site.nobody)
    times = [[] for _ in row[4]]
    for i in range(pairs):
        if i % (FREE * len(there)) == 0:
            start_anew(site)
        known, unknown = trial(site, row, there[i % len(there)], nobody[i % len(nobody)])
        for k, ((a, said_a), (b, said_b)) in enumerate(zip(known, unknown)):
            if said_a != said_b:
                raise SystemExit(f"{row[1]}: {said_a!r} for a name that exists, {said_b!r} for one that does not")
            times[k].append((a, b))
    return times


def report(row, suffix, times):
    differences = [a - b for a, b in times]
    low, high = bounds_of_median(differences)
    p = signed_rank(differences)
    shown = {"": "none", DECOMPOSED: "decomposed"}.get(row[3], "wrong")
    print(f"| {row[1]}{suffix} | {shown} | {len(times)} | {1000 * statistics.median(a for a, _ in times):.3f} ms |"
          f" {1000 * statistics.median(b for _, b in times):.3f} ms | {1e6 * low:+.0f} to {1e6 * high:+.0f} us | {p:.3g} |", flush=True)
    return p


def judge(site, row, pairs):
    """How many answers of the row are not what they should be."""
    wrong = 0
    values = [report(row, suffix, times) for suffix, times in zip(row[4], measure(site, row, pairs))]
    if min(values) < P_LIMIT and not row[-1]:  # once in a thousand that is chance
        again = [report(row, suffix + ", again", times) for suffix, times in zip(row[4], measure(site, row, 2 * pairs))]
        wrong = sum(p < P_LIMIT and q < P_LIMIT for p, q in zip(values, again))
    elif row[-1]:
        wrong = min(values) >= P_LIMIT
    return wrong


# --- the site


def add_accounts(site, n):
    """Names in turn exist or do not; a few exist with another system's hash."""
    names = [f"user{i:05}@{site.domain}" for i in range(2 * n)]
    random.shuffle(names)
    site.there, site.nobody = names[:n], names[n:]
    for name in site.there:
        site.add_user(name)
    site.imported = [f"moved{i:04}@{site.domain}" for i in range(40)]
    crypt = subprocess.run(["openssl", "passwd", "-6", "-salt", "saltsalt", "secret"], capture_output=True, text=True, check=True).stdout
    for name in site.imported:
        site.postern("user", "add", name, "--hash-stdin", stdin=crypt)


def start_anew(site):
    site.stop()
    site.start()
    site.context = site.tls()


def main():
    args = arguments()
    os.environ["POSTERN"] = args.program
    sys.path[:0] = [str(TOP / "tests/lib"), str(TOP / "tests/e2e")]
    from postern_site import Site

    wrong = 0
    with Site((), extra="limits { connections_per_source = 1000 }") as site:
        add_accounts(site, (args.pairs + FREE - 1) // FREE)
        print(HEAD)
        for row in ROWS:
            if args.only in row[1]:
                wrong += judge(site, row, args.pairs)
    print(f"load average {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
