"""Ctrl-C while everything runs: exit status 130, and no process is left behind."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time


def processes_naming(text):
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in command and int(entry.name) != os.getpid():
            found.append(command)
    return found


def main():
    ffe = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="ffe-e2e-") as folder:
        demo = subprocess.Popen(
            [ffe, "demo", "--dir", folder + "/demo"], stderr=subprocess.PIPE, text=True
        )
        for line in demo.stderr:
            if "the base model is not on this machine" in line:
                print("SKIPPED: no base model")
                return 77
            if "Opened" in line:
                break
        children = processes_naming(folder)
        assert len(children) >= 3, children  # storage node, enclave service, the demo itself
        demo.send_signal(signal.SIGINT)
        rest = demo.stderr.read()
        assert demo.wait(timeout=30) == 130, (demo.returncode, rest)
        assert "error: interrupted" in rest, rest
        time.sleep(0.5)
        assert not processes_naming(folder), processes_naming(folder)
    return 0


sys.exit(main())
