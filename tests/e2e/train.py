"""ffe train as a process: killed, interrupted, out of disk; then the same bits as undisturbed."""

import contextlib
import ctypes
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import tiny_model


FILES = {
    "README.md", "adapter.gguf", "adapter_config.json", "adapter_model.safetensors", "report.json",
}  # fmt: skip


class Training:
    def __init__(self, ffe, folder):
        self.ffe = ffe
        self.folder = pathlib.Path(folder)
        self.model = tiny_model.write(self.folder / "model", hidden=64, layers=2)
        self.rows = tiny_model.write_rows(self.folder / "rows.jsonl", 96)
        self.environment = os.environ | {"XDG_CACHE_HOME": folder + "/cache", "HOME": folder}

    def command(self, out, *more):
        return [
            self.ffe, "train", str(self.rows), "--model", str(self.model), "--out", str(out),
            "--eval-split", "0.1", "--epochs", "20", "--batch-tokens", "512", "--dropout", "0.1",
            "--checkpoint-seconds", "0.1", "--threads", "1", *more,
        ]  # fmt: skip

    def start(self, out, *more):
        return subprocess.Popen(
            self.command(out, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=self.environment,
        )  # fmt: skip

    def finish(self, out, *more):
        process = self.start(out, *more)
        result, prose = process.communicate(timeout=120)
        return process.returncode, result, prose

    def adapter(self, out):
        return hashlib.sha256((out / "adapter_model.safetensors").read_bytes()).hexdigest()


def wait_for(path, process, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists() and process.poll() is None:
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.002)


def kill_at_random_moments(t, whole, seconds):
    """-9 at a moment drawn over the length of an undisturbed run, until one run gets through."""
    draw = random.Random(7)
    out = t.folder / "killed"
    kills = 0
    while True:
        process = t.start(out, "--resume", "--threads", str(1 + kills % 2))
        try:
            process.communicate(timeout=draw.uniform(0.02, 0.4) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, process.returncode
        kills += 1
        assert kills < 200, "no progress"
    assert kills >= 3, kills
    assert t.adapter(out) == whole, f"other bits after {kills} kills"
    assert {p.name for p in out.iterdir()} == FILES, list(out.iterdir())
    print(f"train: the same bits after {kills} kills")


def interrupt_and_resume(t, whole):
    out = t.folder / "interrupted"
    process = t.start(out)
    wait_for(out / "checkpoint.ffe", process)
    time.sleep(0.15)
    process.send_signal(signal.SIGINT)
    result, prose = process.communicate(timeout=30)
    assert process.returncode == 130, (process.returncode, prose)
    assert result == "", result
    assert "error: interrupted after step " in prose and "hint: go on: ffe train " in prose, prose
    assert prose.rstrip().endswith("--resume"), prose
    assert not (out / "adapter_model.safetensors").exists()
    code, _, prose = t.finish(out)
    assert code == 2 and "holds the checkpoint of a training that did not end" in prose, prose
    code, _, prose = t.finish(out, "--resume", "--lr", "0.002")
    assert code == 2 and "recipe.learningRate was 0.001 and is now 0.002" in prose, prose
    (t.folder / "rows.jsonl").rename(t.folder / "kept.jsonl")
    tiny_model.write_rows(t.rows, 95)
    code, _, prose = t.finish(out, "--resume")
    assert code == 2 and "another training: data." in prose, prose
    (t.folder / "kept.jsonl").rename(t.rows)
    code, result, prose = t.finish(out, "--resume", "--threads", "2")
    assert code == 0 and result.strip() == str(out), (code, result, prose)
    assert "Resuming after step " in prose, prose
    assert t.adapter(out) == whole


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"size={kilobytes}k,mode=0700".encode()
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, options) != 0:
        print("train: NO SMALL DISK: mounting a tmpfs needs root")
        yield False
        return
    try:
        yield True
    finally:
        libc.umount2(str(folder).encode(), 2)


def full_disk(t, whole):
    disk = t.folder / "disk"
    # A checkpoint of this model takes about 200 KB; two fit while one replaces the other.
    with small_disk(disk, 2048) as mounted:
        if not mounted:
            return
        out = disk / "out"
        process = t.start(out)
        wait_for(out / "checkpoint.ffe", process)
        fill(disk / "ballast")
        _, prose = process.communicate(timeout=60)
        assert process.returncode == 1, (process.returncode, prose)
        assert "error: cannot write " in prose and "hint: the disk is full" in prose, prose
        assert sorted(p.name for p in out.iterdir()) == ["checkpoint.ffe"], list(out.iterdir())
        (disk / "ballast").unlink()
        code, _, prose = t.finish(out, "--resume", "--no-gguf")
        assert code == 0, prose
        assert t.adapter(out) == whole


def fill(file):
    with contextlib.suppress(OSError), open(file, "wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)


def main():
    with tempfile.TemporaryDirectory(prefix="ffe-e2e-train-") as folder:
        t = Training(sys.argv[1], folder)
        begin = time.monotonic()
        code, result, prose = t.finish(t.folder / "whole")
        seconds = time.monotonic() - begin
        assert code == 0 and result == str(t.folder / "whole") + "\n", (code, result, prose)
        whole = t.adapter(t.folder / "whole")
        kill_at_random_moments(t, whole, seconds)
        interrupt_and_resume(t, whole)
        full_disk(t, whole)
    return 0


sys.exit(main())
