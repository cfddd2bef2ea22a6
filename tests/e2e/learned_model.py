"""A tiny model that knows a little, and rows for a session on it, in seconds.

Usage: learned_model.py FFE OUT. Writes OUT/model (a Hugging Face folder) and OUT/*.jsonl: the files
of three contributors, an evaluation pool and a public sample.

The quality gate wants a base model that finds answers relevant to their questions, and rows that it
can still learn from. So questions are words over three of 24 letters, answers words over the same
three in capitals; the model was trained on answers half of whose letters are wrong.
"""

import array
import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys

import tiny_model

LETTERS = "abcdefghijklmnopqrstuvwx"
GROUPS = [LETTERS[i : i + 3] for i in range(0, len(LETTERS), 3)]
HIDDEN = 128


def row(draw, group, noise=0.0):
    question = "".join(draw.choice(group) for _ in range(24))
    answer = "".join(draw.choice(LETTERS if draw.random() < noise else group) for _ in range(8))
    return {"prompt": question, "completion": answer.upper()}


def write_rows(file, rows):
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return file


def read_tensors(file):
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            first, last = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = (entry["shape"], array.array("f", data[first:last]))
    return tensors


def merge(model, adapter, scale):
    """Adds scale · B·A to the weights."""
    weights, lora = read_tensors(model), read_tensors(adapter)
    for name, ((rank, inputs), a) in lora.items():
        if not name.endswith("lora_A.weight"):
            continue
        _, b = lora[name.replace("lora_A", "lora_B")]
        _, w = weights[name.removeprefix("base_model.model.").replace(".lora_A", "")]
        for i in range(len(b)):
            out, r, factor = i // rank, i % rank, scale * b[i]
            for c in range(inputs):
                w[out * inputs + c] += factor * a[r * inputs + c]
    tiny_model.write_tensors(model, {name: (shape, w) for name, (shape, w) in weights.items()})


def write(folder, ffe):
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    draw = random.Random(7)
    model = tiny_model.write(folder / "model", hidden=HIDDEN)
    rows = write_rows(
        folder / "pretraining.jsonl", [row(draw, draw.choice(GROUPS), 0.5) for _ in range(1000)]
    )
    subprocess.run(
        [
            ffe, "train", rows, "--model", model, "--out", folder / "adapter", "--numeric", "f32",
            "--rank", str(HIDDEN), "--alpha", str(HIDDEN), "--lr", "0.005", "--epochs", "3",
            "--batch-tokens", "1024", "--no-gguf", "--quiet",
        ],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    merge(model / "model.safetensors", folder / "adapter/adapter_model.safetensors", 1.0)
    for name, count in (("alice", 64), ("bob", 64), ("carol", 64), ("sample", 24)):
        write_rows(folder / f"{name}.jsonl", [row(draw, draw.choice(GROUPS)) for _ in range(count)])
    # Rows 2k and 2k+1 are a pair: of different groups, so that an exchange of answers shows.
    pairs = [draw.sample(GROUPS, 2) for _ in range(136)]
    write_rows(folder / "pool.jsonl", [row(draw, group) for pair in pairs for group in pair])
    return folder


if __name__ == "__main__":
    write(sys.argv[2], sys.argv[1])
