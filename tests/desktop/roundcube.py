"""roundcube.py - Debian's Roundcube with a configuration and an SQLite database of its own, served by PHP, looked at with headless Chromium."""
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from postern_site import PATIENCE, free_ports

ROOT = Path("/var/lib/roundcube/public_html")
CONFIG = """<?php
$tls = ['ssl' => ['verify_peer' => true, 'verify_peer_name' => true, 'peer_name' => '{hostname}', 'cafile' => '{certificate}',
                  'allow_self_signed' => true]];
$config = [
    'db_dsnw' => 'sqlite:///{dir}/db?mode=0600',
    'imap_host' => 'ssl://127.0.0.1:{imap}',
    'imap_conn_options' => $tls,
    'smtp_host' => 'tls://127.0.0.1:{smtp}',
    'smtp_conn_options' => $tls,
    'smtp_user' => '%u',
    'smtp_pass' => '%p',
    'log_dir' => '{dir}/logs',
    'temp_dir' => '{dir}/temp',
    'des_key' => '0123456789abcdef01234567',
    'plugins' => [],
    'skin' => 'elastic',
    'enable_spellcheck' => false,
    'htmleditor' => 0,
    'draft_autosave' => 0,
    'refresh_interval' => 60,
    'mdn_requests' => 2,
    'language' => 'en_US',
];
"""


class Roundcube:
    """imap: the port of it."""

    def __init__(self, site, directory, imap):
        self.dir = directory / "roundcube"
        for name in ("config", "logs", "temp"):
            (self.dir / name).mkdir(parents=True)
        for name in ("defaults.inc.php", "mimetypes.php"):
            shutil.copy(Path("/etc/roundcube", name), self.dir / "config")
        (self.dir / "config/config.inc.php").write_text(CONFIG.format(hostname=site.hostname, certificate=site.certificate, dir=self.dir,
                                                                      imap=imap, smtp=site.ports["submission"]))
        with sqlite3.connect(self.dir / "db") as db:
            db.executescript(Path("/usr/share/roundcube/SQL/sqlite.initial.sql").read_text())
        [self.port] = free_ports(1)
        env = {**os.environ, "ROUNDCUBE_CONFIG_DIR": str(self.dir / "config"), "PHP_CLI_SERVER_WORKERS": "4"}
        with open(self.dir / "php.log", "wb") as log:
            self.process = subprocess.Popen(["php", "-S", f"127.0.0.1:{self.port}", "-t", str(ROOT)], env=env, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)

    def errors(self):
        """What Roundcube found wrong, with the server or with itself."""
        log = self.dir / "logs/errors.log"
        return log.read_text() if log.exists() else ""

    def close(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()


class Browser:
    """A person at the web page. Clicks go through the page's own commands where the skin hides its buttons in menus."""

    def __init__(self, port, shots):
        self.top, self.shots = f"http://127.0.0.1:{port}/", shots
        options = webdriver.ChromeOptions()
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900", "--no-proxy-server"):
            options.add_argument(word)
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)

    def wait(self, condition, what, seconds=15):
        """condition: of the driver; an element that has gone meanwhile is looked for again."""
        try:
            return WebDriverWait(self.driver, PATIENCE * seconds, ignored_exceptions=[Exception]).until(condition)
        except Exception:
            self.shot("failure")
            raise AssertionError(f"waited for {what}; the page: {self.driver.find_element(By.TAG_NAME, 'body').text[:2000]}") from None

    def one(self, selector):
        return self.wait(lambda d: d.find_element(By.CSS_SELECTOR, selector), selector)

    def script(self, text, *args):
        return self.driver.execute_script(text, *args)

    def open(self, query=""):
        self.driver.get(self.top + query)
        self.settle()

    def settle(self):
        """The page is loaded and waits for no answer."""
        self.wait(lambda d: d.execute_script("return document.readyState == 'complete' && (!window.rcmail || !rcmail.busy)"), "the page")

    def command(self, name, *args):
        """What a button of the page does, as soon as it can be pressed."""
        press = "if (rcmail.busy || !rcmail.commands[arguments[0]]) return false; rcmail.command.apply(rcmail, arguments); return true"
        self.wait(lambda d: d.execute_script(press, name, *args), f"the command {name}")
        self.settle()

    def log_in(self, user, password):
        self.open()
        self.one("#rcmloginuser").send_keys(user)
        self.one("#rcmloginpwd").send_keys(password)
        self.one("#rcmloginsubmit").click()
        self.one("#messagelist")
        self.settle()

    def subjects(self):
        """The message list as it is shown."""
        return [e.text for e in self.driver.find_elements(By.CSS_SELECTOR, "#messagelist tbody tr:not([style*='none']) .subject a")]

    def wait_for_subjects(self, expected, ordered=False):
        key = list if ordered else sorted
        self.wait(lambda _: key(self.subjects()) == key(expected), f"{expected}; there is {self.subjects()}")

    def mailbox(self, name):
        self.open(f"?_task=mail&_mbox={name}")
        self.one("#messagelist")

    def row(self, subject):
        """Selects a message."""
        self.wait(lambda d: next(e for e in d.find_elements(By.CSS_SELECTOR, "#messagelist .subject a") if e.text == subject), subject)
        self.script("""const row = [...document.querySelectorAll('#messagelist tbody tr')].find(r => r.querySelector('.subject a').innerText.trim()
                       == arguments[0]); rcmail.message_list.select(row.uid);""", subject)

    def fill(self, **fields):
        for name, text in fields.items():
            self.script("""const e = document.querySelector(`[name="${arguments[0]}"]`); e.value = arguments[1];
                           e.dispatchEvent(new Event('change'));""", "_" + name, text)

    def shot(self, name):
        self.driver.save_screenshot(str(self.shots / f"roundcube-{name}.png"))

    def close(self):
        self.driver.quit()


def wait_for(condition, what, seconds=15):
    end = time.monotonic() + PATIENCE * seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)
