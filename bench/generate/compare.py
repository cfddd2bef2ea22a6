"""Our generation beside llama.cpp's: the same GGUF file, the same threads, in turns, in one run.

compare.py BIN PYTHON SMOLLM2.gguf [--rounds N] [--tokens N] [--prompt N] [--threads N] [--numeric PATH]
           [--streams N,N…] [--alone]

BIN is the folder with the built generate_ours, PYTHON an interpreter with llama-cpp-python. Prompts
are the same token ids on both sides; numbers are medians of the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FRAMES = 2000


class Process:
    def __init__(self, arguments):
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.about = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args[0]} ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.read()


def median(answers, value):
    return statistics.median(map(value, answers))


def speed(answer):
    return answer["tokens"] / answer["seconds"]


def first(answer):
    return 1000 * answer["first"]


def measure(sides, streams, adapters, options):
    answers = [[] for _ in sides]
    for _ in range(options.rounds):
        for side, given in zip(sides, answers):
            given.append(
                side.ask(f"run {streams} {adapters} {options.prompt} {options.tokens}")
            )
    return answers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin")
    parser.add_argument("python")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--prompt", type=int, default=64)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--numeric", default="auto", help="our numeric path")
    parser.add_argument("--streams", default="1,2,4,8")
    parser.add_argument("--alone", action="store_true", help="ours without the peer")
    options = parser.parse_args()
    binary = str(Path(options.bin) / "generate_ours")
    threads = str(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        ours = Process([binary, "serve", options.model, options.numeric, threads])
        sides = [ours]
        if not options.alone:
            adapter = str(Path(folder) / "adapter.gguf")
            subprocess.run([binary, "adapter", options.model, adapter], check=True)
            peer = str(HERE / "peer.py")
            sides.append(Process([options.python, peer, options.model, adapter, threads]))
        table(sides, options)


def table(sides, options):
    about = sides[0].about
    print(f"ours: {about['numeric']} on {about['instruction_set']}, {about['threads']} threads; "
          f"loaded in {about['seconds']:.2f} s, {about['memory_mb']:.0f} MB; "
          f"{about['kv_bytes_per_token']} bytes of keys and values a token")  # fmt: skip
    for side in sides[1:]:
        print(f"peer: llama-cpp-python {side.about['version']}, {side.about['system']}; "
              f"loaded in {side.about['seconds']:.2f} s")  # fmt: skip
    print(f"prompts of {options.prompt} tokens, {options.tokens} tokens drawn\n")
    print("| streams | adapter | ours, tokens/s | peer | ratio | first token, ms | peer | memory, MB | peer |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    for side in sides:
        side.ask(f"run 1 0 {options.prompt} 16")  # unmeasured: caches
    best = {}
    for streams in map(int, options.streams.split(",")):
        for adapters in (0, 1):
            answers = measure(sides, streams, adapters, options)
            speeds = [median(a, speed) for a in answers]
            firsts = [median(a, first) for a in answers]
            memory = [a[-1]["memory_mb"] for a in answers]
            best[streams, adapters] = speeds
            theirs = [f"{speeds[1]:.0f}", f"{speeds[0] / speeds[1]:.2f}", f"{firsts[1]:.0f}",
                      f"{memory[1]:.0f}"] if len(sides) > 1 else ["", "", "", ""]  # fmt: skip
            print(f"| {streams} | {'yes' if adapters else 'no'} | {speeds[0]:.0f} | {theirs[0]} | "
                  f"{theirs[1]} | {firsts[0]:.0f} | {theirs[2]} | {memory[0]:.0f} | {theirs[3]} |",
                  flush=True)  # fmt: skip
    sealed = sides[0].ask(f"seal {FRAMES}")
    frame = sealed["seconds"] / FRAMES
    print(f"\nsealing one frame: {1e6 * frame:.1f} µs, {sealed['bytes'] / FRAMES:.0f} bytes; of the time of a token: "
          + ", ".join(f"{100 * frame * speeds[0]:.2f} % with {streams} stream(s)"
                      for (streams, adapters), speeds in best.items() if adapters == 0))  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
