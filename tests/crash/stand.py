"""stand.py - a server that goes from one place of the matrix to the next, with its clients, and is looked at after each."""
import contextlib
import shutil
import signal
import time
from pathlib import Path

from load import BROKEN
from outlab import World
from postern_site import CHEAP_HASHES, NOWHERE, Site, deadline
from script import OutsideScript, ParentScript, RelayScript, Script, StoreScript

USERS = ("alice", "bob")
SEVERAL = "\nstore { processes = 2 }\nsmtp { processes = 2 }\nimap { processes = 2 }\n"
OUTSIDE = {"dns": OutsideScript, "fetch": OutsideScript, "relay": RelayScript}  # roles that work only where there is a world outside
SCRIPTS = {"parent": ParentScript, "store": StoreScript}
WHOLE = 10           # promises of one piece of work
LIVES = 6            # deaths before the server is started anew: the pauses between restarts grow
HEALTHY_SECONDS = 20


def beside(program, where):
    """A copy of the program with its module at its side; itself where it has that."""
    if (program.parent / "postern-fetch.so").exists():
        return program
    where = Path(where)
    for path in (program, program.parents[2] / "postern-fetch.so"):
        if not (where / path.name).exists():
            shutil.copy2(path, where)
    return where / program.name


class Stand:
    """role: whose turn it is."""

    def __init__(self, role, program):
        self.role, self.world = role, None
        self.mended = 0
        try:
            self.set_up(program)
        except BaseException:
            self.tear_down()
            raise

    def set_up(self, program):
        if self.role in OUTSIDE:
            self.world = World()
            self.site = self.world.site(users=USERS, extra=SEVERAL, limits="retry_first = 1h", program=beside(program, self.world.dir))
            self.site.start()
            self.script = OUTSIDE[self.role](self.site, USERS, self.world)
        else:
            self.site = Site(users=USERS, extra=CHEAP_HASHES + SEVERAL + NOWHERE, program=program)
            self.site.start()
            self.script = SCRIPTS.get(self.role, Script)(self.site, USERS)
        self.script.run()

    def strike(self, injection):
        """The work with something that goes wrong. Did it come to pass?"""
        with injection:
            self.script.run()
        self.recover()
        if injection.came:
            self.check(str(injection))
        return injection.came

    # --- afterwards

    def recover(self):
        site = self.site
        if site.process.poll() is not None:
            self.start_again()
        self.mend_indexes()
        site.wait_for(lambda: site.json("status")["healthy"] and self.lets_all_in(), HEALTHY_SECONDS, "all processes and their channels")
        if len(site.events("exit")) >= self.lives():
            assert site.stop() == 0
            self.look_at_the_log()
            site.log_path.unlink()
            self.mended = 0
            site.start()

    def lives(self):
        return 8 * LIVES if self.role == "parent" else LIVES  # each victim of its work rests in between

    def start_again(self):
        """The parent was killed, and all with it; what a service manager does. No error ends it but one of its loop's own pipe."""
        site = self.site
        status, site.process = site.process.returncode, None
        assert status in (-signal.SIGKILL, -signal.SIGABRT), f"the parent ended with {status}\n{site.log_tail()}"
        end = deadline(HEALTHY_SECONDS)
        while site.process is None:
            try:
                site.start()
            except AssertionError:  # what is left of the old one goes a moment later
                assert time.monotonic() < end and site.process.poll() is not None, site.log_tail()
                site.process = None

    def mend_indexes(self):
        """What the operator does where an index could not be written for sure: the user is out of service until then."""
        damaged = [e["why"] for e in self.site.events("store", level="error") if "the index is damaged" in e["why"]]
        for user in USERS if len(damaged) > self.mended else ():
            self.site.postern("store", "rebuild", f"{user}@example.test", check=False)
        self.mended = len(damaged)

    def lets_all_in(self):
        """A process that lost a channel without dying has a new one within two seconds."""
        with contextlib.suppress(*BROKEN):
            for user in USERS:
                self.site.imap(user).logout()
            return True
        return False

    def check(self, place):
        """A front whose channel to auth was lost a moment ago says "later"."""
        end = time.monotonic() + HEALTHY_SECONDS
        while True:
            try:
                self.script.check()
                return
            except BROKEN as e:
                if isinstance(e, AssertionError) or time.monotonic() > end:
                    raise AssertionError(f"{place}: {type(e).__name__}: {e}\n{self.site.log_tail(30)}") from None
            time.sleep(0.3)

    def look_at_the_log(self):
        """The role may give up (event=panic): an eventfd that has no space cannot be. The others may not, and nobody is damaged."""
        text = self.site.log_path.read_text(errors="replace")
        assert "AddressSanitizer" not in text and "runtime error" not in text, text[-3000:]
        assert {e["role"] for e in self.site.events("panic")} <= {self.role}, text[-3000:]

    def works_whole(self):
        before = self.script.count()
        self.script.run()
        return self.script.count() == before + WHOLE

    def finish(self):
        """The work is done once more, untouched; the store finds nothing to mend."""
        end = time.monotonic() + HEALTHY_SECONDS
        while not self.works_whole():
            assert time.monotonic() < end, f"not all goes on as before\n{self.site.log_tail(30)}"
        self.site.wait_for(lambda: self.site.json("status")["healthy"], HEALTHY_SECONDS, "all processes")
        self.script.end()
        self.check(f"{self.role}: afterwards")
        for user in USERS:
            found = self.site.postern("store", "check", f"{user}@example.test", check=False)
            assert found.returncode == 0, f"store check {user}: {found.stdout}{found.stderr}\n{self.site.log_tail(30)}"
        assert self.site.stop() == 0
        self.look_at_the_log()

    def tear_down(self):
        if self.world is not None:
            self.world.close()
        elif hasattr(self, "site"):
            self.site.close()
