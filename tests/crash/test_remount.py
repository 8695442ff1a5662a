"""A file system that the operator makes read-only under the running server, and writable again: the answers are "later", the log says
why, what is there can be read or is there afterwards, and all goes on by itself."""
import contextlib
import os
import subprocess

import pytest

import disk
from load import BROKEN, Load
from mail import message
from postern_site import CHEAP_HASHES, NOWHERE, Site
from test_disk import append_is_refused, code_of_a_delivery
from wire import Wire

USERS = ("alice", "bob")
SIZE = 160 << 20
LARGE = b"l" * 70 + b"\r\n"

pytestmark = pytest.mark.skipif(disk.missing("ext4") != "", reason=str(disk.missing("ext4")))


class Own:
    """A site of which one directory is a file system of its own."""

    def __init__(self, directory):
        self.site = Site(users=USERS, extra=CHEAP_HASHES + "\nlimits { disk_reserve = 0 }\n" + NOWHERE)
        self.place, self.image = self.site.state / directory, self.site.dir / "image"

    def __enter__(self):
        self.site.start()  # makes the directories
        assert self.site.stop() == 0
        with open(self.image, "wb") as f:
            f.truncate(SIZE)
        disk.run("mkfs.ext4", "-q", "-F", str(self.image))
        was = self.place.stat()
        self.mounted = disk.Mounted("ext4", self.image, self.place)
        self.mounted.__enter__()
        os.chown(self.place, was.st_uid, was.st_gid)
        self.place.chmod(was.st_mode & 0o7777)
        return self.site

    def __exit__(self, *_):
        self.site.end_well()
        self.mounted.__exit__()
        self.site.close()

    def remount(self, how):
        done = subprocess.run(["mount", "-o", f"remount,{how}", str(self.place)], capture_output=True, text=True)
        return done.stderr.strip()


def submission(load, text):
    """Alice's, with this text, for elsewhere; its code."""
    with Wire(load.site, "submissions", timeout=15) as wire:
        wire.submission("alice")
        token, _ = load.make()
        wire.send(f"MAIL FROM:<alice@example.test>\r\nRCPT TO:<{token}@remote.test>\r\nDATA\r\n")
        codes = [wire.reply()[0] for _ in range(3)]
        code = wire.code(message(token, text) + b".\r\n") if codes[-1] == 354 else codes[-1]
        if code == 250:
            load.owed.add(f"{token}@remote.test")
        return code


def says_read_only(site):
    return "Read-only file system" in site.log_path.read_text(errors="replace")


def goes_on(site, load):
    site.wait_for(lambda: all(code_of_a_delivery(load, user) == 250 for user in USERS), 30, "mail to be taken again")
    site.wait_for(lambda: not append_is_refused(load, "bob")[0], 30, "APPEND to work again")
    load.check()
    for user in USERS:
        assert site.postern("store", "check", f"{user}@example.test", check=False).returncode == 0, site.log_tail()


def test_k05_the_mail_is_read_only_for_a_while():
    own = Own("mail")
    with own as site:
        site.start()
        load = Load(site, USERS, workers=())
        for user in USERS * 2:
            assert code_of_a_delivery(load, user) == 250
        assert "busy" in own.remount("ro")  # the index of who is open is written to: the kernel refuses
        assert site.stop() == 0
        site.start()  # nobody is open
        assert own.remount("ro") == ""
        codes = [code_of_a_delivery(load, user) for user in USERS * 2]
        assert set(codes) <= {250, 451, 452}, codes  # the queue may keep it
        with contextlib.suppress(*BROKEN):
            assert append_is_refused(load, "bob")[0]
        site.wait_for(lambda: says_read_only(site), 10, "words in the log")
        assert site.json("status")["healthy"]
        assert own.remount("rw") == ""
        goes_on(site, load)
        assert {e["why"] for e in site.events("exit")} <= {"ended with status 0"}
        assert site.stop() == 0


def test_k05_the_spool_is_read_only_for_a_while():
    own = Own("queue/spool")
    with own as site:
        site.start()
        load = Load(site, USERS, workers=())
        assert submission(load, LARGE * 10000) == 250
        assert own.remount("ro") == ""
        assert submission(load, LARGE * 10000) in (451, 452)
        assert submission(load, LARGE) == 250  # a small one is kept elsewhere
        assert code_of_a_delivery(load, "bob") == 250
        site.wait_for(lambda: says_read_only(site), 10, "words in the log")
        assert own.remount("rw") == ""
        site.wait_for(lambda: submission(load, LARGE * 10000) == 250, 30, "large submissions to be taken again")
        goes_on(site, load)
        assert {e["why"] for e in site.events("exit")} <= {"ended with status 0"}
        assert site.stop() == 0
