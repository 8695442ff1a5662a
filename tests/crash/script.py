"""script.py - the work that goes on while something goes wrong: small and always the same, so that the n-th call of a process is about the
same each time. What clients were told is kept as in load.py; what fails is nobody's."""
import contextlib
import imaplib
import itertools
import os
import signal
import subprocess
import threading
import time

from badmx import Server
from load import BROKEN, Load
from policyhost import PolicyHost, policy
from wire import Wire

SECONDS = 6  # for which a client waits: what is lost is often a message to nobody
LOOK_SECONDS = 2  # for which somebody may look up a policy
WHOLE_SECONDS = 20  # for the host that takes all
FILES_SECONDS = 3  # for which files may follow


class Script(Load):
    """Deliveries, submissions with a recipient elsewhere, IMAP, for two users."""

    def __init__(self, site, users, elsewhere="remote.test"):
        super().__init__(site, users, workers=())
        self.elsewhere = elsewhere  # where submissions go; {}: the message's token

    def run(self):
        self.prepare()
        self.ask("queue", "retry", "--all")  # so that relay has something to do
        for user in self.users[:2]:
            for part in (self.deliver_one, self.submit_one, self.use_mailbox):
                with contextlib.suppress(*BROKEN):
                    part(user)

    def end(self):
        """What has to be so when the work was done untouched."""

    def ask(self, *words):
        """Of a process that may be gone or not listen."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.site.postern(*words, check=False, timeout=SECONDS)

    def prepare(self):
        """More to do for who has little of it."""

    def deliver_one(self, user):
        with Wire(self.site, "smtp", timeout=SECONDS) as wire:
            wire.hello()
            for _ in range(2):
                token, sent = self.make()
                wire.send(f"MAIL FROM:<s@remote.test>\r\nRCPT TO:<{user}@example.test>\r\nDATA\r\n")
                if [wire.reply()[0] for _ in range(3)] == [250, 250, 354] and wire.code(sent + b".\r\n") == 250:
                    self.promised[user][token] = sent

    def submit_one(self, user):
        with Wire(self.site, "submissions", timeout=SECONDS) as wire:
            wire.submission(user)
            token, sent = self.make()
            sent = sent.replace(b"alice@", user.encode() + b"@")
            owed = f"{token}@{self.elsewhere.format(token)}"
            wire.send(f"MAIL FROM:<{user}@example.test>\r\nRCPT TO:<{owed}>\r\nRCPT TO:<{user}@example.test>\r\nDATA\r\n")
            if [wire.reply()[0] for _ in range(4)] == [250, 250, 250, 354] and wire.code(sent + b".\r\n") == 250:
                self.promised[user][token] = sent
                self.owed.add(owed)

    def use_mailbox(self, user):
        client = self.site.imap()
        with contextlib.closing(client.sock):
            client.sock.settimeout(SECONDS)
            client.login(self.site.address(user), self.site.password(user))
            token, sent = self.make()
            if client.append("INBOX", r"(\Seen)", None, sent)[0] == "OK":
                self.promised[user][token] = sent
            client.select("INBOX")
            client.store("1", "+FLAGS", r"(\Flagged $Work)")
            self.come_and_go(client)

    def come_and_go(self, client):
        """Copies of the first message, in a folder of their own: made, moved on, expunged."""
        with contextlib.suppress(imaplib.IMAP4.error):
            client.create("Away")
            client.copy("1", "Away")
            client.select("Away")
            client.store("1:*", "+FLAGS", r"(\Deleted)")
            client.expunge()


class StoreScript(Script):
    """With mailboxes that come and go, and until the files have followed."""

    def come_and_go(self, client):
        super().come_and_go(client)
        with contextlib.suppress(imaplib.IMAP4.error):
            client.select("INBOX")
            client.create("Box/One")
            client.copy("1", "Box/One")
            client.rename("Box", "Case")
            client.delete("Case/One")
            client.delete("Case")

    def run(self):
        super().run()
        end = time.monotonic() + FILES_SECONDS
        while self.files_wait() and time.monotonic() < end:
            time.sleep(0.05)

    def files_wait(self):
        return any((self.site.state / "mail").glob("**/Maildir/.Case*"))


class ParentScript(Script):
    """With what the parent does: it reads its configuration again, tells how things are, and starts processes anew."""

    VICTIMS = ("dns", "fetch", "keys", "relay", "log")

    def __init__(self, site, users):
        super().__init__(site, users)
        self.victims = itertools.cycle(self.VICTIMS)

    def prepare(self):
        for pid in self.site.pids(next(self.victims)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.ask("reload")
        self.ask("status")


class Mint(PolicyHost):
    """Has a certificate for whatever name it is asked for."""

    def __init__(self, world, answer):
        self.world, self.made, self.making = world, {}, threading.Lock()
        super().__init__(world.address(), world.authority.issue("mta-sts.none.test"), answer)

    def show(self, certificate):
        super().show(certificate)
        self.context.sni_callback = lambda client, name, _: self.present(client, name)

    def present(self, client, name):
        with self.making:
            if name and name not in self.made:
                other = self.world.authority.issue(name)
                context = type(self.context)(self.context.protocol)
                context.load_cert_chain(other.chain, other.key)
                self.made[name] = context
        if name:
            client.context = self.made[name]


class OutsideScript(Script):
    """Each message goes to a domain of its own, which is looked up and has a policy on a web server; nobody takes the mail."""

    def __init__(self, site, users, world):
        super().__init__(site, users, elsewhere="{}.wide.test")
        self.web = Mint(world, policy("enforce", "mx.wide.test"))
        world.zone("wide.test", f'mx A {world.address()}\n* MX 10 mx\n* A {self.web.address}\n* TXT "v=STSv1; id=one;"\n', signed=True)

    def run(self):
        before = set(self.owed)
        super().run()
        new = {address.split("@")[1] for address in self.owed - before}
        end = time.monotonic() + LOOK_SECONDS
        while not new <= self.looked_up() and time.monotonic() < end:
            time.sleep(0.05)

    def looked_up(self):
        """The domains whose policy came, or could not be had."""
        asked = {line.split()[1].removeprefix("mta-sts.") for head in self.web.requests for line in head.split("\r\n") if line.startswith("Host:")}
        return asked | {e["why"].split(":")[0] for e in self.site.events("sts")}


class RelayScript(Script):
    """Each message goes to a domain of its own, and one host takes the mail of all."""

    def __init__(self, site, users, world):
        super().__init__(site, users, elsewhere="{}.wide.test")
        self.host = Server(world.address(), name="mx.wide.test", tls=world.authority.issue("mx.wide.test"))
        world.zone("wide.test", f"mx A {self.host.address}\n* MX 10 mx\n")

    def run(self):
        super().run()
        end = time.monotonic() + LOOK_SECONDS
        while not self.owed <= self.taken() and time.monotonic() < end:
            time.sleep(0.05)

    def taken(self):
        return {path.strip("<>") for mail in self.host.mails for path in mail.recipients}

    def end(self):
        self.ask("queue", "retry", "--all")
        self.site.wait_for(lambda: self.owed <= self.taken(), WHOLE_SECONDS, "all mail to be taken")
        sent = {token: text for user in self.users for token, text in self.promised[user].items()}
        for mail in self.host.mails:
            token = mail.recipients[0].strip("<>").split("@")[0]
            assert token not in sent or mail.data.endswith(sent[token]), f"{token} was not handed on whole"
