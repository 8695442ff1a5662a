"""postern_site.py - a postern site for a test: configuration, accounts, a running server on free loopback ports, its log.

Used by tests/e2e, tests/crash and bench. As root the site runs like in production: own users, closed roots.
"""
import imaplib
import itertools
import json
import os
import random
import re
import shutil
import signal
import smtplib
import socket
import ssl
import stat
import subprocess
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("POSTERN", TOP / "build/postern"))
CHEAP_HASHES = "auth { hash_memory = 64K hash_passes = 1 }\n"
# mail for elsewhere is tried where nobody listens, and waits
NOWHERE = 'route "*" { to = "127.0.0.1:1" tls = none }\n'
SERVICES = ("smtp", "submission", "submissions", "imap", "imaps")
START_SECONDS = 60
# A limit in a test is what a quiet machine needs at most; a busy one gets so many times as long.
PATIENCE = 4
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (debug|info|warn|error) [a-z]+ event=[a-z_-]+( |$)")


def deadline(seconds):
    """The time when one may lose patience."""
    return time.monotonic() + PATIENCE * seconds


def is_sanitized(program):
    """Built with AddressSanitizer? Its name is in the binary's dynamic section or in the code linked in."""
    return b"__asan_init" in program.read_bytes()


def environment():
    """For the server and its commands: leaks cannot be looked for where ptrace and /proc are out of reach, as in the roles."""
    env = {k: v for k, v in os.environ.items() if k != "POSTERN_CONF"}
    if is_sanitized(PROGRAM):
        before = env.get("ASAN_OPTIONS", "")
        env["ASAN_OPTIONS"] = f"{before}:detect_leaks=0".lstrip(":")
    return env


def unborrowed_ports():
    """The ports from 10000 up that the kernel never gives to an outgoing connection or to whoever asks for any port."""
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    return [port for port in range(10000, 65000) if not low <= port <= high]


RESERVED = {}  # port → the abstract socket that says it is of this process


def reserve(port):
    """Takes the port for this process until it ends or gives it back, against all other tests of this machine. False: another has it."""
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0postern-test-port-{port}")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        mark.close()
        return False
    RESERVED[port] = mark
    return True


def free_ports(n):
    """Ports that nobody uses and nobody is given later: a server may start on them at any time, and again."""
    ports = unborrowed_ports()
    random.shuffle(ports)
    found = list(itertools.islice((port for port in ports if reserve(port)), n))
    assert len(found) == n, "no free ports"
    return found


def give_back_ports(ports):
    for port in ports:
        if port in RESERVED:
            RESERVED.pop(port).close()


class LogLine(dict):
    """One line of the log: its fields by name, with time, level and role."""

    @staticmethod
    def parse(line):
        head = line.split(" ", 3)
        if len(head) < 4 or "event=" not in line:
            return None
        fields = LogLine(time=head[0], level=head[1], role=head[2])
        for key, quoted, plain in re.findall(r'([\w_]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', head[3]):
            fields[key] = re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
        return fields


class Log:
    """The lines of a log file that grows; only what is new is read and taken apart."""

    def __init__(self):
        self.lines, self.offset, self.last = [], 0, b""

    def read(self, path):
        with open(path, "rb") as file:
            file.seek(max(0, self.offset - len(self.last)))
            if file.read(len(self.last)) != self.last:  # another file, or written anew
                self.__init__()
                file.seek(0)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.offset += len(line)
                self.last = line
                parsed = LogLine.parse(line.decode("utf-8", "replace").rstrip("\n"))
                if parsed:
                    self.lines.append(parsed)
        return self.lines


class Site:
    """A site in a temporary directory. extra: configuration text put at the end. before: words before every command and the
    server, for another user or other limits; owner: whose the directory is then; listen: service → more addresses with ports."""

    def __init__(self, users=("alice", "bob"), domain="example.test", extra="", where=None, before=(), owner=None, program=PROGRAM,
                 listen=None):
        self.dir = Path(tempfile.mkdtemp(prefix="postern-", dir=where))
        self.dir.chmod(0o755)
        if owner is not None:
            os.chown(self.dir, owner, owner)
        self.before = before
        self.program = program
        self.domain = domain
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES))))
        self.conf = self.dir / "postern.conf"
        self.state = self.dir / "state"
        self.log_path = self.dir / "postern.log"
        self.process = None
        self.log = Log()
        self.marks = 0
        self.env = environment()
        self.extra = extra
        self.listen = listen or {}
        self.hostname = f"mx.{domain}"
        self.certificate = self.state / "keys/self-signed.pem"
        try:
            self.write_conf()
            for user in users:
                self.add_user(user)
        except BaseException:
            self.close()
            raise

    def write_conf(self, extra=None):
        if extra is not None:
            self.extra = extra
        listen = "\n".join(f'  {name} = {{ {self.addresses(name)} }}' for name in self.ports)
        self.conf.write_text(f'hostname = "{self.hostname}"\ndomains = {{ "{self.domain}" }}\nstate = "{self.state}"\n'
                             f"listen {{\n{listen}\n}}\n{self.extra}\n")

    def addresses(self, service):
        return ", ".join(f'"{a}"' for a in (f"127.0.0.1:{self.ports[service]}", *self.listen.get(service, ())))

    # --- the command line

    def postern(self, *words, stdin="", check=True, timeout=60):
        done = subprocess.run([*self.before, str(self.program), "-c", str(self.conf), *words], input=stdin, text=True, capture_output=True,
                              timeout=timeout, env=self.env)
        if check and done.returncode != 0:
            raise AssertionError(f"postern {' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *words, **options):
        return json.loads(self.postern(*words, "--json", **options).stdout)

    def address(self, user):
        return user if "@" in user else f"{user}@{self.domain}"

    @staticmethod
    def password(user):
        return f"{user.split('@')[0]}-secret"

    def add_user(self, user, *options):
        self.postern("user", "add", self.address(user), "--password-stdin", *options, stdin=self.password(user) + "\n")

    # --- the server

    def start(self, wrapper=()):
        log = open(self.log_path, "ab")
        begin = log.tell()
        self.process = subprocess.Popen([*wrapper, *self.before, str(self.program), "-c", str(self.conf), "serve"], stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log, start_new_session=True, env=self.env)
        log.close()
        self.wait_for(lambda: b"event=ready" in self.log_path.read_bytes()[begin:], START_SECONDS, "the server to get ready")
        return self

    def wait_for(self, condition, seconds, what):
        end, pause = deadline(seconds), 0.01
        while not condition():
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"server ended (status {self.process.returncode}) while waiting for {what}\n{self.log_tail()}")
            if time.monotonic() > end:
                raise AssertionError(f"waited {PATIENCE * seconds} s for {what}\n{self.log_tail()}")
            time.sleep(pause)
            pause = min(2 * pause, 0.2)

    def stop(self, seconds=30):
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server did not stop in {seconds} s\n{self.log_tail()}") from None
        self.process = None
        return status

    def kill(self):
        """kill -9 of the parent: everything must be gone within a second."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def reload(self):
        before = len(self.events("reload"))
        self.process.send_signal(signal.SIGHUP)
        self.wait_for(lambda: len(self.events("reload")) > before, 10, "the reload")
        return self.events("reload")[-1]

    def processes(self):
        """[(role, index, pid)] of the running roles, from the parent's children."""
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            for pid in task.read_text().split():
                try:
                    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if b"--role" in words:
                    at = words.index(b"--role")
                    found.append((words[at + 1].decode(), int(words[at + 2]), int(pid)))
        return found

    def pids(self, role):
        return [pid for name, _, pid in self.processes() if name == role]

    # --- the log

    def log_tail(self, n=60):
        if not self.log_path.exists():
            return ""
        self.settle_log()
        lines = [l for l in self.log_path.read_text(errors="replace").splitlines() if " event=mark " not in l]
        return "\n".join(lines[-n:])

    def settle_log(self, seconds=2):
        """Waits until all that the server has said is in the log: what goes into its pipe last comes out last."""
        if self.process is None or self.process.poll() is not None:
            return
        self.marks += 1
        mark = f"1970-01-01T00:00:00.000+00:00 error test event=mark n={self.marks}\n".encode()
        try:
            with open(f"/proc/{self.process.pid}/fd/2", "wb", buffering=0) as pipe:
                if not stat.S_ISFIFO(os.fstat(pipe.fileno()).st_mode):
                    return
                pipe.write(mark)
        except OSError:
            return  # it ends just now
        end = deadline(seconds)
        while time.monotonic() < end and self.process.poll() is None:
            with open(self.log_path, "rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 65536))
                if mark in log.read():
                    return
            time.sleep(0.005)

    def events(self, event=None, **fields):
        if not self.log_path.exists():
            return []
        self.settle_log()
        return [l for l in self.log.read(self.log_path) if (event is None or l.get("event") == event) and
                all(l.get(k) == v for k, v in fields.items())]

    def end_well(self):
        """Stops the server when it runs, and reads its log as an operator would: nothing but lines of the log, no report of a
        sanitizer, no process that ended otherwise than it should, no password."""
        if self.process is not None:
            status = self.stop()
            assert status == 0, f"the server ended with status {status}\n{self.log_tail()}"
        self.check_log()

    def check_log(self, killed=False):
        if not self.log_path.exists():
            return
        text = self.log_path.read_text(errors="replace")
        odd = [line for line in text.splitlines() if not LOG_LINE.match(line)]
        assert not odd, "not lines of the log:\n" + "\n".join(odd[:60])
        secrets = [line for line in text.splitlines() if re.search(r"[a-z0-9]-secret", line)]
        assert not secrets, "passwords in the log:\n" + "\n".join(secrets)
        bad = [e for e in self.events("exit") if e.get("why") != "ended with status 0"]
        assert killed or not bad, f"processes ended badly: {bad}"

    # --- clients

    def tls(self):
        """A client context that trusts the site's own certificate and nothing else."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        return context

    def smtp(self, service="smtp", **options):
        if service == "submissions":
            client = SmtpTls(self.hostname, self.ports[service], context=self.tls(), timeout=30, **options)
        else:
            client = smtplib.SMTP("127.0.0.1", self.ports[service], timeout=30, **options)
            client._host = self.hostname
        return client

    def submit(self, user, recipients, message, **options):
        """Sends through submission with STARTTLS and AUTH, as a mail program does."""
        with self.smtp("submission") as client:
            client.starttls(context=self.tls())
            client.login(self.address(user), self.password(user))
            return client.sendmail(self.address(user), [self.address(r) for r in recipients], message, **options)

    def imap(self, user=None, service="imaps"):
        if service == "imaps":
            client = ImapTls(self.hostname, self.ports[service], ssl_context=self.tls(), timeout=60)
        else:
            client = imaplib.IMAP4("127.0.0.1", self.ports[service], timeout=60)
            client.host = self.hostname
            client.starttls(self.tls())
        if user is not None:
            client.login(self.address(user), self.password(user))
        return client

    def stream(self, service="imaps", seconds=60):
        """Bytes to and from a service that begins with TLS."""
        plain = socket.create_connection(("127.0.0.1", self.ports[service]), seconds)
        return self.tls().wrap_socket(plain, server_hostname=self.hostname).makefile("rwb")

    def inbox(self, user, expect, seconds=20):
        """The whole messages of the user's INBOX, once there are that many."""
        end = deadline(seconds)
        while True:
            client = self.imap(user)
            _, data = client.select("INBOX", readonly=True)
            if int(data[0]) >= expect or time.monotonic() > end:
                _, found = client.uid("FETCH", "1:*", "(BODY.PEEK[])") if int(data[0]) else ("OK", [])
                client.logout()
                return [item[1] for item in found if isinstance(item, tuple)]
            client.logout()
            time.sleep(0.1)

    def close(self):
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
                try:
                    self.process.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(self.process.pid, signal.SIGKILL)
                    self.process.wait()
            self.process = None
        give_back_ports(self.ports.values())
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class SmtpTls(smtplib.SMTP_SSL):
    """Connects to loopback whatever the name says; the name is for the certificate."""

    def _get_socket(self, host, port, timeout):
        plain = socket.create_connection(("127.0.0.1", port), timeout)
        return self.context.wrap_socket(plain, server_hostname=host)


class ImapTls(imaplib.IMAP4_SSL):
    def _create_socket(self, timeout):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout)
        return self.ssl_context.wrap_socket(plain, server_hostname=self.host)
