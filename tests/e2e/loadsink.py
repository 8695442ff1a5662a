"""loadsink.py - all hosts of a load run in one process: listens on port 25 of every address, is as slow or as grey as the address
says, and writes a line for each message before it answers 250: time, token (the Subject), recipients.

  loadsink.py LOG SLOW_SECONDS GREY_SECONDS SLOW_ADDRESSES GREY_ADDRESSES   (addresses with commas)"""
import os
import sys
import time

from badmx import Server
from misdeeds import greylist, slow


class Sink(Server):
    def __init__(self, log, slow_seconds, grey_seconds, slow_addresses, grey_addresses):
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        late = {"greet": slow(slow_seconds, "220 slow ESMTP"), "rcpt": slow(slow_seconds, "250 2.1.5 ok"), "dot": self.late(slow_seconds)}
        self.by_address = dict.fromkeys(slow_addresses, late)
        self.by_address.update(dict.fromkeys(grey_addresses, {"rcpt": greylist(grey_seconds), "dot": self.note}))
        super().__init__("0.0.0.0", name="sink.load.test", script={"dot": self.note})

    def script_for(self, plain):
        return self.by_address.get(plain.getsockname()[0], self.script)

    def late(self, seconds):
        def act(session, argument):
            time.sleep(seconds)
            return self.note(session, argument)
        return act

    def note(self, session, _):
        mail = session.mails.pop()
        token = mail.data.split(b"\r\nSubject: ", 1)[1].split(b"\r\n", 1)[0].decode()
        end = "whole" if mail.data.endswith(f"end of {token}\r\n".encode()) else "cut"
        os.write(self.log, f"{time.monotonic():.3f} {token} {end} {','.join(mail.recipients)}\n".encode())
        return "250 2.0.0 taken"

    def remember(self, session):
        """Of a load nothing is kept but the log."""


def main():
    log, slow_seconds, grey_seconds, slow_addresses, grey_addresses = sys.argv[1:]
    Sink(log, float(slow_seconds), float(grey_seconds), slow_addresses.split(","), grey_addresses.split(","))
    print("ready", flush=True)
    sys.stdin.read()  # until whoever started it ends
    os._exit(0)


if __name__ == "__main__":
    main()
