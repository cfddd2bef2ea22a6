"""Runs the commands that a page of the documentation shows, and compares what they print with it.

Usage: pages.py FFE PAGE.md

In a block between ``` lines "$ " begins a command, which may go on after a line that ends in "\\";
what follows is all its output, in which

  …             stands for anything within a line, and as a line of its own for any lines;
  0x1f2e…       of eight digits and more, and 127.0.0.1:PORT, are this run's own: each stands for
                one value all through the page, in commands too;
  1.2s          is any time, and "error: …" says that the command fails.

A comment in front of a block says how else to take it:

  <!-- not run: WHY -->     it cannot run here; its `ffe` commands must exist, with their options
  <!-- file: NAME -->       the block is that file
  <!-- until: TEXT -->      its command goes on in the background once it has printed TEXT

and <!-- run: COMMAND --> anywhere is a step that the reader need not see. A block that holds
neither commands nor a mark is a mistake, if it names no other language. `ffe …` and `make …` in the
prose must exist too. At the end stands what ran and what did not, and why. With FFE_SHOW in the
environment all output is printed.
"""

import dataclasses
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "ffe"
SKIPPED = 77
SHELLS = ("", "sh", "console")
MARK = re.compile(r"<!-- (not run|file|until|run): (.+) -->$")
OWN = re.compile(r"0x[0-9a-fA-F]{8,}|127\.0\.0\.1:\d+")
SECONDS = re.compile(r"\d+(?:\.\d+)?s\b")


@dataclasses.dataclass
class Step:
    line: int
    command: str = ""
    expected: list = dataclasses.field(default_factory=list)
    until: str = ""  # in the background
    file: str = ""
    hidden: bool = False
    said: str = ""


@dataclasses.dataclass
class Page:
    steps: list
    not_run: list  # (line, why, text)
    prose: str


def blocks(text):
    """(line, language, mark, lines) of each block; hidden steps as (line, None, ("run", command), [])."""
    block, mark, prose = None, None, []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if block is None:
                block = (number, line[3:].strip(), mark, [])
            else:
                yield block
                block = None
            mark = None
        elif block is not None:
            block[3].append(line)
        elif (found := MARK.match(line)) and found[1] == "run":
            yield number, None, ("run", found[2]), []
        elif found:
            mark = (found[1], found[2])
        else:
            assert not line.startswith("<!-- "), f"line {number}: a comment that means nothing here"
            prose.append(line)
    assert block is None, "a block that does not end"
    yield 0, "prose", None, prose


def commands_of(line, lines, until):
    """The commands of a block with their output."""
    steps = []
    for number, text in enumerate(lines, line + 1):
        if text.startswith("$ "):
            steps.append(Step(number, text[2:], until=until))
        elif steps and steps[-1].command.endswith("\\") and not steps[-1].expected:
            steps[-1].command += "\n" + text
        else:
            assert steps, f"line {number}: output before any command"
            steps[-1].expected.append(text)
    return steps


def read(file):
    page = Page([], [], "")
    for line, language, mark, lines in blocks(file.read_text()):
        kind, value = mark or ("", "")
        if language == "prose":
            page.prose = "\n".join(lines)
        elif kind == "run":
            page.steps.append(Step(line, value, hidden=True))
        elif kind == "not run":
            page.not_run.append((line, value, "\n".join(lines)))
        elif kind == "file":
            page.steps.append(Step(line, file=value, expected=lines))
        elif language in SHELLS:
            assert any(x.startswith("$ ") for x in lines), (
                f"line {line}: this block is neither run nor marked"
            )
            page.steps += commands_of(line, lines, value)
    return page


class Names:
    """What the page calls by an address, a hash or a port, and what it is in this run."""

    def __init__(self):
        self.values = {}

    def own(self, name):
        """The value of a name, or of the longer name that it is the beginning of."""
        for full, value in self.values.items():
            if full.lower().startswith(name.lower()):
                return value[: len(name)] if len(name) < len(full) else value
        return None

    def command(self, text):
        return OWN.sub(lambda m: self.own(m[0]) or m[0], text)

    def pattern(self, lines):
        self.fresh = []
        return re.compile("".join(self.line(line) for line in lines))

    def line(self, line):
        if line == "…":
            return "(?:.*\n)*?"
        out, at = "", 0
        for m in re.finditer(rf"{OWN.pattern}|{SECONDS.pattern}|…", line):
            out += re.escape(line[at : m.start()])
            at = m.end()
            cut = line[at : at + 1] == "…"
            if m[0] == "…":
                out += ".*?"
            elif SECONDS.fullmatch(m[0]):
                out += SECONDS.pattern
            elif own := self.own(m[0]):
                out += f"(?i:{re.escape(own)})"
            else:
                self.fresh.append((m[0], cut))
                out += r"(127\.0\.0\.1:\d+)" if ":" in m[0] else r"(0x[0-9a-fA-F]+)"
        return out + re.escape(line[at:]) + "\n"

    def bind(self, match):
        for (name, cut), value in zip(self.fresh, match.groups()):
            if not cut:
                self.values.setdefault(name, value)


class Shell:
    """One bash for a whole page, as a reader has one."""

    def __init__(self, ffe, folder):
        home = folder / "home"
        (home / ".cache").mkdir(parents=True)
        (home / ".cache/ffe").symlink_to(MODELS)
        for name in ("scripts", "build", "include", "src", "tests"):
            (folder / name).symlink_to(ROOT / name)
        environment = {
            "HOME": str(home), "LANG": "C.UTF-8", "PATH": f"{ffe.parent}:{os.environ['PATH']}",
            "TERM": "dumb", "COLUMNS": "150",
        }  # fmt: skip
        self.folder = folder
        self.background = 0
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

    def start(self, command, until):
        self.background += 1
        log = self.folder / f"background-{self.background}.log"
        log.touch()
        self.run(f"{{ {command}\n}} > {shlex.quote(str(log))} 2>&1 & background+=\" $!\"")
        end = time.monotonic() + 120
        while until not in log.read_text() or not log.read_text().endswith("\n"):
            assert time.monotonic() < end, f"$ {command}\n{log.read_text()}never printed {until!r}"
            time.sleep(0.1)
        time.sleep(0.2)  # the rest of what it says at once
        return 0, log.read_text()

    def end(self):
        self.run("for p in $background; do kill $p 2> /dev/null; done; wait $background")
        self.process.stdin.close()
        self.process.wait(timeout=60)


def take(shell, names, step):
    """Runs one step; returns what is to be said about it."""
    if step.file:
        (pathlib.Path(shell.run("pwd")[1].strip()) / step.file).write_text(
            names.command("\n".join(step.expected)) + "\n"
        )
        return None
    command = names.command(step.command)
    start = time.monotonic()
    status, out = shell.start(command, step.until) if step.until else shell.run(command)
    step.said = out
    shown = "\n".join(step.expected)
    failed = any(line.startswith("error: ") for line in step.expected)
    where = f"line {step.line}: $ {command}\n{out}exit {status}"
    assert (status != 0) == failed, where
    if step.hidden:
        return None
    match = names.pattern(step.expected).fullmatch(out)
    assert match, f"{where}; the page shows:\n{shown}"
    names.bind(match)
    return f"{time.monotonic() - start:5.1f} s  $ {step.command.splitlines()[0]}"


# --- commands that are named, not run --------------------------------------------------------------


def table(ffe):
    """Command → its options, of the whole tree."""
    out = {}

    def walk(command):
        names = [o["name"] for o in command["options"]] + [o.get("letter") for o in command["options"]]
        out[command["command"]] = (set(names), bool(command["commands"]))
        for sub in command["commands"]:
            walk(sub)

    help_text = subprocess.run([ffe, "help", "--json"], capture_output=True, text=True, check=True)
    walk(json.loads(help_text.stdout))
    return out


def check_named(text, known, targets):
    """Each `ffe …` and `make …` of the text exists, with its options."""
    for target in re.findall(r"(?:^|`)make ([a-z][a-z0-9-]*)", text, re.M):
        assert target in targets, f"make {target}: no such target"
    for words in re.findall(r"(?:^|`)ffe((?: +[^\s`#|>]+)+)", text, re.M):
        words = words.split()
        name = "ffe"
        while words and f"{name} {words[0]}" in known:
            name += " " + words.pop(0)
        if known[name][1] and words and re.fullmatch(r"[a-z][a-z-]+", words[0]):
            raise AssertionError(f"{name} {words[0]}: no such command")
        for option in (w.split("=")[0] for w in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", w)):
            everywhere = known["ffe"][0] | {"--json", "--quiet", "-q", "--help"}
            assert option in known[name][0] | everywhere, f"{name} has no {option}"


def run_page(ffe, file, folder):
    page, names, said = read(file), Names(), []
    known = table(ffe)
    targets = re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.M)
    check_named(page.prose, known, targets)
    for _, _, text in page.not_run:
        check_named(text, known, targets)
    shell = Shell(ffe, folder)
    try:
        for step in page.steps:
            if (line := take(shell, names, step)) is not None:
                said.append(line)
                print(line, flush=True)
                if os.environ.get("FFE_SHOW"):
                    print(step.said, flush=True)
    finally:
        shell.run("ffe devnet down -q 2> /dev/null; true")
        shell.end()
    hidden = sum(step.hidden for step in page.steps)
    print(f"{file.name}: {len(said)} commands ran, {hidden} hidden steps, {len(page.not_run)} blocks did not run")
    for line, why, _ in page.not_run:
        print(f"  line {line}: {why}")


def main():
    ffe, page = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    if not any((MODELS / "models").glob("*.gguf")):
        print("SKIPPED: no base model (make model)")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix="ffe-page.") as folder:
        run_page(ffe, page, pathlib.Path(folder))


if __name__ == "__main__":
    main()
