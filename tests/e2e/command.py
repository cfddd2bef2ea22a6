"""Runs ffe as a user would, in a home of its own, and checks every JSON answer against its schema."""

import contextlib
import json
import os
import pathlib
import subprocess
import time

try:
    import jsonschema
except ImportError:  # Debian: python3-jsonschema
    jsonschema = None

SCHEMA = pathlib.Path(__file__).parents[2] / "docs/spec/cli.schema.json"


class Answer:
    def __init__(self, arguments, process):
        self.arguments = arguments
        self.status = process.returncode
        self.out = process.stdout
        self.err = process.stderr
        self.json = None

    def __str__(self):
        return f"$ ffe {' '.join(self.arguments)}\nexit {self.status}\n{self.out}{self.err}"

    def __contains__(self, piece):
        return piece in self.out + self.err


class User:
    """A home folder, and the accounts in it."""

    def __init__(self, ffe, home, **environment):
        self.ffe = str(ffe)
        self.home = pathlib.Path(home)
        self.home.mkdir(exist_ok=True)
        self.environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "LC_", "LANG"))
        } | {"HOME": str(home), "NO_COLOR": "1", "LANG": "C.UTF-8"} | environment  # fmt: skip
        self.schema = json.loads(SCHEMA.read_text())
        self.validated = set()
        self.statuses = {}  # exit status → the first command that reached it

    def run(self, *arguments, status=0, cwd=None, stdin=None, timeout=120, **environment):
        arguments = [str(a) for a in arguments]
        process = subprocess.run(
            [self.ffe, *arguments], cwd=cwd or self.home, env=self.environment | environment,
            text=True, capture_output=True, timeout=timeout, input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
        )  # fmt: skip
        answer = Answer(arguments, process)
        assert status is None or answer.status == status, f"expected exit {status}\n{answer}"
        self.statuses.setdefault(answer.status, answer)
        return answer

    def json(self, *arguments, status=0, **more):
        """One document on stdout, of the command's schema, or of an error's."""
        answer = self.run(*arguments, "--json", status=status, **more)
        answer.json = json.loads(answer.out)
        self.check(self.command_of(answer.arguments), answer.json)
        return answer

    def check(self, command, document):
        """That it is of the command's schema, or of an error's."""
        of = self.schema["$defs"]["error"] if "error" in document else None
        of = of or self.schema["commands"][command]
        if jsonschema is not None:
            schema = {"$schema": self.schema["$schema"], "$defs": self.schema["$defs"], **of}
            jsonschema.Draft202012Validator(schema).validate(document)
        self.validated.add(command)

    def command_of(self, arguments):
        words = ["ffe", *arguments]
        for n in (4, 3, 2):
            if " ".join(words[:n]) in self.schema["commands"]:
                return " ".join(words[:n])
        raise AssertionError(f"no schema for {words}")

    def key(self, name):
        """A new account; its address."""
        (self.home / "password").write_text("correct horse\n")
        self.json("key", "new", name, "--password-file", self.home / "password")
        return next(
            k["address"] for k in self.json("key", "list").json if k["name"] == name
        )  # fmt: skip

    def sign(self, name):
        return "--account", name, "--password-file", str(self.home / "password")


@contextlib.contextmanager
def devnet(user, *arguments, **environment):
    """The local network while the block runs; ended by `ffe devnet down`."""
    log = (user.home / "devnet.log").open("w+")
    process = subprocess.Popen(
        [user.ffe, "devnet", "up", *map(str, arguments)], env=user.environment | environment, text=True,
        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    end = time.monotonic() + 120
    try:
        while "Ready" not in (user.home / "devnet.log").read_text():
            assert process.poll() is None and time.monotonic() < end, log.seek(0) or log.read()
            time.sleep(0.05)
        yield process
        if process.poll() is None:
            user.json("devnet", "down")
        assert process.wait(timeout=30) == 0
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)
        log.close()
