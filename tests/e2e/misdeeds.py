"""misdeeds.py - what a step of a played mail server (badmx.py) can do instead of what it should. Each is, or makes, a function
of (session, argument) that returns the reply, or None when there is nothing to add."""
import socket
import struct
import time


class Over(Exception):
    """The connection ends here."""


def slow(seconds, reply):
    """The reply, late."""
    def act(session, _):
        session.server.stopping.wait(seconds)
        return reply
    return act


def silent(session, _):
    """Takes everything and says nothing, until the other side leaves."""
    while True:
        session.need()
        session.buffer = b""


def drip(data, seconds=1.0):
    """These bytes, one at a time, CRLF included."""
    def act(session, _):
        for byte in data:
            session.send(bytes([byte]))
            session.server.stopping.wait(seconds)
    return act


def raw(data):
    """These bytes, whatever they are."""
    def act(session, _):
        session.send(data)
    return act


def endless(line):
    """The line again and again; the whole reply never comes."""
    def act(session, _):
        while not session.server.stopping.is_set():
            session.send(line * 100)
        raise Over
    return act


def close(session, _):
    """The end of the connection instead of an answer."""
    raise Over


def reset(session, _):
    """RST instead of an answer."""
    session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Over


def then(reply, act):
    """The reply, and something else behind it."""
    def both(session, argument):
        session.say(reply)
        time.sleep(0.05)
        return act(session, argument)
    return both


def inject(data, reply="220 2.0.0 go"):
    """For starttls: more bytes in the clear behind the reply, before the handshake."""
    def act(session, _):
        session.send(reply.encode() + b"\r\n" + data)
        session.handshake()
    return act


def garbage(session, _):
    """For handshake: no TLS."""
    session.send(b"\x15\x03\x01\x00\x02\x02\x28" + b"garbage\r\n" * 4)
    raise Over


def greylist(seconds):
    """For rcpt: who is new has to come again after some seconds."""
    def act(session, argument):
        first = session.server.seen.setdefault((session.sender, argument.split(">")[0]), time.monotonic())
        return "250 2.1.5 ok" if time.monotonic() - first >= seconds else "451 4.7.1 greylisted, come again"
    return act


def by_recipient(replies):
    """For rcpt: {local part: reply}; all others are taken."""
    def act(session, argument):
        return replies.get(argument.partition("<")[2].partition("@")[0], "250 2.1.5 ok")
    return act
