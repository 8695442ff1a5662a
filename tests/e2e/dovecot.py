"""dovecot.py - Debian's Dovecot as another IMAP server: its imap program, already logged in, on a pipe (packages: unpacked.py)."""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from unpacked import Space

NOBODY = 65534
CONF = """mail_location = maildir:~/Maildir
log_path = {dir}/dovecot.log
base_dir = {dir}/run
ssl = no
namespace inbox {{
  inbox = yes
  separator = {separator}
}}
"""


class Dovecot:
    """separator: of the levels of mailbox names; Dovecot's own is the dot."""

    def __init__(self, separator="."):
        self.dir = Path(tempfile.mkdtemp(prefix="dovecot-"))  # not pytest's, which nobody else may enter
        self.dir.chmod(0o755)
        os.chown(self.dir, NOBODY, NOBODY)
        self.conf = self.dir / "dovecot.conf"
        self.conf.write_text(CONF.format(dir=self.dir, separator=separator))
        self.space = Space("dovecot", self.dir / "space")

    def session(self, user):
        """(bytes from it, bytes to it)"""
        process = subprocess.Popen(self.space.words("env", f"HOME={self.dir}/{user}", f"USER={user}", "setpriv", f"--reuid={NOBODY}",
                                                    f"--regid={NOBODY}", "--clear-groups", "/usr/lib/dovecot/imap", "-c", self.conf),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return process.stdout, process.stdin

    def close(self):
        self.space.close()
        shutil.rmtree(self.dir, ignore_errors=True)
