"""imap_account.py - an account with sessions that act one after the other (imap_actor.py), and with what is true of it (imap_model.py)."""
from imap_actor import NAMES, Session
from imap_model import Mailbox, fail_unless
from mail import message


class Account:
    """The truth and those who act on it."""

    def __init__(self, site, user, sessions=3):
        self.site, self.user = site, user
        self.boxes = {"INBOX": Mailbox("INBOX")}
        self.validities = {}
        self.states, self.script = [], []
        self.observer = Session(self, 0)
        self.sessions = [Session(self, i + 1) for i in range(sessions)]

    def run(self, operations):
        for session in self.sessions:
            session.act("select", 0, 1, 0)
        for who, what, *abc in operations:
            session = self.sessions[who % len(self.sessions)]
            self.script.append(f"{who} {what} {abc[0]} {abc[1]} {abc[2]}")
            session.act(what, *abc)
            for other in self.sessions:
                other.settle()
        for session in self.sessions:
            session.act("noop", 0, 0, 0)
        for name in list(self.boxes):
            self.observer.act("look", NAMES.index(name), 0, 0)

    def deliver(self):
        """A message from elsewhere, and the wait for it."""
        with self.site.smtp() as client:
            client.sendmail("s@remote.test", [self.site.address(self.user)], message("from elsewhere"))
        inbox = self.boxes["INBOX"]
        self.site.wait_for(lambda: int(self.observer.status("INBOX")[b"UIDNEXT"]) > inbox.uidnext, 20, "the delivery")
        inbox.add([()])

    def check_validity(self, mailbox, told):
        """A mailbox keeps its UIDVALIDITY; a new one of the same name has a higher one."""
        if mailbox.validity is None:
            fail_unless(told > self.validities.get(mailbox.name, 0), "UIDVALIDITY", told, "was used before")
            mailbox.validity = self.validities[mailbox.name] = told
        fail_unless(told == mailbox.validity, "UIDVALIDITY", told, "was", mailbox.validity)

    def close(self):
        for session in (self.observer, *self.sessions):
            session.leave()
