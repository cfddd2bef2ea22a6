#!/usr/bin/env python3
"""Writes chat/, dequantise.json and nfc.json with transformers, tokenizers and gguf from PyPI.

    pip install transformers==5.23.0 tokenizers==0.23.3 gguf numpy && ./make_format_vectors.py
"""

import json
import pathlib
import random
import unicodedata

import numpy as np
from gguf import GGMLQuantizationType as Q
from gguf import quants
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
CORPUS = [
    "The quick brown fox jumps over the lazy dog while the model answers questions about words.",
    "system user assistant You are a helpful assistant. What is the meaning of the word?",
    "Define: a hard outer covering of certain animals such as turtles and insects 0123456789",
    "[INST] [/INST] <<SYS>> <</SYS>> <|user|> <|assistant|> Cutting Knowledge Date Today",
] * 4

# What each model family's template consists of, tools left out.
TEMPLATES = {
    "chatml": """{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    "smollm2": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}""",
    "qwen2": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    "qwen2.5": """{%- if messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant") %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""",
    "qwen3": """{%- set ns = namespace(last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if message.role == "user" and not ns.found %}
        {%- set ns.found = true %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role != "assistant" %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- else %}
        {%- set content = message.content %}
        {%- set reasoning_content = '' %}
        {%- if loop.index0 > ns.last_query_index and loop.last %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}""",
    "llama2": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}""",
    "llama3": """{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}""",
    "llama3.1": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "mistral": """{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}""",
    "mistral-v0.3": """{%- if messages[0]["role"] == "system" %}
    {{- raise_exception("no system prompt here") }}
{%- endif %}
{{- bos_token }}
{%- for message in messages %}
    {%- if message["role"] == "user" %}
        {{- "[INST] " + message["content"] + "[/INST]" }}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- endif %}
{%- endfor %}
""",
    "zephyr": """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
}
TOKENIZER = {"llama2": "sentencepiece", "mistral": "sentencepiece", "zephyr": "sentencepiece",
             "mistral-v0.3": "metaspace", "llama3": "llama3", "llama3.1": "llama3"}
NO_SYSTEM = ("mistral", "mistral-v0.3")

CONVERSATIONS = [
    [("user", "What is a fox?")],
    [("user", "What is a fox?"), ("assistant", "A quick brown animal.")],
    [("system", "You answer briefly."), ("user", "Define: word"), ("assistant", "a unit of meaning")],
    [("user", "one"), ("assistant", "two"), ("user", "three"), ("assistant", "four")],
    [("system", "Be kind."), ("user", "one"), ("assistant", "two"), ("user", "three")],
    [("user", "  spaces around  "), ("assistant", "  kept or trimmed  ")],
    [("user", "naïve café 日本語 😀"), ("assistant", "a\nb\n\nc")],
    [("user", ""), ("assistant", "")],
]


def trained(model, normalizer, pre_tokenizer, decoder, alphabet, special, size=420):
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, show_progress=False,
        special_tokens=[AddedToken(t, special=True, normalized=False) for t in special])
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def byte_level(special):
    return trained(models.BPE(), None, pre_tokenizers.ByteLevel(add_prefix_space=False),
                   decoders.ByteLevel(), pre_tokenizers.ByteLevel.alphabet(), special)


def sentencepiece(metaspace, special):
    """As SentencePiece: spaces are U+2581, other characters fall back to bytes."""
    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    learner = trained(models.BPE(unk_token="<unk>"), None,
                      pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always"),
                      decoders.Fuse(), [], special, 300)
    state = json.loads(learner.to_str())
    vocab = {t: i for i, t in enumerate(special + bytes_)}
    for token in sorted(state["model"]["vocab"], key=state["model"]["vocab"].get):
        vocab.setdefault(token, len(vocab))
    state["model"].update(vocab=vocab, byte_fallback=True, fuse_unk=True)
    tokenizer = Tokenizer.from_str(json.dumps(state))
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
             decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    if metaspace:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "first", split=False)
    else:
        state = json.loads(tokenizer.to_str())
        state["pre_tokenizer"] = None
        tokenizer = Tokenizer.from_str(json.dumps(state))
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return tokenizer


def write_chat():
    folder = HERE / "chat"
    folder.mkdir(exist_ok=True)
    im = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    headers = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
               "<|eot_id|>"]
    made = {
        "chatml": (byte_level(im), None, "<|im_end|>"),
        "llama3": (byte_level(headers), "<|begin_of_text|>", "<|eot_id|>"),
        "sentencepiece": (sentencepiece(False, ["<unk>", "<s>", "</s>"]), "<s>", "</s>"),
        "metaspace": (sentencepiece(True, ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]), "<s>",
                      "</s>"),
    }
    for name, (tokenizer, _, _) in made.items():
        (folder / f"{name}.tokenizer.json").write_text(
            json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")))
    for style, template in TEMPLATES.items():
        name = TOKENIZER.get(style, "chatml")
        tokenizer, bos, eos = made[name]
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=bos, eos_token=eos)
        fast.chat_template = template
        cases = []
        for conversation in CONVERSATIONS:
            if style in NO_SYSTEM and conversation[0][0] == "system":
                continue
            messages = [{"role": r, "content": c} for r, c in conversation]
            for generate in (False, True):
                if generate and messages[-1]["role"] == "assistant":
                    continue
                options = dict(add_generation_prompt=generate, enable_thinking=False)
                text = fast.apply_chat_template(messages, tokenize=False, **options)
                ids = tokenizer.encode(text, add_special_tokens=False).ids
                cases.append({"messages": messages, "add_generation_prompt": generate,
                              "text": text, "ids": ids})
        (folder / f"{style}.json").write_text(json.dumps(
            {"style": style, "tokenizer": f"{name}.tokenizer.json", "template": template,
             "cases": cases}, ensure_ascii=False, indent=1) + "\n")


def write_dequantise():
    rng = np.random.default_rng(5)
    cases = []
    halves = {Q.Q8_0: [0], Q.Q4_0: [0], Q.Q4_1: [0, 2], Q.Q4_K: [0, 2], Q.Q6_K: [208]}
    sizes = {Q.Q8_0: 34, Q.Q4_0: 18, Q.Q4_1: 20, Q.Q4_K: 144, Q.Q6_K: 210}
    for kind, size in sizes.items():
        blocks = rng.integers(0, 256, (3, size), dtype=np.uint8)
        for at in halves[kind]:
            scales = rng.normal(0, 0.01, 3).astype(np.float16)
            blocks[:, at:at + 2] = scales.view(np.uint8).reshape(3, 2)
        out = quants.dequantize(blocks, kind).astype(np.float32).reshape(-1)
        cases.append({"type": kind.name, "in": blocks.tobytes().hex(), "out": out.tobytes().hex()})
    bits = np.array([0, 1, 0x3ff, 0x400, 0x3c00, 0x7bff, 0x7c00, 0x8000, 0x8001, 0xbc00, 0xfbff,
                     0xfc00, 0x3555], dtype=np.uint16)
    cases.append({"type": "F16", "in": bits.tobytes().hex(),
                  "out": bits.view(np.float16).astype(np.float32).tobytes().hex()})
    words = rng.integers(0, 0x7f80, 16, dtype=np.uint16)
    cases.append({"type": "BF16", "in": words.tobytes().hex(),
                  "out": (words.astype(np.uint32) << 16).tobytes().hex()})
    (HERE / "dequantise.json").write_text(json.dumps({"cases": cases}, indent=1) + "\n")


def write_nfc():
    random.seed(11)
    nfc = normalizers.NFC()
    pool = [chr(c) for a, b in [(0x41, 0x5b), (0x300, 0x345), (0xc0, 0x180), (0x1100, 0x1113),
                                (0x1161, 0x1176), (0x11a8, 0x11c3), (0xac00, 0xac40),
                                (0x915, 0x940), (0x1f00, 0x1f16), (0xf900, 0xf910),
                                (0x5b0, 0x5c0)] for c in range(a, b)
            if unicodedata.category(chr(c)) != "Cn"]
    cases = []
    for _ in range(300):
        text = "".join(random.choices(pool, k=random.randint(2, 8)))
        cases.append([text, nfc.normalize_str(text)])
    (HERE / "nfc.json").write_text(json.dumps({"cases": cases}) + "\n")


write_chat()
write_dequantise()
write_nfc()
