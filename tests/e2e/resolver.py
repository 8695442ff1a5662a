"""resolver.py - a validating resolver for the other mail servers of the laboratory: libunbound behind a UDP socket, with the AD bit
of RFC 4035 for what it proved."""
import ctypes
import socket
import struct
import threading

TYPES_OF_HEADER = ">HHHHHH"
QR, RD, RA, AD, SERVFAIL = 0x8000, 0x0100, 0x0080, 0x0020, 2
OPT = b"\0" + struct.pack(">HHIH", 41, 4096, 0, 0)


class Result(ctypes.Structure):
    """struct ub_result of unbound.h."""
    _fields_ = [("qname", ctypes.c_char_p), ("qtype", ctypes.c_int), ("qclass", ctypes.c_int), ("data", ctypes.c_void_p),
                ("len", ctypes.c_void_p), ("canonname", ctypes.c_char_p), ("rcode", ctypes.c_int), ("answer_packet", ctypes.c_void_p),
                ("answer_len", ctypes.c_int), ("havedata", ctypes.c_int), ("nxdomain", ctypes.c_int), ("secure", ctypes.c_int),
                ("bogus", ctypes.c_int), ("why_bogus", ctypes.c_char_p), ("was_ratelimited", ctypes.c_int), ("ttl", ctypes.c_int)]


def question(query):
    """(name, type, length of the question) of a query."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii"))
        at += 1 + query[at]
    return ".".join(labels) + ".", struct.unpack_from(">H", query, at + 1)[0], at + 5 - 12


class Resolver:
    """Answers on port 53 of an address until it is closed."""

    def __init__(self, address, anchor, hints):
        self.lib = ctypes.CDLL("libunbound.so.8")
        self.lib.ub_ctx_create.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.lib.ub_ctx_create())
        for option, value in (("root-hints:", str(hints)), ("module-config:", "validator iterator"), ("val-bogus-ttl:", "1")):
            assert self.lib.ub_ctx_set_option(self.context, option.encode(), value.encode()) == 0, option
        assert self.lib.ub_ctx_add_ta_file(self.context, str(anchor).encode()) == 0
        self.lib.ub_ctx_zone_remove(self.context, b"test.")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.over = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            if self.over:
                return
            threading.Thread(target=self.answer, args=(query, peer), daemon=True).start()

    def answer(self, query, peer):
        reply = self.resolve(query)
        if not self.over:
            self.socket.sendto(reply, peer)

    def resolve(self, query):
        name, kind, length = question(query)
        result = ctypes.POINTER(Result)()
        failed = self.lib.ub_resolve(self.context, name.encode(), kind, 1, ctypes.byref(result))
        one = None if failed else result.contents
        if one is None or one.bogus or not one.answer_packet:
            return query[:2] + struct.pack(">HHHHH", QR | RD | RA | (one.rcode if one and not one.bogus else SERVFAIL), 1, 0, 0, 0) + \
                query[12:12 + length]
        packet = ctypes.string_at(one.answer_packet, one.answer_len)
        flags, counts = struct.unpack_from(">H", packet, 2)[0], struct.unpack_from(">HHHH", packet, 4)
        flags = (flags | QR | RA | RD) & ~AD | (AD if one.secure else 0)
        self.lib.ub_resolve_free(result)
        return query[:2] + struct.pack(">HHHHH", flags, *counts[:3], counts[3]) + packet[12:]

    def close(self):
        """The thread ends with a last datagram to itself."""
        self.over = True
        self.socket.sendto(b"\0" * 12, self.socket.getsockname())
        self.thread.join()
        self.socket.close()
