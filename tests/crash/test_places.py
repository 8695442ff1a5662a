"""What stands where a directory should be, who may not enter it, and a file system that its kernel makes read-only: the server says in
words what is wrong, loses nothing, and goes on when it is put right."""
import contextlib
import imaplib
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

import disk
from load import BROKEN, Load
from postern_site import CHEAP_HASHES, NOWHERE, Site
from test_disk import append_is_refused, code_of_a_delivery

USERS = ("alice", "bob")
OWNED = ("mail", "queue", "auth", "dns", "trace", "run", "keys")
SIZE = 320 << 20

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="permissions are nothing to others, and only root may mount")


@pytest.fixture
def site():
    with Site(users=USERS, extra=CHEAP_HASHES + NOWHERE) as made:
        yield made


@contextlib.contextmanager
def closed(path):
    """Of root, and open to nobody."""
    was = path.stat()
    os.chown(path, 0, 0)
    path.chmod(0o000)
    yield
    os.chown(path, was.st_uid, was.st_gid)
    path.chmod(was.st_mode & 0o7777)


def words_of_a_start_that_fails(site):
    done = site.postern("serve", check=False)
    assert done.returncode != 0
    return done.stderr


@contextlib.contextmanager
def instead(path, make):
    """Something else in its place."""
    aside = path.with_name(path.name + ".aside")
    path.rename(aside)
    make(path)
    yield
    path.unlink()
    aside.rename(path)


def test_a_file_in_the_place_of_a_directory(site):
    site.start()
    assert site.stop() == 0
    for name in OWNED:
        with instead(site.state / name, lambda p: p.write_text("not a directory")):
            words = words_of_a_start_that_fails(site)
            assert f"{site.state / name} is not a directory" in words, words
    with instead(site.state / "queue/spool", lambda p: p.write_text("not a directory")):
        words = words_of_a_start_that_fails(site)
        assert "event=fatal" in words and "spool" in words, words
    site.start()
    assert site.stop() == 0


def test_directories_of_others_are_taken_back(site):
    """An operator who copied the state without its owners."""
    site.start()
    load = Load(site, USERS, workers=())
    for user in USERS:
        assert code_of_a_delivery(load, user) == 250
    assert site.stop() == 0
    for name in OWNED:
        os.chown(site.state / name, 12345, 12345)
        (site.state / name).chmod(0o000)
    site.start()
    load.check()
    for user in USERS:
        assert code_of_a_delivery(load, user) == 250
    load.check()
    assert site.stop() == 0


@pytest.mark.parametrize("spoil", ["mode", "file"])
def test_a_users_directory_that_cannot_be_used(site, spoil):
    """His mail waits, he is told to come later, the log says why, and nobody else notices."""
    site.start()
    load = Load(site, USERS, workers=())
    for user in USERS:
        assert code_of_a_delivery(load, user) == 250
    load.check()
    assert site.stop() == 0  # what is open stays open
    place = site.state / "mail/example.test/alice"
    with instead(place, lambda p: p.write_text("not a directory")) if spoil == "file" else closed(place):
        site.start()
        codes = [code_of_a_delivery(load, user) for user in ("alice", "bob")]
        assert codes[0] in (250, 451) and codes[1] == 250
        assert not can_log_in(site, "alice") and can_log_in(site, "bob")
        why = "Not a directory" if spoil == "file" else "Permission denied"
        site.wait_for(lambda: [e for e in site.events("store") if f"example.test/alice: directory: {why}" in e["why"]], 10, "words in the log")
    load.check()
    assert can_log_in(site, "alice")
    assert site.stop() == 0


def can_log_in(site, user):
    with contextlib.suppress(*BROKEN):
        site.imap(user).logout()
        return True
    return False


# --- a file system that has an error


class Image:
    """An ext4 on a loop device that goes read-only at an error."""

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="postern-image-"))
        self.dir.chmod(0o755)
        self.file, self.place = self.dir / "image", self.dir / "disk"
        self.place.mkdir()
        with open(self.file, "wb") as f:
            f.truncate(SIZE)
        disk.run("mkfs.ext4", "-q", "-F", "-e", "remount-ro", str(self.file))
        self.mount()

    def mount(self):
        self.mounted = disk.Mounted("ext4", self.file, self.place)
        self.mounted.__enter__()

    def unmount(self):
        if self.mounted is not None:
            self.mounted.__exit__()
        self.mounted = None

    def break_it(self):
        Path(f"/sys/fs/ext4/{os.path.basename(self.mounted.loop)}/trigger_fs_error").write_text("1")

    def mend(self):
        self.unmount()
        assert subprocess.run(["e2fsck", "-fp", str(self.file)], capture_output=True).returncode in (0, 1)
        self.mount()

    def close(self):
        self.unmount()
        self.file.unlink()
        self.place.rmdir()
        self.dir.rmdir()


@pytest.fixture
def image():
    why = disk.missing("ext4")
    if why:
        pytest.skip(why)
    made = Image()
    try:
        if not Path(f"/sys/fs/ext4/{os.path.basename(made.mounted.loop)}/trigger_fs_error").exists():
            pytest.skip("the kernel makes no errors on demand")
        yield made
    finally:
        made.close()


def test_a_file_system_becomes_read_only(image):
    with Site(users=(), extra=CHEAP_HASHES + "limits { disk_reserve = 0 }\n" + NOWHERE) as site:  # its log is elsewhere
        site.state = image.place / "state"
        site.certificate = site.state / "keys/self-signed.pem"
        site.write_conf()
        for user in USERS:
            site.add_user(user)
        site.start()
        load = Load(site, USERS, workers=())
        for user in USERS * 3:
            assert code_of_a_delivery(load, user) == 250
        image.break_it()
        codes = [code_of_a_delivery(load, user) for user in USERS * 4]
        assert set(codes) <= {0, 451, 452}, codes
        with contextlib.suppress(OSError, EOFError, imaplib.IMAP4.error):
            assert append_is_refused(load, "bob")[0]
        site.wait_for(lambda: "Read-only file system" in site.log_path.read_text(errors="replace"), 10, "words in the log")
        site.kill()
        site_is_gone(site, image)
        image.mend()
        site.start()
        load.check()
        for user in USERS:
            assert code_of_a_delivery(load, user) == 250
            assert site.postern("store", "check", f"{user}@example.test", check=False).returncode == 0, site.log_tail()
        load.check()
        assert site.stop() == 0


def site_is_gone(site, image):
    """The processes end with their parent, a moment later, and hold the disk until then."""
    site.wait_for(lambda: subprocess.run(["umount", str(image.place)], capture_output=True).returncode == 0, 10, "the disk to be let go")
