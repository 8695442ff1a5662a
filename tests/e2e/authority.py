"""authority.py - a certificate authority for the laboratory: certificates of every sort, and the TLSA records that match them."""
import hashlib
import subprocess
from pathlib import Path

TLSA_SELECTORS = ("certificate", "public key")
HASHES = {1: hashlib.sha256, 2: hashlib.sha512}
CA_CONF = """[ca]
default_ca = here
[here]
dir = {dir}
database = {dir}/index
serial = {dir}/serial
new_certs_dir = {dir}
default_md = sha256
unique_subject = no
policy = anything
copy_extensions = copy
[anything]
commonName = supplied
"""


def openssl(*words, stdin=b""):
    done = subprocess.run(["openssl", *map(str, words)], input=stdin, capture_output=True)
    assert done.returncode == 0, f"openssl {words}: {done.stderr.decode()}"
    return done.stdout


class Certificate:
    """A certificate with its key: chain (PEM, what a server is given), key (PEM), alone (PEM, the first of the chain only)."""

    def __init__(self, alone, key, issuers=()):
        self.alone, self.key = alone, key
        self.chain = alone
        if issuers:
            self.chain = alone.with_suffix(".chain")
            self.chain.write_text("".join(Path(p).read_text() for p in (alone, *issuers)))
        for path in (self.chain, self.key):
            path.chmod(0o644)  # servers of the laboratory read them as whoever they are

    def data(self, selector, matching):
        """The certificate association data of RFC 6698 2.1.4."""
        der = openssl("x509", "-in", self.alone, "-outform", "DER")
        if selector == 1:
            der = openssl("pkey", "-pubin", "-outform", "DER", stdin=openssl("x509", "-in", self.alone, "-noout", "-pubkey"))
        return HASHES[matching](der).hexdigest() if matching else der.hex()

    def tlsa(self, usage=3, selector=1, matching=1):
        """A TLSA record's data as a zone file has it: "3 1 1 0123…"."""
        return f"{usage} {selector} {matching} {self.data(selector, matching)}"


class Authority:
    """A root of its own: certificate (to be trusted) and issue()."""

    def __init__(self, directory, name="Laboratory CA", parent=None):
        self.dir = Path(directory)
        self.dir.mkdir(parents=True)
        self.dir.chmod(0o755)
        self.count = 0
        (self.dir / "index").touch()
        (self.dir / "serial").write_text("1000\n")
        self.conf = self.dir / "conf"
        self.conf.write_text(CA_CONF.format(dir=self.dir))
        self.parent = parent
        self.certificate = parent.issue(name, ca=True) if parent else self.self_signed(name)

    def request(self, key_kind, name, extensions):
        self.count += 1
        key, csr = self.dir / f"{self.count}.key", self.dir / f"{self.count}.csr"
        openssl("req", "-new", *key_kind, "-nodes", "-keyout", key, "-out", csr, "-subj", f"/CN={name}",
                *[word for e in extensions for word in ("-addext", e)])
        return key, csr

    def self_signed(self, name, names=(), ca=True, kind=None):
        """A certificate that only says of itself that it is right."""
        key, csr = self.request(kind or EC, name, extensions(names, ca))
        out = self.dir / f"{self.count}.pem"
        openssl("req", "-x509", "-in", csr, "-key", key, "-days", 30, "-out", out, "-copy_extensions", "copyall")
        return Certificate(out, key)

    def issue(self, *names, ca=False, kind=None, begin="20260101000000Z", end="20360101000000Z"):
        """A certificate for these DNS names, with the authority (and those above it) in its chain; begin and end as
        YYYYMMDDhhmmssZ: one that has expired ends before now."""
        key, csr = self.request(kind or EC, names[0], extensions(() if ca else names, ca))
        out = self.dir / f"{self.count}.pem"
        openssl("ca", "-batch", "-notext", "-config", self.conf, "-cert", self.certificate.alone, "-keyfile", self.certificate.key,
                "-startdate", begin, "-enddate", end, "-in", csr, "-out", out)
        return Certificate(out, key, issuers=[self.certificate.chain])


EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
RSA = ("-newkey", "rsa:2048")
EXPIRED = {"begin": "20200101000000Z", "end": "20210101000000Z"}


def extensions(names, ca):
    found = [f"basicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}"]
    if names:
        found.append("subjectAltName=" + ",".join(f"DNS:{n}" for n in names))
    return found
