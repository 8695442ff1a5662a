"""The log as a pipe: nothing of it is lost when all goes well, and nobody waits for it when it does not."""
import fcntl
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

import attack
from postern_site import CHEAP_HASHES, LOG_LINE, deadline

MESSAGE = b"Subject: s\r\n\r\ntext\r\n"


@pytest.fixture
def watched():
    """A site whose processes the test may kill."""
    with attack.watched() as site:
        yield site.start()


def traffic(site, stop, taken):
    while not stop.is_set():
        if attack.send(site, "s@remote.test", "bob@example.test") == 250:
            taken.append(1)


def under_traffic(site, what, seconds=1.0):
    """Runs what() while mail comes in; how many messages were taken."""
    stop, taken = threading.Event(), []
    threads = [threading.Thread(target=traffic, args=(site, stop, taken)) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        what()
        time.sleep(seconds)
    finally:
        stop.set()
        for t in threads:
            t.join()
    return len(taken)


def counters(site):
    return next(p for p in site.json("status")["processes"] if p["role"] == "log")["counters"]


def test_a_killed_log_process_costs_no_mail(watched):
    site = watched

    def kill_twice():
        for _ in range(2):
            time.sleep(0.3)
            (pid,) = site.pids("log")
            attack.kill(site, pid)
            site.wait_for(lambda: site.pids("log") not in ([], [pid]), 10, "another log process")

    taken = under_traffic(site, kill_twice)
    site.wait_for(lambda: next(p for p in site.json("status")["processes"] if p["role"] == "log")["ready"], 10, "the log process")
    assert taken > 10
    assert len(site.inbox("bob", taken)) == taken
    # what a killed process had in its hands is gone, not what waited in the pipe
    assert len(site.events("accept")) > taken * 0.8
    before = len(site.events("accept"))
    assert attack.send(site, "s@remote.test", "bob@example.test") == 250
    assert len(site.events("accept")) == before + 1
    assert len(site.events("exit", of="log")) == 2


def fill_pipe(site):
    """The server's pipe as full as a flood of lines would make it."""
    with open(f"/proc/{site.process.pid}/fd/2", "wb", buffering=0, opener=lambda p, f: os.open(p, os.O_WRONLY | os.O_NONBLOCK)) as pipe:
        line = b"1970-01-01T00:00:00.000+00:00 warn test event=flood v=" + b"x" * 900 + b"\n"
        n = 0
        try:
            while pipe.write(line):
                n += 1
        except BlockingIOError:
            pass
        return n


def test_a_log_process_that_hangs_holds_nobody_up(watched):
    site = watched
    (pid,) = site.pids("log")
    os.kill(pid, signal.SIGSTOP)
    try:
        flood = fill_pipe(site)
        begin = time.monotonic()
        for _ in range(20):
            assert attack.send(site, "s@remote.test", "bob@example.test") == 250
        assert time.monotonic() - begin < 10
    finally:
        os.kill(pid, signal.SIGCONT)
    assert attack.send(site, "s@remote.test", "bob@example.test") == 250
    assert len(site.events("flood")) == flood

    def lost():  # told with a process's next line, when the pipe has room again
        attack.send(site, "s@remote.test", "bob@example.test")
        return sum(int(e["lines"]) for e in site.events("lost"))

    site.wait_for(lambda: lost() >= 20, 10, "the number of lost lines")
    site.wait_for(lambda: lost() == counters(site)["lost"], 10, "every process to have told its lost lines")
    assert site.pids("log") == [pid]
    assert len(site.inbox("bob", 21)) >= 21


def test_standard_error_that_takes_nothing(make_site):
    """A reader that stands still, as a stopped terminal does: lines wait, then are counted; mail goes on, and so do the lines when he reads."""
    site = make_site(start=False)
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(read, False)
    process = subprocess.Popen([str(site.program), "-c", str(site.conf), "serve"], stdin=subprocess.DEVNULL, stdout=write, stderr=write,
                               env=site.env)
    os.close(write)
    text = bytearray()

    def read_all():
        try:
            while piece := os.read(read, 1 << 16):
                text.extend(piece)
        except BlockingIOError:
            pass

    def wait_for(condition):
        end = deadline(20)
        while not condition() and time.monotonic() < end:
            read_all()
            time.sleep(0.01)
        assert condition(), text.decode(errors="replace")

    try:
        wait_for(lambda: b"event=ready" in text)
        for _ in range(40):
            assert attack.send(site, "s@remote.test", "bob@example.test") == 250
        assert counters(site)["unwritten"] > 0
        wait_for(lambda: text.count(b"event=accept") == 40)
        assert counters(site)["unwritten"] == 0 and counters(site)["dropped"] == 0
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: process.poll() is not None)
        read_all()
        assert process.returncode == 0 and text.rstrip().endswith(b"event=stop why=ended")
        assert all(LOG_LINE.match(line) for line in text.decode().splitlines())
    finally:
        process.kill()
        process.wait()
        os.close(read)


def test_the_last_words_of_the_parent(watched):
    """kill -9 of the parent ends all roles; what waits in the pipe is still written, then the log process goes, too."""
    site = watched
    (pid,) = site.pids("log")
    os.kill(pid, signal.SIGSTOP)
    assert attack.send(site, "s@remote.test", "bob@example.test") == 250
    roles = [p for name, _, p in site.processes() if name != "log"]
    site.kill()
    os.kill(pid, signal.SIGCONT)
    end = deadline(10)
    while time.monotonic() < end and any(Path(f"/proc/{p}").exists() for p in [pid, *roles]):
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()
    assert len(site.events("accept")) == 1


def test_what_a_taken_over_role_writes_bends_no_terminal(watched):
    site = watched
    with open(f"/proc/{site.process.pid}/fd/2", "wb", buffering=0) as pipe:
        pipe.write(b"\x1b[2J\x07raw\x00\x7f\r\n")
        pipe.write(b"no end")
    assert attack.send(site, "s@remote.test", "bob@example.test") == 250
    site.settle_log()
    data = site.log_path.read_bytes()
    assert b"?[2J?raw???\n" in data and b"no end" in data
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", data)


def test_level_and_format_change_at_a_reload(make_site):
    site = make_site()
    site.write_conf(extra=CHEAP_HASHES + "log { level = error }")
    site.postern("reload")
    assert attack.send(site, "s@remote.test", "bob@example.test") == 250
    assert attack.send(site, "s@remote.test", "nobody@example.test") == 550
    site.settle_log()
    assert "event=accept" not in site.log_path.read_text() and "event=refuse" not in site.log_path.read_text()
    site.write_conf(extra=CHEAP_HASHES + "log { format = json }")
    site.postern("reload")
    assert attack.send(site, "s@remote.test", "bob@example.test") == 250
    site.settle_log()
    assert site.log_path.read_text().count('"event":"accept"') == 1
    site.write_conf(extra=CHEAP_HASHES)
    site.postern("reload")
    # the lines in JSON are as asked for
    site.log_path.write_text("".join(line for line in site.log_path.read_text().splitlines(True) if not line.startswith("{")))
