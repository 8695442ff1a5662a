"""A disk that has no room left, and one that has no inodes left, under the whole server: nothing that was promised is lost, nothing
is half there, the answers are "later", and when there is room again all goes on by itself."""
import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from load import BROKEN, Load
from postern_site import CHEAP_HASHES, NOWHERE, Site
from wire import Wire

USERS = ("alice", "bob")
FULL = {"bytes": "size=96m,nr_inodes=100000", "inodes": "size=256m,nr_inodes=700"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@pytest.fixture
def disk(request):
    """A small file system that ends at its bytes or its inodes."""
    place = Path(tempfile.mkdtemp(prefix="postern-disk-"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", FULL[request.param], "none", str(place)], capture_output=True, text=True)
    if done.returncode != 0:
        place.rmdir()
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    place.chmod(0o755)
    yield place, request.param
    subprocess.run(["umount", str(place)], check=True)
    place.rmdir()


class Filler:
    """Takes what is left, and gives it back."""

    def __init__(self, place, what):
        self.place, self.what = place / "filler", what

    def fill(self):
        self.place.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):
            if self.what == "bytes":
                with open(self.place / "all", "ab") as file:
                    while True:
                        file.write(bytes(4096))
                        file.flush()
            for n in range(10**6):
                (self.place / str(n)).touch(exist_ok=False)

    def free(self):
        shutil.rmtree(self.place)


def code_of_a_delivery(load, user):
    """Tries one message; what it was answered with, 0 for no answer."""
    with contextlib.suppress(*BROKEN), Wire(load.site, "smtp", timeout=15) as wire:
        wire.hello()
        token, sent = load.make()
        for words in (b"MAIL FROM:<s@remote.test>", f"RCPT TO:<{user}@example.test>".encode(), b"DATA", sent + b"."):
            code = wire.code(words + b"\r\n")
            if code >= 400:
                return code
        load.promised[user][token] = sent
        return code
    return 0


def append_is_refused(load, user):
    client = load.site.imap()
    with contextlib.closing(client.sock):
        client.login(load.site.address(user), load.site.password(user))
        token, sent = load.make()
        answer, words = client.append("INBOX", None, None, sent)
        if answer == "OK":
            load.promised[user][token] = sent
        return answer != "OK", words


@pytest.mark.parametrize("disk", list(FULL), indirect=True)
def test_k04_k05_full_and_free_again(disk):
    place, what = disk
    filler = Filler(place, what)
    with Site(users=USERS, where=str(place), extra=CHEAP_HASHES + "limits { disk_reserve = 0 }\n" + NOWHERE) as site:
        site.start()
        load = Load(site, USERS, workers=())
        for user in USERS * 3:
            assert code_of_a_delivery(load, user) == 250
        for _ in range(3):
            filler.fill()
            codes = [code_of_a_delivery(load, user) for user in USERS * 4]
            assert set(codes) <= {0, 250, 451, 452}, codes
            filler.fill()
            assert what == "inodes" or code_of_a_delivery(load, "alice") != 250  # the ledger needs no inode for a small message
            with contextlib.suppress(*BROKEN):
                append_is_refused(load, "bob")
        filler.free()
        site.wait_for(lambda: site.json("status")["healthy"], 30, "all processes")
        site.wait_for(lambda: all(code_of_a_delivery(load, user) == 250 for user in USERS), 30, "mail to be taken again")
        site.wait_for(lambda: not append_is_refused(load, "bob")[0], 30, "APPEND to work again")
        load.check()
        for user in USERS:
            assert site.postern("store", "check", f"{user}@example.test", check=False).returncode == 0, site.log_tail()
        text = site.log_path.read_text(errors="replace")
        assert "event=panic" not in text
        assert site.stop() == 0
