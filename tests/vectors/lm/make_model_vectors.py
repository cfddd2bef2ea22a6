#!/usr/bin/env python3
"""Writes the small random models beside this file, with what transformers and PEFT make of them.

Each case is a model (a Hugging Face folder, or model.gguf), expected.json and expected.safetensors;
README.md says what is in them. Needs torch, transformers, peft and gguf; the same seeds give the same
models, and another version of those packages the same results within the tests' tolerances.
"""

import json
import math
import pathlib
import shutil

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig,
                          MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

HERE = pathlib.Path(__file__).parent
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TRAIN = {"optimizer": "AdamW", "lr": 0.02, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01,
         "clip": 0.5, "schedule": "linear warm-up over 3 steps (step t uses (t+1)/3), then "
         "0.5*(1+cos(pi*(t-3)/(steps-3)))", "rows_of_step": "even steps rows 0..3, odd steps rows 4..7"}
STEPS, WARMUP = 10, 3
# Lengths that no SIMD width divides, one longer than every window and original context here.
LENGTHS = [(5, 2), (13, 6), (9, 4), (23, 1), (11, 5), (3, 1), (29, 12), (7, 3)]

# name: class, configuration, LoRA targets, rank, alpha, dtype of the file
CASES = {
    # A window shorter than the rows; grouped heads; untied; in shards.
    "mistral-window-sharded": (MistralForCausalLM, MistralConfig(
        vocab_size=61, hidden_size=24, intermediate_size=41, num_hidden_layers=2, num_attention_heads=3,
        num_key_value_heads=1, head_dim=8, max_position_embeddings=64, sliding_window=5,
        tie_word_embeddings=False, bos_token_id=1, eos_token_id=2), ALL, 3, 6, torch.float32),
    # Sizes that are multiples of nothing; biases on q, k, v and o; two targets.
    "llama-odd": (LlamaForCausalLM, LlamaConfig(
        vocab_size=67, hidden_size=30, intermediate_size=37, num_hidden_layers=2, num_attention_heads=3,
        num_key_value_heads=3, head_dim=10, max_position_embeddings=64, attention_bias=True,
        tie_word_embeddings=True, bos_token_id=1, eos_token_id=2), ["q_proj", "v_proj"], 5, 7.5, torch.float32),
    # Rows longer than the original context; float16 file.
    "llama3-rope-f16": (LlamaForCausalLM, LlamaConfig(
        vocab_size=59, hidden_size=32, intermediate_size=43, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, max_position_embeddings=64, tie_word_embeddings=True,
        rope_parameters={"rope_theta": 50000.0, "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 8},
        bos_token_id=1, eos_token_id=2), ["k_proj", "o_proj", "down_proj"], 2, 4, torch.float16),
    # A window on every layer; biases.
    "qwen2-window": (Qwen2ForCausalLM, Qwen2Config(
        vocab_size=57, hidden_size=36, intermediate_size=39, num_hidden_layers=2, num_attention_heads=6,
        num_key_value_heads=2, max_position_embeddings=64, use_sliding_window=True, sliding_window=6,
        max_window_layers=0, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2),
        ["q_proj", "k_proj", "v_proj"], 4, 8, torch.float32),
    # head_dim is not hidden / heads; bfloat16 file; untied.
    "qwen3-bf16": (Qwen3ForCausalLM, Qwen3Config(
        vocab_size=71, hidden_size=28, intermediate_size=45, num_hidden_layers=2, num_attention_heads=3,
        num_key_value_heads=1, head_dim=14, max_position_embeddings=64, tie_word_embeddings=False,
        bos_token_id=1, eos_token_id=2), ["gate_proj", "up_proj", "down_proj"], 3, 3, torch.bfloat16),
}


def random_model(cls, config, dtype, seed):
    """In float32, with the values that a file of `dtype` keeps; also norms and biases are random."""
    config._attn_implementation = "eager"
    model = cls(config).float()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=generator)
            if name.endswith("norm.weight"):
                p.copy_(1 + 0.1 * noise)
            else:
                p.copy_(noise * (0.1 if p.dim() == 1 else 0.6 / math.sqrt(p.shape[1])))
            p.copy_(p.to(dtype).float())
    return model.eval()


def answer_losses(model, row, prompt):
    """-log p of each answer token of one row."""
    logits = model(input_ids=torch.tensor([row])).logits[0]
    log_p = torch.log_softmax(logits[prompt - 1 : -1], dim=-1)
    return -log_p.gather(1, torch.tensor(row[prompt:])[:, None])[:, 0]


def row_losses(model, rows, prompts):
    with torch.no_grad():
        return [float(answer_losses(model, r, p).mean()) for r, p in zip(rows, prompts)]


def batch_loss(model, rows, prompts):
    return torch.cat([answer_losses(model, r, p) for r, p in zip(rows, prompts)]).mean()


def lora_parameters(model):
    """{"model.layers.….lora_A.weight": parameter}"""
    return {n.removeprefix("base_model.model.").replace(".default.", "."): p
            for n, p in model.named_parameters() if ".lora_" in n}


def train(model, rows, prompts):
    parameters = list(lora_parameters(model).values())
    optimizer = torch.optim.AdamW(parameters, lr=TRAIN["lr"], betas=tuple(TRAIN["betas"]), eps=TRAIN["eps"],
                                  weight_decay=TRAIN["weight_decay"])
    steps = []
    for t in range(STEPS):
        scale = (t + 1) / WARMUP if t < WARMUP else 0.5 * (1 + math.cos(math.pi * (t - WARMUP) / (STEPS - WARMUP)))
        optimizer.param_groups[0]["lr"] = TRAIN["lr"] * scale
        half = slice(0, 4) if t % 2 == 0 else slice(4, 8)
        optimizer.zero_grad()
        loss = batch_loss(model, rows[half], prompts[half])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, TRAIN["clip"])
        optimizer.step()
        steps.append({"lr": TRAIN["lr"] * scale, "loss": float(loss), "grad_norm": float(norm)})
    return {**TRAIN, "steps": steps}


def greedy(model, prompt, count):
    """The continuation by the whole sequence each time: no cache to be wrong."""
    tokens = list(prompt)
    with torch.no_grad():
        for _ in range(count):
            tokens.append(int(model(input_ids=torch.tensor([tokens])).logits[0, -1].argmax()))
    return {"prompt": list(prompt), "continuation": tokens[len(prompt):]}


def write_expected(folder, model, name, targets, rank, alpha, seed):
    rng = np.random.default_rng(seed)
    vocab = model.config.vocab_size
    rows = [[int(t) for t in rng.integers(3, vocab, length)] for length, _ in LENGTHS]
    prompts = [prompt for _, prompt in LENGTHS]
    tensors = {}
    with torch.no_grad():
        for i, row in enumerate(rows):
            tensors[f"logits.{i}"] = model(input_ids=torch.tensor([row])).logits[0].clone()
    out = {"case": name, "rows": rows, "prompt_tokens": prompts, "row_loss_base": row_losses(model, rows, prompts)}

    model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=targets,
                                             task_type="CAUSAL_LM"))
    generator = torch.Generator().manual_seed(seed)
    parameters = lora_parameters(model)
    with torch.no_grad():
        for key in sorted(parameters):  # B is not zero, so that A has gradients
            p = parameters[key]
            p.copy_(torch.randn(p.shape, generator=generator) * (0.2 if ".lora_A." in key else 0.1))
    tensors |= {f"init.{k}": p.detach().clone() for k, p in parameters.items()}
    out["lora"] = {"r": rank, "alpha": alpha, "targets": targets, "scale": alpha / rank}
    out["row_loss_lora"] = row_losses(model, rows, prompts)
    loss = batch_loss(model, rows, prompts)
    loss.backward()
    out["loss"] = float(loss)
    out["grad_norm"] = float(torch.sqrt(sum((p.grad**2).sum() for p in parameters.values())))
    tensors |= {f"grad.{k}": p.grad.clone() for k, p in parameters.items()}
    out["train"] = train(model, rows, prompts)
    tensors |= {f"final.{k}": p.detach().clone() for k, p in parameters.items()}
    out["row_loss_final"] = row_losses(model, rows, prompts)
    out["greedy"] = greedy(model, rows[1][:7], 16)
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


def clean(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def spell_as_transformers_4(path):
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.46.0"
    path.write_text(json.dumps(config, indent=2) + "\n")


def write_folders():
    for seed, (name, (cls, config, targets, rank, alpha, dtype)) in enumerate(CASES.items(), 1):
        folder = clean(name)
        model = random_model(cls, config, dtype, seed)
        sharded = {"max_shard_size": "16KB"} if "sharded" in name else {}
        model.to(dtype).save_pretrained(folder, **sharded)
        (folder / "generation_config.json").unlink(missing_ok=True)
        if cls is LlamaForCausalLM:
            spell_as_transformers_4(folder / "config.json")
        # What is expected comes from the files, not from the model that wrote them.
        again = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
        write_expected(folder, again.eval(), name, targets, rank, alpha, seed)


# Llama in llama.cpp's layout: q and k with the two halves of each rotary pair side by side.
GGUF_NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
              "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
              "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
              "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
              "mlp.down_proj": "ffn_down"}
GGUF_TYPES = {"token_embd": Q.Q8_0, "attn_q": Q.Q4_0, "attn_k": Q.Q4_1, "attn_v": Q.F16, "attn_output": Q.BF16,
              "ffn_gate": Q.Q8_0, "ffn_up": Q.Q4_0, "ffn_down": Q.Q4_1, "output": Q.F32}


def interleave(weight, heads):
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write_gguf():
    name, heads, kv_heads = "llama-gguf", 2, 1
    folder = clean(name)
    config = LlamaConfig(vocab_size=53, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                         num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=64,
                         tie_word_embeddings=False, bos_token_id=1, eos_token_id=2)
    model = random_model(LlamaForCausalLM, config, torch.float32, 42)
    writer = gguf.GGUFWriter(folder / "model.gguf", "llama")
    writer.add_name("vectors")
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_block_count(2)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(53)
    tokens = ["<unk>", "<s>", "</s>"] + [chr(0x41 + i) for i in range(50)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(i) for i in range(53)])
    writer.add_token_types([2, 3, 3] + [1] * 50)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for hf_name, value in model.state_dict().items():
        stem, suffix = hf_name.rsplit(".", 1)
        layer = ""
        if stem.startswith("model.layers."):
            number, stem = stem.removeprefix("model.layers.").split(".", 1)
            layer = f"blk.{number}."
        short = GGUF_NAMES[stem]
        array = value.numpy().copy()
        if short in ("attn_q", "attn_k"):
            array = interleave(array, heads if short == "attn_q" else kv_heads)
        kind = GGUF_TYPES.get(short, Q.F32)
        data = gguf.quants.quantize(array, kind)
        writer.add_tensor(f"{layer}{short}.{suffix}", data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    read = AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf", dtype=torch.float32,
                                                attn_implementation="eager")
    write_expected(folder, read.eval(), name, ALL, 2, 4, 42)


torch.set_num_threads(1)
write_folders()
write_gguf()
