"""thunderbird.py - Debian's Thunderbird under Xvfb with an account set up by its preferences, driven through its own automation port (Marionette:
JSON messages with their length in front)."""
import base64
import json
import os
import signal
import socket
import subprocess
import time

from postern_site import PATIENCE, deadline, free_ports

PREFERENCES = {
    "app.update.enabled": False,
    "browser.cache.disk.enable": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "mail.account.account1.identities": "id1",
    "mail.account.account1.server": "server1",
    "mail.accountmanager.accounts": "account1",
    "mail.accountmanager.defaultaccount": "account1",
    "mail.identity.id1.fullName": "Alice",
    "mail.identity.id1.smtpServer": "smtp1",
    "mail.identity.id1.valid": True,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.rights.version": 1,
    "mail.server.server1.authMethod": 3,
    "mail.server.server1.check_new_mail": False,
    "mail.server.server1.hostname": "localhost",
    "mail.server.server1.login_at_startup": False,
    "mail.server.server1.name": "postern",
    "mail.server.server1.socketType": 3,
    "mail.server.server1.type": "imap",
    "mail.shell.checkDefaultClient": False,
    "mail.smtpserver.smtp1.authMethod": 3,
    "mail.smtpserver.smtp1.hostname": "localhost",
    "mail.smtpserver.smtp1.try_ssl": 2,
    "mail.smtpservers": "smtp1",
    "mailnews.start_page.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
# what the scripts below start with
COMMON = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const window = Services.wm.getMostRecentWindow("mail:3pane");
const pane = () => window.document.getElementById("tabmail").currentAbout3Pane;
const root = () => MailServices.accounts.getAccount("account1").incomingServer.rootFolder;
const named = name => root().descendants.find(f => f.name.toLowerCase() == name.toLowerCase());
"""
TRUST = """
const [certificate, user, password, imap, smtp] = arguments;
const cert = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).constructX509FromBase64(certificate);
for (const port of [imap, smtp])
    Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService)
        .rememberValidityOverride("localhost", port, {}, cert, true);
for (const where of ["imap://localhost", "smtp://localhost"]) {
    const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
    login.init(where, null, where, user, password, "", "");
    await Services.logins.addLoginAsync(login);
}
"""


class Marionette:
    def __init__(self, port):
        end = deadline(60)
        while True:
            try:
                self.sock = socket.create_connection(("127.0.0.1", port), 5)
                break
            except OSError:
                assert time.monotonic() < end, "no answer from the program's automation port"
                time.sleep(0.2)
        self.sock.settimeout(60 * PATIENCE)
        self.data, self.n = b"", 0
        self.receive()
        self.call("WebDriver:NewSession", {})
        self.call("Marionette:SetContext", {"value": "chrome"})
        self.call("WebDriver:SetTimeouts", {"script": 60000 * PATIENCE})

    def receive(self):
        while b":" not in self.data:
            self.fill()
        size, _, self.data = self.data.partition(b":")
        while len(self.data) < int(size):
            self.fill()
        text, self.data = self.data[:int(size)], self.data[int(size):]
        return json.loads(text)

    def fill(self):
        got = self.sock.recv(65536)
        assert got, "the program has ended"
        self.data += got

    def call(self, name, parameters):
        self.n += 1
        text = json.dumps([0, self.n, name, parameters]).encode()
        self.sock.sendall(b"%d:%s" % (len(text), text))
        while True:
            _, n, error, result = self.receive()
            if n == self.n:
                assert error is None, f"{name}: {error}"
                return result

    def script(self, text, *args):
        """Runs it in the program; what it returns, promises kept."""
        text = "const done = arguments[arguments.length - 1];\n(async function () {" + text + "}).apply(null, arguments)" \
               ".then(value => done([true, value ?? null]), e => done([false, String(e) + e.stack]));"
        ok, value = self.call("WebDriver:ExecuteAsyncScript", {"script": text, "args": list(args), "sandbox": "system"})["value"]
        assert ok, value
        return value


class Thunderbird:
    def __init__(self, site, directory, shots, imap, user="alice"):
        self.shots, [port] = shots, free_ports(1)
        profile = directory / "profile"
        profile.mkdir()
        values = {**PREFERENCES, "marionette.port": port, "mail.server.server1.port": imap, "mail.server.server1.userName": site.address(user),
                  "mail.smtpserver.smtp1.port": site.ports["submission"], "mail.smtpserver.smtp1.username": site.address(user),
                  "mail.identity.id1.useremail": site.address(user)}
        (profile / "prefs.js").write_text("".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in values.items()))
        self.screen = subprocess.Popen(["Xvfb", "-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL)
        display = b":" + self.screen.stdout.readline().strip()
        env = {**os.environ, "DISPLAY": display.decode(), "HOME": str(directory), "MOZ_CRASHREPORTER_DISABLE": "1", "XDG_RUNTIME_DIR": str(directory)}
        self.log = open(directory / "thunderbird.log", "wb")
        self.process = subprocess.Popen(["thunderbird", "--profile", profile, "--no-remote", "--marionette", "--remote-allow-system-access"],
                                        env=env, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        try:
            self.inside = Marionette(port)
            self.wait("return !!window && !!pane() && pane().document.readyState == 'complete'", "the main window")
            der = base64.b64encode(base64.b64decode("".join(site.certificate.read_text().split("-----")[2].split()))).decode()
            self.script(TRUST, der, site.address(user), site.password(user), imap, site.ports["submission"])
        except BaseException:
            self.close()
            raise

    def script(self, text, *args):
        return self.inside.script(COMMON + text, *args)

    def wait(self, text, what, *args, seconds=30):
        end = deadline(seconds)
        while not (value := self.script(text, *args)):
            if time.monotonic() > end:
                self.shot("failure")
                raise AssertionError(f"waited for {what}")
            time.sleep(0.2)
        return value

    def shot(self, name):
        picture = self.inside.call("WebDriver:TakeScreenshot", {"full": False})["value"]
        (self.shots / f"thunderbird-{name}.png").write_bytes(base64.b64decode(picture))

    def open(self, mailbox):
        """Shows a mailbox, as a click on it does."""
        self.wait("return !!named(arguments[0])", f"the mailbox {mailbox}", mailbox)
        self.script("pane().displayFolder(named(arguments[0]).URI)", mailbox)

    def subjects(self):
        """What the message list shows, from above."""
        return self.script("const v = pane().gDBView; return v ? [...Array(v.rowCount).keys()].map(i => v.getMsgHdrAt(i).mime2DecodedSubject) : []")

    def wait_for_subjects(self, expected, seconds=30):
        end = deadline(seconds)
        while sorted(self.subjects()) != sorted(expected):
            if time.monotonic() > end:
                self.shot("failure")
                raise AssertionError(f"the list shows {self.subjects()}, not {expected}")
            time.sleep(0.2)

    def close(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.screen.terminate()
        self.screen.wait()
        self.log.close()
