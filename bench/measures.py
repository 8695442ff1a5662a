"""What is measured. Each part runs every server in turn, round by round, and gives its medians to the report."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import client
from machine import Flushes, trace_points
from servers import BIG, DOMAIN, IDLERS, USERS, Peers, Postern, count_files

SETTLE_SECONDS = 1.5  # after a load: what is done in the background belongs to it
DELIVERED_SECONDS = 120


def median(values):
    return statistics.median(values)


class Bench:
    def __init__(self, disk, quick, rounds, alone):
        self.disk = disk
        self.quick = quick
        self.rounds = rounds
        self.load = disk.dir / "smtp_load"
        subprocess.run(["cc", "-O2", "-o", self.load, Path(__file__).parent / "smtp_load.c"], check=True)
        self.servers = [Postern(disk)]
        try:
            self.servers[0].start()
            if not alone:
                self.servers.append(Peers(disk, self.servers[0].certificate()))
                self.servers[1].start()
        except BaseException:
            self.close()
            raise

    def each(self, rounds, measure, *args):
        """{server name: [what measure(server, *args) gave, …]}, A B A B."""
        results = {s.name: [] for s in self.servers}
        for _ in range(rounds):
            for s in self.servers:
                os.sync()  # what others have written is not to be paid for in the round
                results[s.name].append(measure(s, *args))
        return results

    def medians(self, rounds, measure, *args):
        """{server name: {key: median}} of a measure that gives a dictionary."""
        results = self.each(rounds, measure, *args)
        return {name: {key: median([r[key] for r in rows]) for key in rows[0]} for name, rows in results.items()}

    def send(self, server, connections, messages, size, users=USERS):
        """Seconds until the last message is in its mailbox."""
        directories = server.maildirs(users)
        due = count_files(directories) + messages
        began = time.monotonic()
        done = subprocess.run([self.load, "127.0.0.1", str(server.smtp), str(connections), str(messages), str(size), "sender@load.test",
                               *[f"{u}@{DOMAIN}" for u in users]], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{server.name}: {done.stdout}{done.stderr}")
        while count_files(directories) < due:
            if time.monotonic() - began > DELIVERED_SECONDS:
                raise RuntimeError(f"{server.name}: {due - count_files(directories)} messages did not arrive")
            time.sleep(0.01)
        return time.monotonic() - began, float(done.stdout.split()[3])

    def close(self):
        for s in self.servers:
            s.close()


# --- accept and deliver

def send_once(server, bench, connections, messages, size):
    cpu = server.group.cpu_seconds()
    seconds, quantile = bench.send(server, connections, messages, size)
    time.sleep(SETTLE_SECONDS)
    return {"rate": messages / seconds, "cpu": (server.group.cpu_seconds() - cpu) / messages * 1000, "median ms": quantile}


def mail(bench, report):
    sizes = [(4096, {1: 400, 20: 2000, 100: 3000}), (65536, {1: 200, 20: 800, 100: 1000})]
    for size, loads in sizes:
        for connections, messages in loads.items():
            if bench.quick:
                messages //= 2
            for server in bench.servers:  # not counted: first files, first processes
                bench.send(server, connections, 100, size)
            got = bench.medians(bench.rounds, send_once, bench, connections, messages, size)
            where = f"{size // 1024} KiB, {connections} connection{'s' * (connections > 1)}"
            report.add("Accept and deliver", f"messages/s, {where}", got, "rate", "{:.0f}", more_is_better=True)
            report.add("Accept and deliver", f"CPU-s per 1000, {where}", got, "cpu", "{:.3f}")
            report.add("Accept and deliver", f"connect to 250, {where}, ms", got, "median ms", "{:.1f}")


def flushes_once(server, bench, connections, messages):
    counting = Flushes(server.group.pids())
    time.sleep(1)
    bench.send(server, connections, messages, 4096)
    time.sleep(SETTLE_SECONDS)
    counts = counting.stop()
    print(f"   {server.name}, {connections} connections, {messages} messages: {counts}", file=sys.stderr)
    return {"flushes": sum(counts.values()) / messages}


def flushes(bench, report):
    if not trace_points():
        print("no trace points of the kernel here: flushes are not counted", file=sys.stderr)
        return
    for connections, messages in {1: 100, 20: 500, 100: 1000}.items():
        got = bench.medians(1 if bench.quick else bench.rounds, flushes_once, bench, connections, messages)
        report.add("Flushes", f"per message, {connections} connection{'s' * (connections > 1)}", got, "flushes", "{:.2f}")


# --- memory

def fill(bench):
    """The mailboxes of the parts below, by delivery."""
    idle, big = (100, 1000) if bench.quick else (1000, 10000)
    for server in bench.servers:
        have = count_files(server.maildirs([BIG]))
        if have < big:
            bench.send(server, 20, big - have, 4096, [BIG])
            bench.send(server, 20, idle * len(IDLERS), 4096, IDLERS)


def idle_once(server, sessions):
    """KiB for each further session; the first of every user has loaded what the sessions of a user share."""
    first = [client.idle_session(server, user) for user in IDLERS]
    time.sleep(2)
    before, roles = server.group.pss_kib(), server.group.pss_by_role()
    more = [client.idle_session(server, IDLERS[i % len(IDLERS)]) for i in range(sessions)]
    time.sleep(2)
    after = server.group.pss_by_role()
    grown = {role: round((after[role] - roles.get(role, 0)) / sessions, 1) for role in after if after[role] - roles.get(role, 0) > sessions}
    print(f"   {server.name}, {sessions} sessions: KiB each {grown}", file=sys.stderr)
    each = (server.group.pss_kib() - before) / sessions
    for s in [*first, *more]:
        s.close()
    time.sleep(3)
    return {"each": each}


def memory(bench, report):
    fill(bench)
    for server in bench.servers:
        server.stop()
        server.start()
    time.sleep(3)
    got = bench.medians(1, lambda s: {"pss": s.group.pss_kib() / 1024})
    report.add("Memory", f"server after start, {len(USERS) * 2 + 1} users, MiB PSS", got, "pss", "{:.1f}")
    for server in bench.servers:
        print(f"   {server.name}: KiB {server.group.pss_by_role()}", file=sys.stderr)
    for sessions in (100, 1000):
        got = bench.medians(1, idle_once, sessions)
        report.add("Memory", f"KiB PSS per idle session (TLS, IDLE), {sessions} sessions", got, "each", "{:.1f}")


# --- latency

def latency(bench, report):
    count = 50 if bench.quick else 200
    got = bench.medians(1, lambda s: client.delivery_latency(s, USERS[0], count if s is bench.servers[0] else count // 4))
    report.add("Latency", "250 to EXISTS at an IDLE client, median ms", got, "from 250", "{:.2f}")
    report.add("Latency", "last byte sent to EXISTS, median ms", got, "from sent", "{:.2f}")


def handshake_once(server, count):
    """CPU ms of a TLS connection that is greeted and closed, and of the same without TLS."""
    spent = []
    for connect in (client.greeting_over_tls, client.greeting):
        for round_ in (20, count):
            time.sleep(1)
            cpu = server.group.cpu_seconds()
            for _ in range(round_):
                connect(server)
        time.sleep(1)
        spent.append((server.group.cpu_seconds() - cpu) / count * 1000)
    return {"tls": spent[0], "handshake": spent[0] - spent[1]}


def handshake(bench, report):
    got = bench.medians(bench.rounds, handshake_once, 100 if bench.quick else 300)
    report.add("TLS", "full handshake, CPU ms", got, "handshake", "{:.2f}")
    report.add("TLS", "connection, full handshake, greeting, close, CPU ms", got, "tls", "{:.2f}")


# --- a large mailbox

def mailbox_once(server):
    session = client.Session(server, BIG)
    took = {}
    for name, command in (("select", "SELECT INBOX"), ("flags", "FETCH 1:* (UID FLAGS)"), ("envelope", "FETCH 1:* (ENVELOPE)")):
        cpu, began = server.group.cpu_seconds(), time.monotonic()
        session.command(command)
        took[name] = (time.monotonic() - began) * 1000
        took[name + " cpu"] = (server.group.cpu_seconds() - cpu) * 1000
    session.close()
    return took


def mailbox(bench, report):
    fill(bench)
    bench.each(2, mailbox_once)  # warm: indexes and caches are written
    got = bench.medians(max(bench.rounds, 5), mailbox_once)
    n = "1000" if bench.quick else "10 000"
    for key, words in (("select", "SELECT"), ("flags", "FETCH 1:* (UID FLAGS)"), ("envelope", "FETCH 1:* (ENVELOPE)")):
        report.add(f"A mailbox of {n} messages, warm", f"{words}, ms", got, key, "{:.1f}")
        report.add(f"A mailbox of {n} messages, warm", f"{words}, CPU ms of the server", got, key + " cpu", "{:.1f}")


PARTS = {"mail": mail, "flushes": flushes, "memory": memory, "latency": latency, "handshake": handshake, "mailbox": mailbox}
