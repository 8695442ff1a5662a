"""The command line as an operator meets it: what it prints, what it says when something is wrong, its exit status."""
import json
import subprocess

import pytest

from command import POSTERN, postern


def test_help_lists_the_commands():
    status, out, err = postern("--help")
    assert (status, err) == (0, "")
    assert "config check" in out and "75 try later" in out
    status, out, err = postern("config", "--help")
    assert status == 0 and "config show" in out and "version" not in out.replace("postern 0", "")
    status, out, err = postern("config", "show", "--help")
    assert status == 0 and out.startswith("usage: postern [-c FILE] config show [--json]\n")


def test_the_manual_tells_every_command():
    manual = postern("--help", "--man")[1]
    for line in postern("--help")[1].splitlines():
        if line.startswith("  ") and line[2] != " ":
            words = [w for w in line.split("  ")[1].split(" ") if w.isalpha() and w.islower()]
            assert f".It Ic {' '.join(words)}" in manual


@pytest.mark.parametrize("words,why", [
    ([], "a command is missing"),
    (["nope"], "there is no command nope"),
    (["config"], "there is no command config"),
    (["config", "nope"], "there is no command config nope"),
    (["config", "check", "more"], "too many arguments"),
    (["config", "check", "--nope"], "there is no option --nope"),
    (["config", "check", "--json=yes"], "--json takes no value"),
    (["config", "check", "--man"], "this command does not know that option"),
    (["config", "check", "-c"], "-c wants a file"),
    (["config", "check", "--", "--json"], "too many arguments"),
    (["nope", "--help"], "there is no command nope"),
])
def test_wrong_usage_is_told_in_one_line(words, why):
    status, out, err = postern(*words)
    assert (status, out) == (2, "")
    assert err.startswith(f"postern: {why}") and err.count("\n") == 1


def test_config_check(site):
    assert postern("config", "check", conf=site) == (0, f"{site}: no errors\n", "")
    status, out, err = postern("config", "check", "--json", conf=site)
    assert (status, json.loads(out), err) == (0, {"ok": True, "errors": []}, "")


def test_config_check_tells_file_line_and_remedy(site):
    site.write_text(site.read_text() + 'limits { hops = 5 }\nlog { formt = json }\ntls { certificate = "/c" key = "/k" }\n')
    status, out, err = postern("config", "check", conf=site)
    assert (status, out) == (1, "")
    assert err == (f"{site}:5: hops: out of range, write a value from 25 to 1000\n"
                   f'{site}:6: "formt" is not known, did you mean "format"?\n')
    site.write_text(site.read_text().replace("hops = 5", "").replace("formt", "format"))
    status, out, err = postern("config", "check", conf=site)
    assert (status, err) == (1, f"{site}:7: certificate: /c: No such file or directory, name a file that can be read\n")
    status, out, err = postern("config", "check", "--json", conf=site)
    assert status == 1 and json.loads(out)["errors"][0]["line"] == 7


def test_where_the_configuration_is_looked_for(site, tmp_path):
    assert postern("config", "check", env={"POSTERN_CONF": str(site)})[0] == 0
    missing = tmp_path / "missing.conf"
    status, out, err = postern("config", "check", conf=missing, env={"POSTERN_CONF": str(site)})
    assert (status, out) == (1, "")
    assert err == f"{missing}: No such file or directory, name another file with -c or make this one\n"
    status, out, err = postern("config", "show", conf=missing)
    assert (status, out) == (1, "") and err.startswith(f"{missing}: ")


def test_config_show(site):
    status, out, err = postern("config", "show", conf=site)
    assert (status, err) == (0, "")
    assert f"# {site}:1\n" in out and "# default\n" in out
    again = site.parent / "again.conf"
    again.write_text(out)
    assert postern("config", "show", "--json", conf=again)[0] == 0
    shown = json.loads(postern("config", "show", "--json", conf=site)[1])
    assert shown["domains"] == {"value": ["example.test"], "from": f"{site}:2"}


def test_config_doc():
    status, out, err = postern("config", "doc")
    assert (status, err) == (0, "") and "limits.message_size = 50M" in out
    keys = json.loads(postern("config", "doc", "--json")[1])
    assert {"section": "imap", "name": "separator"}.items() <= next(k for k in keys if k["name"] == "separator").items()
    assert postern("config", "doc", "--man")[1].startswith(".Dd ")


def test_version():
    status, out, err = postern("version")
    assert (status, err) == (0, "") and out.startswith("postern ")
    assert set(json.loads(postern("version", "--json")[1])) >= {"postern", "openssl", "lmdb"}


def test_output_that_nobody_takes_is_a_failure():
    with open("/dev/full", "w") as full:
        done = subprocess.run([POSTERN, "config", "doc"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and "standard output" in done.stderr
