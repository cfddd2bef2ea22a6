"""Trains a small adapter with transformers and PEFT, for our engine to load.

peft_adapter.py MODEL.gguf OURS.json OUT_DIR [STEPS]

OURS.json is what ffe_losses printed: its token ids and targets are trained on.
"""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM


def main(model_path, ours_path, out, steps=3):
    path = Path(model_path)
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, task_type="CAUSAL_LM",
                        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])
    model = get_peft_model(base, config)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    rows = json.loads(Path(ours_path).read_text())["rows"][:4]
    for _ in range(int(steps)):
        optimizer.zero_grad()
        for row in rows:
            labels = [t if m else -100 for t, m in zip(row["tokens"], row["target"])]
            loss = model(input_ids=torch.tensor([row["tokens"]]), labels=torch.tensor([labels])).loss
            (loss / len(rows)).backward()
        optimizer.step()
    model.save_pretrained(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
