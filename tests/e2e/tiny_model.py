"""A Hugging Face folder of a few thousand random weights, and rows that it can learn."""

import array
import json
import pathlib
import random
import struct

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def byte_vocabulary():
    """GPT-2's alphabet: printable bytes stand for themselves, the others for U+0100 and up."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    letters = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    return {letters[b]: b for b in range(256)}


def write_tensors(file, tensors):
    """A safetensors file of float32: name → (shape, values)."""
    header, data = {}, b""
    for name, (shape, values) in sorted(tensors.items()):
        end = len(data) + 4 * len(values)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), end]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write(folder, hidden=32, layers=2, seed=1, ends=True):
    """Without `ends` the control tokens are never the likeliest: answers do not end."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "_name_or_path": "tiny",
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 259,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "eos_token_id": 257,
    }
    tokenizer = {
        "added_tokens": [
            {"id": i, "content": text, "special": True}
            for i, text in ((256, "<|im_start|>"), (257, "<|im_end|>"), (258, "<|endoftext|>"))
        ],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": byte_vocabulary(), "merges": []},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"eos_token": "<|im_end|>", "chat_template": CHATML})
    )
    shapes = {"model.embed_tokens.weight": (259, hidden), "model.norm.weight": (hidden,)}
    for layer in range(layers):
        at = f"model.layers.{layer}."
        shapes |= {
            at + "input_layernorm.weight": (hidden,),
            at + "post_attention_layernorm.weight": (hidden,),
            at + "self_attn.q_proj.weight": (hidden, hidden),
            at + "self_attn.k_proj.weight": (hidden // 2, hidden),
            at + "self_attn.v_proj.weight": (hidden // 2, hidden),
            at + "self_attn.o_proj.weight": (hidden, hidden),
            at + "mlp.gate_proj.weight": (2 * hidden, hidden),
            at + "mlp.up_proj.weight": (2 * hidden, hidden),
            at + "mlp.down_proj.weight": (hidden, 2 * hidden),
        }
    draw = random.Random(seed)
    tensors = {}
    for name, shape in sorted(shapes.items()):
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        values = [1.0 if len(shape) == 1 else draw.uniform(-0.3, 0.3) for _ in range(count)]
        if "embed" in name and not ends:
            values[256 * hidden :] = [0.0] * (3 * hidden)
        tensors[name] = (shape, array.array("f", values))
    write_tensors(folder / "model.safetensors", tensors)
    return folder


def write_rows(file, count):
    rows = (
        {"prompt": f"say {i % 10} {i}", "completion": f"{i % 10}" * 4} for i in range(count)
    )
    pathlib.Path(file).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file
