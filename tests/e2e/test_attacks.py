"""What an enemy does to a whole server: strangers on the wire, processes that die at the wrong moment, a process that was taken over."""
import os
import signal
import socket
import time

import pytest

import attack


@pytest.fixture
def running():
    """A started site; at its end nothing may have crashed that the test did not kill itself."""
    sites = []

    def start(extra="", **options):
        sites.append(attack.site(extra, **options))
        return sites[-1].start()

    yield start
    for one in sites:
        try:
            attack.assert_sound(one)
        finally:
            one.close()


# --- strangers


@pytest.mark.parametrize("records", [53, 54, 107])
def test_tls_records_that_bring_more_than_one_feed(running, records):
    """Seven records of 10000 bytes fit one turn of a connection: nothing of them may wait for bytes that never come."""
    site = running()
    with site.smtp("submissions") as client:
        client.login("alice@example.test", "alice-secret")
        client.mail("alice@example.test")
        client.rcpt("bob@example.test")
        client.putcmd("DATA")
        assert client.getreply()[0] == 354
        client.sock.settimeout(10)
        client.sock.sendall(b"From: alice@example.test\r\n\r\n")
        for _ in range(records):
            client.sock.sendall((b"y" * 998 + b"\r\n") * 10)
        client.sock.sendall(b".\r\n")
        assert client.getreply()[0] == 250


# --- processes that die


def owner_of(user, processes):
    h = 0xcbf29ce484222325
    for byte in user.encode():
        h = (h ^ byte) * 0x100000001b3 % 2**64
    return h % processes


def pid_of(site, role, index):
    return next((pid for name, i, pid in site.processes() if (name, i) == (role, index)), None)


def kill_until_the_pause_is_long(site, role, index, deaths=5):
    """Each early death doubles the pause before the next start, so that the process is away for a while."""
    for _ in range(deaths):
        site.wait_for(lambda: pid_of(site, role, index) not in (None, *site.killed), 10, f"{role} {index}")
        attack.kill(site, pid_of(site, role, index))


def test_users_of_a_store_that_is_away_belong_to_nobody_else(running):
    site = running("store { processes = 2 }\n", users=("u0", "u1", "u2", "u3", "u4"))
    user = next(f"u{i}@example.test" for i in range(5) if owner_of(f"u{i}@example.test", 2) == 1)
    kill_until_the_pause_is_long(site, "store", 1)
    attack.kill(site, pid_of(site, "queue", 0))
    site.wait_for(lambda: pid_of(site, "queue", 0) not in (None, *site.killed), 10, "queue")
    deadline = time.monotonic() + 20
    while attack.send(site, "x@remote.test", user) != 250:
        assert time.monotonic() < deadline
    site.wait_for(lambda: site.events("deliver", to=user, reply="delivered"), 30, "the delivery")
    other = next(p for p in site.json("status")["processes"] if (p["role"], p["index"]) == ("store", 0))
    assert other["counters"]["delivered"] == 0
