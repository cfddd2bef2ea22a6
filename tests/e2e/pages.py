"""Runs the commands that a page of the documentation shows, and compares what they print with it.

Usage: pages.py FFE PAGE.md. In blocks between ``` lines, "$ " begins a command; what follows is its
output, in which "…" stands for anything within a line, and a line "…" alone for any number of lines.
Commands that fetch or build the project are passed over: the test runs in a built one.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

PASSED_OVER = ("git clone", "cd ffe", "make ", "export PATH")
ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "ffe"
SKIPPED = 77


def commands(page):
    """(command, expected lines) in order."""
    out = []
    inside = False
    for line in page.read_text().splitlines():
        if line.startswith("```"):
            inside = not inside
        elif inside and line.startswith("$ "):
            out.append((line[2:], []))
        elif inside and out:
            out[-1][1].append(line)
    return out


def pattern(lines):
    parts = []
    for line in lines:
        if line == "…":
            parts.append("(?:.*\n)*?")
        else:
            parts.append(".*?".join(re.escape(p) for p in line.split("…")) + "\n")
    return re.compile("".join(parts))


class Shell:
    """One bash for a whole page, as a reader has one."""

    def __init__(self, ffe, folder):
        home = folder / "home"
        (home / ".cache").mkdir(parents=True)
        (home / ".cache/ffe").symlink_to(MODELS)
        (folder / "scripts").symlink_to(ROOT / "scripts")
        environment = {
            "HOME": str(home), "LANG": "C.UTF-8", "PATH": f"{ffe.parent}:{os.environ['PATH']}",
            "TERM": "dumb",
        }  # fmt: skip
        self.process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"], cwd=folder, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=1,
        )  # fmt: skip

    def run(self, command):
        self.process.stdin.write(f"{command}\nprintf '\\n=== %s\\n' $?\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith("=== "):
                text = "".join(lines)
                return int(line[4:]), text[:-1] if text.endswith("\n") else text
            lines.append(line)
        raise AssertionError(f"the shell ended at: {command}\n{''.join(lines)}")

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


def run_page(ffe, page, folder):
    shell = Shell(ffe, folder)
    try:
        for command, expected in commands(page):
            if command.startswith(PASSED_OVER):
                continue
            status, out = shell.run(command)
            assert status == 0, f"$ {command}\n{out}exit {status}"
            match = pattern(expected).match(out)
            # A page may show the beginning of a long answer only.
            assert match, f"$ {command}\nprinted:\n{out}\nthe page shows:\n" + "\n".join(expected)
            print(f"$ {command}")
    finally:
        shell.run("ffe devnet down -q 2> /dev/null; true")
        shell.end()


def main():
    ffe, page = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    if not any((MODELS / "models").glob("*.gguf")):
        print("SKIPPED: no base model (make model)")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix="ffe-page.") as folder:
        run_page(ffe, page, pathlib.Path(folder))


if __name__ == "__main__":
    main()
