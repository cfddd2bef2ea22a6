"""The other side of compare.py: LoRA training and evaluation with transformers and PEFT.

peer.py make-qwen FOLDER          writes a model of Qwen2.5-0.5B's shape with random weights
peer.py serve MODEL TOKENS.jsonl PRECISION
                                  loads the model, then answers "train" and "evaluate" line by line;
                                  PRECISION is float32, bfloat16 or better

Batches are as transformers' group_by_length makes them: rows of like length together, padded to the
longest of eight; the loss is on the answers only. Weights are float32 or bfloat16, whichever trains
the faster here; adapters are float32 in both, as PEFT makes them.
"""

import json
import os
import sys
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, Qwen2Config

BATCH = 8
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def peak_mb():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0


def make_qwen(folder):
    config = Qwen2Config(
        vocab_size=151936,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=32768,
        rope_theta=1e6,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)


def load(path):
    path = Path(path)
    where = (
        {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
        if path.suffix == ".gguf"
        else {"pretrained_model_name_or_path": str(path)}
    )
    return AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)


class Side:
    def __init__(self, path, rows, dtype):
        start = time.perf_counter()
        base = load(path).to(dtype)
        self.load_seconds = time.perf_counter() - start
        self.dtype = dtype
        torch.manual_seed(0)
        self.model = get_peft_model(
            base, LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=TARGETS)
        )
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.0)
        self.parameters = parameters
        ordered = sorted(rows, key=lambda r: len(r["tokens"]))
        self.batches = [self.batch(ordered[i : i + BATCH]) for i in range(0, len(ordered), BATCH)]
        self.tokens = sum(len(r["tokens"]) for r in rows)

    @staticmethod
    def batch(rows):
        width = max(len(r["tokens"]) for r in rows)
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        labels = torch.full_like(ids, -100)
        for i, row in enumerate(rows):
            n = len(row["tokens"])
            ids[i, :n] = torch.tensor(row["tokens"])
            mask[i, :n] = 1
            target = torch.tensor(row["target"], dtype=torch.bool)
            labels[i, :n][target] = ids[i, :n][target]
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    def step(self, batch):
        loss = self.model(**batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def step_seconds(self):
        """The shorter of two steps, after one that warms up."""
        self.model.train()
        times = []
        for _ in range(3):
            start = time.perf_counter()
            self.step(self.batches[0])
            times.append(time.perf_counter() - start)
        return min(times[1:])

    def train(self):
        self.model.train()
        return sum(map(self.step, self.batches)) / len(self.batches)

    def evaluate(self):
        self.model.eval()
        total, count = 0.0, 0
        with torch.inference_mode():
            for batch in self.batches:
                logits = self.model(**batch, use_cache=False).logits[:, :-1]
                labels = batch["labels"][:, 1:]
                losses = torch.nn.functional.cross_entropy(
                    logits.float().transpose(1, 2), labels, ignore_index=-100, reduction="none"
                )
                total += (losses.sum(1) / (labels != -100).sum(1)).sum().item()
                count += len(labels)
        return total / count

    def answer(self, command):
        if command == "load":
            return {
                "seconds": self.load_seconds,
                "tokens": self.tokens,
                "precision": str(self.dtype).removeprefix("torch."),
                "threads": torch.get_num_threads(),
                "versions": f"torch {torch.__version__}",
                "peak_mb": peak_mb(),
            }
        start, start_cpu = time.perf_counter(), time.process_time()
        loss = {"train": self.train, "evaluate": self.evaluate}[command]()
        return {
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - start_cpu,
            "tokens": self.tokens,
            "loss": loss,
            "peak_mb": peak_mb(),
        }


def better(path, rows):
    seconds = {d: Side(path, rows, d).step_seconds() for d in (torch.float32, torch.bfloat16)}
    print(f"peer: a step takes {seconds}", file=sys.stderr)
    return min(seconds, key=seconds.get)


def serve(path, tokens, precision):
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rows = [json.loads(line) for line in Path(tokens).read_text().splitlines()]
    dtype = better(path, rows) if precision == "better" else getattr(torch, precision)
    side = Side(path, rows, dtype)
    print(json.dumps(side.answer("load")), flush=True)
    for line in sys.stdin:
        print(json.dumps(side.answer(line.split()[0])), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["make-qwen"] and len(sys.argv) == 3:
        make_qwen(sys.argv[2])
    elif sys.argv[1:2] == ["serve"] and len(sys.argv) == 5:
        serve(*sys.argv[2:])
    else:
        raise SystemExit(__doc__)
