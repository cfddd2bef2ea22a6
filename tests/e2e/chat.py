"""ffe chat on a terminal, and ffe run in a pipe that closes."""

import os
import pathlib
import pty
import select
import signal
import stat
import subprocess
import sys
import tempfile
import time

import tiny_model


class Terminal:
    """A person at a terminal: types, and waits for what appears."""

    def __init__(self, command, environment):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, environment)
        self.seen = ""

    def status(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def type(self, text):
        os.write(self.master, text.encode())

    def wait(self, text, seconds=60):
        """What appeared up to and with `text`."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, f"{text!r} never came after {self.seen!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    assert text in self.seen, f"it ended before {text!r}: {self.seen!r}"
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def wait_any(self):
        """Something more than what was waited for."""
        while not self.seen.strip():
            assert select.select([self.master], [], [], 60)[0], "nothing came"
            self.seen += os.read(self.master, 65536).decode(errors="replace")


def talk(ffe, model, folder, environment):
    t = Terminal(
        [ffe, "chat", "--model", str(model), "--temperature", "0.2", "--seed", "1"], environment
    )
    t.wait("/help lists the commands")
    t.wait("> ")
    t.type("/set max-tokens 5\r")
    t.wait("> ")
    t.type("hello\r")
    t.wait("the longest answer allowed")
    t.wait("> ")
    t.type("/set max-tokens 3000\r")
    t.wait("> ")
    t.type("tell me more\r")
    t.wait("more\r\n")
    t.wait_any()
    t.type("\x03")  # ends the answer, not the program
    t.wait("(stopped)")
    t.wait("> ")
    t.type("half a line\x03")  # drops the line
    t.wait("> ")
    t.type("/fly\r")
    t.wait("unknown command /fly")
    t.wait("> ")
    t.type("\x1b[A\r")  # the last line again
    t.wait("unknown command /fly")
    t.wait("> ")
    t.type("\x04")
    assert t.status() == 0
    history = folder / "state" / "ffe" / "chat-history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600, oct(history.stat().st_mode)
    lines = history.read_text().splitlines()
    assert "hello" in lines and "half a line" not in lines, lines


def without_history(ffe, model, folder, environment):
    environment = environment | {"XDG_STATE_HOME": str(folder / "other")}
    t = Terminal([ffe, "chat", "--model", str(model), "--no-history"], environment)
    t.wait("> ")
    t.type("/set max-tokens 2\r")
    t.wait("> ")
    t.type("secret\r")
    t.wait("the longest answer allowed")
    t.wait("> ")
    t.type("/exit\r")
    assert t.status() == 0
    assert not (folder / "other").exists()


def scripts(ffe, model, environment):
    run = [ffe, "run", "hello", "--model", str(model), "--max-tokens", "3000", "--quiet"]
    # The reader goes away.
    process = subprocess.Popen(
        run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    process.stdout.read(1)
    process.stdout.close()
    prose = process.stderr.read().decode()
    assert process.wait(timeout=60) == 1 and "cannot write to stdout" in prose, prose
    # Ctrl-C ends a script.
    process = subprocess.Popen(
        run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    _, prose = process.communicate(timeout=60)
    assert process.returncode == 130 and b"error: interrupted" in prose, prose
    # Nobody at the keyboard: no question is asked.
    process = subprocess.run(
        [ffe, "chat", "--model", str(model), "--max-tokens", "2"], stdin=subprocess.DEVNULL,
        capture_output=True, env=environment,
    )  # fmt: skip
    assert process.returncode == 0 and process.stdout == b"", process


def main():
    ffe = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="ffe-e2e-chat-") as name:
        folder = pathlib.Path(name)
        model = tiny_model.write(folder / "model", ends=False)
        environment = os.environ | {
            "HOME": name, "XDG_STATE_HOME": name + "/state", "XDG_CACHE_HOME": name + "/cache",
            "TERM": "xterm",
        }  # fmt: skip
        talk(ffe, model, folder, environment)
        without_history(ffe, model, folder, environment)
        scripts(ffe, model, environment)
    return 0


sys.exit(main())
