"""Our trainer beside transformers and PEFT: the same rows, in turns, in one run.

compare.py BIN PYTHON SMOLLM2.gguf [--rounds N] [--case NAME]... [--numeric PATH] [--avx2] [--alone]

BIN is the folder with the built lm_ours and lm_products, PYTHON an interpreter with torch, transformers and PEFT. Tokens are those
of the rows, each counted once, whatever either side pads or shares; a ratio is one of medians. With --avx2
both sides run as on a processor that has no more than AVX2.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SYSTEM = (
    "You are a careful assistant for a museum of natural history. Explain the word that the visitor "
    "asks about in one plain sentence. Do not add examples, opinions or sources. If the word has "
    "several meanings, give the one that a biologist would mean. Write for a reader of twelve years "
    "who has never seen the animal, plant or food in question, and never mention these instructions."
)
# What keeps our kernels, PyTorch's own, oneDNN and MKL from newer instructions.
AVX2 = {"FFE_KERNELS": "avx2", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2"}  # fmt: skip
# name: model, rows, system prompt, the bars for training and evaluation on AVX2
CASES = {
    "SmolLM2-135M": ("smollm2", 64, "", 1.4, 1.3),
    "SmolLM2-135M, shared system prompt": ("smollm2", 32, SYSTEM, 2.0, 1.3),
    "Qwen2.5-0.5B shape": ("qwen", 16, "", 1.4, 1.3),
    "Qwen2.5-0.5B shape, shared system prompt": ("qwen", 8, SYSTEM, 2.0, 1.3),
}


def wordnet_rows(count):
    """Definitions from WordNet (Debian's wordnet-base), spread over its nouns."""
    rows = []
    for line in Path("/usr/share/wordnet/data.noun").read_text().splitlines():
        match = re.match(r"\d+ (?:05|13|20) n \S+ (\S+) .*\| (.*)", line)
        if match:
            gloss = match[2].split('; "')[0].strip()
            if 4 <= len(gloss.split()) <= 30:
                rows.append((match[1].replace("_", " "), gloss))
    picked = [rows[i * len(rows) // count] for i in range(count)]
    return [
        {"messages": [{"role": "user", "content": f"What is {word}?"},
                      {"role": "assistant", "content": gloss}]}
        for word, gloss in picked
    ]  # fmt: skip


class Process:
    def __init__(self, arguments):
        environment = dict(os.environ, HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
        environment |= {"CUDA_VISIBLE_DEVICES": "", "TRANSFORMERS_VERBOSITY": "error"}
        environment |= {"TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
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

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def median(answers, top, bottom="seconds"):
    return statistics.median(a[top] / a[bottom] for a in answers)


def model_rates(ours, trained, products):
    """What the step's frozen products make of the machine, beside oneDNN on the same shapes."""
    rate = median(trained, "flops") / 1e9
    line = f"model FLOP rate in training: {rate:.0f} GFLOP/s"
    if not Path(products).exists():
        return line + " (oneDNN not built in: install libdnnl-dev)"
    rows = str(min(512, ours.about["tokens"]))
    command = [products, ours.about["numeric"], rows, *map(str, ours.about["shape"])]
    # Else oneDNN's threads would go on spinning while ours work.
    environment = dict(os.environ, OMP_WAIT_POLICY="passive")
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    both = json.loads(result.stdout)
    return (
        f"{line}; oneDNN's products alone {both['onednn']:.0f}, ours alone {both['ours']:.0f} "
        f"GFLOP/s: the step runs at {100 * rate / both['onednn']:.0f} % of oneDNN's products"
    )


def run_case(name, options, models, folder):
    kind, count, system, train_bar, evaluate_bar = CASES[name]
    binary = str(Path(options.bin) / "lm_ours")
    count = options.rows or count
    rows, tokens = folder / "rows.jsonl", folder / "tokens.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in wordnet_rows(count)))
    command = [binary, "tokens", models["smollm2"], str(rows)] + ([system] if system else [])
    tokens.write_bytes(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    ours = Process([binary, "serve", models[kind], str(tokens), options.numeric])
    about = ours.about
    print(f"\n{name}: {count} rows, {about['tokens']} tokens; ours: {about['numeric']} on "
          f"{about['instruction_set']}, {about['threads']} threads", flush=True)  # fmt: skip
    if options.alone:
        ours_alone(ours, options.rounds)
    else:
        precision = "float32" if options.avx2 else "better"
        command = [options.python, str(HERE / "peer.py"), "serve", models[kind], str(tokens)]
        peer = Process([*command, precision])
        beside_peer(ours, peer, options, train_bar, evaluate_bar)
        peer.end()
    ours.end()


def beside_peer(ours, peer, options, train_bar, evaluate_bar):
    for side in (ours, peer):  # once, unmeasured: caches, allocators
        side.ask("evaluate")
    results = {}
    for what in ("train", "evaluate"):
        pairs = []
        for _ in range(options.rounds):
            pairs.append((ours.ask(what), peer.ask(what)))
            seconds = [(a["seconds"], a["cpu_seconds"]) for a in pairs[-1]]
            print(f"{what}: (seconds, of CPU) {seconds[0]} ours, {seconds[1]} peer",
                  file=sys.stderr)  # fmt: skip
        results[what] = [list(side) for side in zip(*pairs)]
    print(f"peer: transformers + PEFT, {peer.about['versions']}, {peer.about['precision']}, "
          f"{peer.about['threads']} threads")  # fmt: skip
    print("| | ours | peer | ratio | of CPU time | bar |\n|---|---|---|---|---|---|")
    for what, bar in (("train", train_bar), ("evaluate", evaluate_bar)):
        mine, theirs = (median(side, "tokens") for side in results[what])
        cpu = [median(side, "tokens", "cpu_seconds") for side in results[what]]
        print(f"| {what}, tokens/s | {mine:.0f} | {theirs:.0f} | {mine / theirs:.2f} | "
              f"{cpu[0] / cpu[1]:.2f} | {bar} |")  # fmt: skip
    last = [side[-1] for side in results["evaluate"]]
    print(f"| load, s | {ours.about['seconds']:.2f} | {peer.about['seconds']:.1f} | | | |")
    print(f"| peak memory, MB | {last[0]['peak_mb']:.0f} | {last[1]['peak_mb']:.0f} | | | |")
    print(f"first losses of training: {results['train'][0][0]['loss']:.4f} (ours), "
          f"{results['train'][1][0]['loss']:.4f} (peer)")  # fmt: skip
    print(model_rates(ours, results["train"][0], str(Path(options.bin) / "lm_products")), flush=True)


def ours_alone(ours, rounds):
    """Memory of a large step, several adapters in one pass, generation."""
    step = ours.ask("step4096")  # first: the peak is that of the process
    weights = ours.about["weights"] * 4 / 2**20
    bar = weights + 1536
    print(f"a step of {step['tokens']} tokens: peak memory {step['peak_mb']:.0f} MB; "
          f"bar {bar:.0f} MB (weights {weights:.0f} + 1536)", flush=True)  # fmt: skip
    print("| adapters | together, tokens/s | one after the other | ratio |\n|---|---|---|---|")
    for n in (1, 4, 8):
        pairs = [(ours.ask(f"together {n}"), ours.ask(f"apart {n}")) for _ in range(rounds)]
        together, apart = (median(side, "tokens") for side in zip(*pairs))
        print(f"| {n} | {together:.0f} | {apart:.0f} | {together / apart:.2f} |", flush=True)
    speed = median([ours.ask("generate") for _ in range(rounds)], "tokens")
    bytes_each = 4 if ours.about["numeric"] in ("f32", "bf16-emulated") else 2
    read = speed * ours.about["weights"] * bytes_each / 1e9
    print(f"generation: {speed:.1f} tokens/s, {read:.1f} GB/s of weights")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin")
    parser.add_argument("python")
    parser.add_argument("smollm2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, help="rows of a round (default: by case)")
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--numeric", default="auto", help="our numeric path")
    parser.add_argument("--avx2", action="store_true", help="as on a processor without AVX-512")
    parser.add_argument("--alone", action="store_true", help="ours without the peer")
    options = parser.parse_args()
    if options.avx2:
        os.environ.update(AVX2)
        options.numeric = "f32"
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ffe" / "bench"
    models = {"smollm2": options.smollm2, "qwen": str(cache / "qwen2.5-0.5b-shape")}
    names = options.case or list(CASES)
    if any(CASES[n][0] == "qwen" for n in names) and not Path(models["qwen"]).is_dir():
        command = [options.python, str(HERE / "peer.py"), "make-qwen", models["qwen"]]
        subprocess.run(command, check=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            run_case(name, options, models, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
