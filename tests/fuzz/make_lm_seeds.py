#!/usr/bin/env python3
"""Writes the seeds of the lm fuzz targets (corpus/lm_*/): small valid files of every kind."""

import json
import pathlib
import struct

CORPUS = pathlib.Path(__file__).with_name("corpus")
GPT2 = list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))


def write(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def safetensors(tensors, metadata=None):
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def floats(count):
    return struct.pack(f"<{count}f", *(0.01 * i for i in range(count)))


# GGUF value types and their numbers.
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def gguf_string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf_value(kind, value):
    if kind == STRING:
        return gguf_string(value)
    if kind == ARRAY:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(gguf_value(inner, i) for i in items)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], value)


def gguf(keys, tensors):
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    for key, (kind, value) in keys.items():
        head += gguf_string(key) + struct.pack("<I", kind) + gguf_value(kind, value)
    data = b""
    for name, (shape, kind, raw) in tensors.items():
        head += gguf_string(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, len(data))
        data += raw + bytes(-len(raw) % 32)
    return head + bytes(-len(head) % 32) + data


def llama_keys(tokenizer):
    return {
        "general.architecture": (STRING, "llama"),
        "general.name": (STRING, "seed"),
        "llama.context_length": (U32, 64),
        "llama.embedding_length": (U32, 4),
        "llama.feed_forward_length": (U32, 6),
        "llama.block_count": (U32, 1),
        "llama.attention.head_count": (U32, 2),
        "llama.attention.head_count_kv": (U32, 1),
        "llama.attention.layer_norm_rms_epsilon": (F32, 1e-5),
        "llama.rope.freq_base": (F32, 10000.0),
        **tokenizer,
    }


def spm_keys():
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + ["▁", "a", "b", "▁a", "ab"]
    types = [2, 3, 3] + [6] * 256 + [1] * 5
    scores = [0.0] * 259 + [-float(i) for i in range(5)]
    return {
        "tokenizer.ggml.model": (STRING, "llama"),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, tokens)),
        "tokenizer.ggml.scores": (ARRAY, (F32, scores)),
        "tokenizer.ggml.token_type": (ARRAY, (I32, types)),
        "tokenizer.ggml.bos_token_id": (U32, 1),
        "tokenizer.ggml.eos_token_id": (U32, 2),
        "tokenizer.ggml.add_bos_token": (BOOL, True),
    }


def byte_alphabet():
    extra = iter(range(256, 512))
    return [chr(b) if b in GPT2 else chr(next(extra)) for b in range(256)]


def bpe_keys(pre):
    tokens = byte_alphabet() + ["ab", "abc", "<|im_end|>"]
    return {
        "tokenizer.ggml.model": (STRING, "gpt2"),
        "tokenizer.ggml.pre": (STRING, pre),
        "tokenizer.ggml.tokens": (ARRAY, (STRING, tokens)),
        "tokenizer.ggml.token_type": (ARRAY, (I32, [1] * 258 + [3])),
        "tokenizer.ggml.merges": (ARRAY, (STRING, ["a b", "ab c"])),
        "tokenizer.ggml.eos_token_id": (U32, 258),
    }


def write_gguf():
    embedding = {"token_embd.weight": ([4, 264], 0, floats(4 * 264))}
    write("lm_gguf", "spm", gguf(llama_keys(spm_keys()), embedding))
    q8 = struct.pack("<e32b", 0.5, *range(-16, 16))
    tensors = {
        "token_embd.weight": ([4, 259], 1, bytes(2 * 4 * 259)),
        "q8": ([32, 2], 8, q8 * 2),
        "q6": ([256], 14, bytes(210)),
        "q4": ([256], 12, bytes(144)),
    }
    for pre in ("llama-bpe", "qwen2", "smollm"):
        write("lm_gguf", pre, gguf(llama_keys(bpe_keys(pre)), tensors))


def write_safetensors():
    two = {"a": ("F32", [2, 3], floats(6)), "b": ("BF16", [4], bytes(8)), "c": ("F16", [1, 1], bytes(2))}
    write("lm_safetensors", "two", safetensors(two, {"format": "pt"}))
    write("lm_safetensors", "ints", safetensors({"i": ("I64", [2], bytes(16)), "e": ("F32", [0], b"")}))
    write("lm_safetensors", "empty", safetensors({}))


def write_tokenizers():
    def added(token_id, content):
        flags = dict.fromkeys(("lstrip", "rstrip", "single_word", "normalized"), False)
        return {"id": token_id, "content": content, "special": True, **flags}

    vocab = {token: i for i, token in enumerate(byte_alphabet() + ["ab", "abc"])}
    split = {"type": "Split", "pattern": {"Regex": r"\p{N}{1,3}| ?\p{L}+|\s+"}, "behavior": "Isolated",
             "invert": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    bpe = {
        "version": "1.0",
        "added_tokens": [added(258, "<|im_end|>")],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocab, "merges": [["a", "b"], ["ab", "c"]],
                  "byte_fallback": False, "ignore_merges": True},
    }
    write("lm_tokenizer", "bytes", json.dumps(bpe, ensure_ascii=False))
    names = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + ["▁", "a", "b", "▁a"]
    spm = {
        "added_tokens": [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
                  "vocab": {n: i for i, n in enumerate(names)}, "merges": ["▁ a"]},
    }
    write("lm_tokenizer", "metaspace", json.dumps(spm, ensure_ascii=False))


def write_text():
    write("lm_text", "plain", "Hello, world!  123456 don't\n\n\ttab <|end|> aaab\r\n")
    write("lm_text", "marks", "e\u0301 \u1112\u1161\u11ab \uac00 \U0001f468\u200d\U0001f469 \u00a0\u3000x")
    write("lm_text", "broken", b"\xff\xc3 \xed\xa0\x80\xf0\x9f\x98 ok")


def write_rows():
    def turns(*pairs):
        return [{"role": r, "content": c} for r, c in pairs]

    rows = [
        {"messages": turns(("system", "s"), ("user", "q"), ("assistant", "a"))},
        {"prompt": "p", "completion": "c"},
        {"prompt": turns(("user", "q")), "completion": turns(("assistant", "a"))},
        {"instruction": "i", "input": "n", "output": "o"},
        {"text": "plain é \U0001f600"},
    ]
    lines = [json.dumps(r) for r in rows]
    write("lm_rows", "good", "\n".join(lines) + "\n")
    write("lm_rows", "bom", "\ufeff" + lines[1] + "\r\n\n" + lines[4])
    write("lm_rows", "bad", '{"text": ""}\n{"messages": []}\nnot json\n{"text": 1}\n')


def write_adapters():
    # As lm_adapter_fuzz.cpp has the model: hidden 4, intermediate 6, one layer, two heads of two.
    def matrices(module, columns, rows):
        at = f"base_model.model.model.layers.0.{module}"
        return {f"{at}.lora_A.weight": ("F32", [2, columns], floats(2 * columns)),
                f"{at}.lora_B.weight": ("F32", [rows, 2], floats(2 * rows))}

    tensors = {**matrices("self_attn.q_proj", 4, 4), **matrices("mlp.down_proj", 6, 4)}
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "lora_dropout": 0.0, "bias": "none",
              "target_modules": ["q_proj", "down_proj"], "base_model_name_or_path": "seed",
              "use_dora": False, "rank_pattern": {}, "modules_to_save": None}
    write("lm_adapter", "two", json.dumps(config).encode() + b"\0" + safetensors(tensors))


def write_configs():
    common = {"vocab_size": 259, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2,
              "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-6,
              "max_position_embeddings": 64, "hidden_act": "silu"}
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 32}
    four = {**common, "model_type": "llama", "rope_theta": 5e5, "rope_scaling": llama3,
            "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": [2, 3]}
    five = {**common, "model_type": "qwen2", "rope_parameters": {**llama3, "rope_theta": 1e6},
            "dtype": "float32", "use_sliding_window": True, "sliding_window": 8,
            "layer_types": ["sliding_attention"] * 2, "tie_word_embeddings": True}
    write("lm_config", "llama", json.dumps(four))
    write("lm_config", "qwen2", json.dumps(five))
    write("lm_config", "qwen3", json.dumps({**common, "model_type": "qwen3", "head_dim": 6}))
    write("lm_config", "mistral", json.dumps({**common, "model_type": "mistral", "sliding_window": 4}))


def write_checkpoints():
    # lm_checkpoint_fuzz.cpp appends the checksum. The model is lm_adapter_fuzz.cpp's.
    def double(value):
        return struct.pack(">d", value).hex()

    numbers = {"alpha": 4.0, "dropout": 0.0, "learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999,
               "epsilon": 1e-8, "weight_decay": 0.0, "clip": 1.0}
    parameters = 2 * 4 + 4 * 2
    adapter = {"rank": 2, "base_model": "seed", "targets": ["q_proj"], "parameters": parameters, "steps": 3,
               "dropout_seed": "00" * 32, "schedule": "cosine", "warmup_steps": 1, "total_steps": 9,
               **{k: double(v) for k, v in numbers.items()}}
    header = json.dumps({"adapters": [adapter]}).encode()
    write("lm_checkpoint", "one", b"FFECKPT1" + struct.pack("<Q", len(header)) + header + floats(3 * parameters))


for writer in (write_gguf, write_safetensors, write_tokenizers, write_text, write_rows, write_adapters,
               write_configs, write_checkpoints):
    writer()
