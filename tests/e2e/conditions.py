"""ffe where things are not as they should be: narrow and plain terminals, closed pipes, full disks,
a home that cannot be written, and each exit status that needs no network.

Usage: conditions.py FFE
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

import command
from terminal import on_terminal, visible_lines

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = '{"prompt":"a b c","completion":"d e f"}\n'


def test_narrow_terminal(user):
    big = user.home / "a-file-with-quite-a-long-name-for-a-narrow-terminal.bin"
    with big.open("wb") as f:
        f.truncate(1 << 30)
    status, shown = on_terminal(user, "storage", "root", big, columns=40, TERM="xterm")
    assert status == 0, shown
    drawn = [line for line in visible_lines(shown) if "Hashing" in line and "%" in line]
    assert drawn and all(len(line) < 40 for line in drawn), shown
    status, shown = on_terminal(user, "help", "session", "open", columns=40, TERM="xterm")
    body = shown.split("Examples")[0]
    assert status == 0 and all(len(line) <= 40 for line in visible_lines(body)), shown
    big.unlink()


def test_no_locale(user, rows):
    plain = {"LANG": "", "LC_ALL": "C", "TERM": "xterm"}
    status, shown = on_terminal(user, "check", rows, **plain)
    assert status == 0 and shown.isascii() and "rows - 0 repeated" in shown, shown
    assert "\x1b[1m" not in on_terminal(user, "check", rows, NO_COLOR="1")[1]
    coloured = {"NO_COLOR": "", "TERM": "xterm"}
    assert "\x1b[1m" in on_terminal(user, "check", rows, **coloured)[1]
    assert "\x1b[1m" not in on_terminal(user, "check", rows, NO_COLOR="", TERM="dumb")[1]


def test_closed_pipe(user):
    for end in ("| head -n 1", "| true"):
        shell = f'set -o pipefail; "{user.ffe}" help {end}'
        run = subprocess.run(["bash", "-c", shell], env=user.environment, capture_output=True, text=True)
        assert run.stderr == "" and run.returncode in (0, 1), run
    # A closed stderr stops no work.
    run = subprocess.run(["bash", "-c", f'"{user.ffe}" completion bash 2>&- | wc -l'],
                         env=user.environment, capture_output=True, text=True)  # fmt: skip
    assert int(run.stdout) > 10, run


def test_full_disk(user, rows):
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [user.ffe, "check", rows], env=user.environment, stdout=full, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
    assert run.returncode == 1 and "the disk is full" in run.stderr, run


def in_namespace(user, mount, command_line):
    """Runs in a mount namespace of its own, where this user may make one; else nothing."""
    script = f"{mount} && {command_line}"
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0:
        return None
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], env=user.environment, capture_output=True, text=True,
        cwd="/",
    )  # fmt: skip


def test_mounts(user, rows):
    home, password = user.home, user.home / "password"
    (home / "place").mkdir()
    password.write_text("correct horse\n")
    full = in_namespace(
        user, f"mount -t tmpfs -o size=8k tmpfs {home}/place",
        f"head -c 8192 /dev/zero > {home}/place/stone 2> /dev/null; XDG_CONFIG_HOME={home}/place"
        f" {user.ffe} key new alice --password-file {password}",
    )  # fmt: skip
    if full is None:
        print("no mount namespaces here: full and read-only folders were not tried")
        return
    assert full.returncode == 1 and "No space left" in full.stderr + full.stdout, full
    read_only = f"mount -t tmpfs -o ro tmpfs {home}/place"
    at = f"HOME={home}/place {user.ffe}"
    for fine in ("help exit-codes", f"check {rows}", "doctor", "key list"):
        run = in_namespace(user, read_only, f"{at} {fine}")
        assert run.returncode == 0, run
    assert "read-only" in in_namespace(user, read_only, f"{at} doctor").stdout
    run = in_namespace(user, read_only, f"{at} key new alice --password-file {password}")
    assert run.returncode == 1 and "Read-only file system" in run.stderr, run
    assert "hint: " in run.stderr, run


def test_statuses(user, rows):
    user.run("help", status=0)
    user.run("check", user.home / "absent", status=1)
    user.run("chekc", status=2)
    user.run("key", "new", "carol", "--no-input", status=4)
    network = user.home / "nowhere.json"
    network.write_text(
        '{"name":"nowhere","chainId":31337,"rpcUrl":"http://127.0.0.1:1","coordinator":"0x%s",'
        '"registry":"0x%s","inft":"0x%s","fromBlock":0,"storageNodes":[],"enclaveUrls":[],'
        '"releases":[]}' % ("1" * 40, "2" * 40, "3" * 40)
    )
    unreachable = user.json("session", "list", "--network", network, status=6)
    assert unreachable.json["error"]["code"] == "network"
    # A question that nobody answers, and Ctrl-C at it.
    status, shown = on_terminal(user, "key", "new", "carol", prompt="password", keys="\x03")
    assert status == 130 and "carol" not in user.run("key", "list").out, (status, shown)
    # Without a terminal nothing is asked.
    start = time.monotonic()
    refused = user.run("key", "new", "carol", status=4)
    assert "--password-file" in refused and time.monotonic() - start < 5, refused


def all_commands(user):
    def leaves(command):
        below = [leaf for sub in command["commands"] for leaf in leaves(sub)]
        return below or [command["command"]]

    return set(leaves(user.json("help").json))


def test_every_command_has_a_schema(user):
    missing = all_commands(user) - set(user.schema["commands"])
    assert not missing, missing


def sources_of(test):
    """The files of a test that docs/spec/cli.md names."""
    kind, _, name = test.partition(".")
    tests = ROOT / "tests"
    files = {
        "cli": sorted((tests / "cli").glob("*.cpp")),
        "e2e": [tests / f"e2e/{name}.py"],
        "page": [ROOT / f"docs/guide/{name}.md"],
        "interop": [tests / f"interop/{name}/interop.mjs"],
    }[kind]
    assert files and all(f.exists() for f in files), f"no such test: {test}"
    # What the scripts share does its part of the commands.
    return files + ([tests / "e2e/command.py", tests / "e2e/small_session.py", tests / "e2e/sealed.py"] if kind == "e2e" else [])


def test_every_command_has_a_test(user):
    """By the table of docs/spec/cli.md; and one of the tests it names says the command's words."""
    table = (ROOT / "docs/spec/cli.md").read_text().split("\n## Commands and the tests")[1].split("\n## ")[0]
    tests_of = {}
    for names, tests in re.findall(r"(?m)^\| (`.*`) \| (.*) \|$", table):
        for name in re.findall(r"`([^`]*)`", names):
            tests_of[f"ffe {name}"] = re.findall(r"`((?:cli|e2e|page|interop)(?:\.[\w-]+)?)`", tests)
    commands = all_commands(user)
    assert set(tests_of) == commands, set(tests_of) ^ commands
    missing = []
    for name, tests in tests_of.items():
        texts = [f.read_text() for test in tests for f in sources_of(test)]
        words = re.compile(r'"?[,\s]+"?'.join(map(re.escape, name.split()[1:])) + r"\b")
        missing += [] if any(words.search(t) for t in texts) else [f"{name}: none of {tests} runs it"]
    assert not missing, "\n".join(missing)


def main(ffe, folder):
    user = command.User(ffe, pathlib.Path(folder) / "home")
    rows = user.home / "rows.jsonl"
    rows.write_text(ROW + ROW.replace("a b c", "x y z").replace("d e f", "u v w"))
    test_narrow_terminal(user)
    test_no_locale(user, rows)
    test_closed_pipe(user)
    test_full_disk(user, rows)
    test_mounts(user, rows)
    test_statuses(user, rows)
    test_every_command_has_a_schema(user)
    test_every_command_has_a_test(user)
    # Commands whose answers need no network, each against its schema.
    user.json("help")
    user.json("help", "exit-codes")
    user.json("help", "--manual", user.home / "man")
    user.json("completion", "bash")
    user.json("doctor")
    user.json("storage", "root", rows)
    user.json("model", "list")
    user.json("attest", "measure", ffe)
    address = user.key("dave")
    user.json("key", "export", "dave", user.home / "dave.json")
    user.json("key", "export", "dave", user.home / "dave.hex", "--private-key",
              "--password-file", user.home / "password")  # fmt: skip
    assert (user.home / "dave.hex").stat().st_mode & 0o777 == 0o600
    again = user.json("key", "import", "erin", user.home / "dave.hex",
                      "--password-file", user.home / "password")  # fmt: skip
    assert again.json["address"] == address
    assert set(user.statuses) >= {0, 1, 2, 4, 6}, user.statuses  # 3, 5 and 7: session.py


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ffe-conditions.") as temporary:
        main(pathlib.Path(sys.argv[1]).resolve(), temporary)
