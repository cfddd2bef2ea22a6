"""Holds what ffe_losses printed against llama.cpp, with the same adapter as GGUF.

llama.py MODEL.gguf ADAPTER.gguf OURS.json

Twice: on the model with its weights dequantised to float32 (by gguf's own code), where both compute
the same and only the order of sums differs; and on the file as it is, where llama.cpp also quantises
activations. Exit status 1 if llama.cpp reads other tokens, a log-probability differs by more than the
tolerance, or too few greedy tokens are the same.
"""

import json
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
import xllamacpp

# Greatest difference of a logit, relative to the greatest of its row, among its five greatest; share
# of greedy tokens that are the same.
EXACT = (2e-2, 0.97)
QUANTISED = (2.0, 0.5)
ROWS = 4


def dequantised(source, target):
    """The same file with every tensor as float32."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), kind, sub_type=sub)
    for tensor in reader.tensors:
        shape = [int(n) for n in reversed(tensor.shape)]
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        writer.add_tensor(tensor.name, values.reshape(shape))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def serve(model, adapter):
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 512, 1, 0
    params.cpuparams.n_threads = 1  # more of them wait for each other on a busy machine
    params.warmup = False
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)] if adapter else []
    return xllamacpp.Server(params)


def complete(server, prompt, count):
    """The ids of greedy tokens; {id: log-probability} of the greatest for the first; tokens read."""
    answer = server.handle_completions({"prompt": prompt, "n_predict": count, "temperature": 0.0, "n_probs": 8,
                                        "cache_prompt": False})
    content = answer["choices"][0]["logprobs"]["content"]
    first = {p["id"]: p["logprob"] for p in content[0]["top_logprobs"]}
    return [c["id"] for c in content], first, answer["usage"]["prompt_tokens"]


def relative(values):
    best = max(values.values())
    return {token: value - best for token, value in values.items()}


def compare(name, model, adapter, rows, limits):
    server = serve(model, adapter)
    worst, same, total, misread = 0.0, 0, 0, 0
    for row in rows:
        prompt = row["tokens"][: row["position"] + 1]
        tokens, logs, _ = complete(server, prompt, len(row["greedy"]))
        ours, theirs = dict(row["top"]), relative(logs)
        shared = [t for t in ours if t in theirs]
        ours = relative(ours)
        if len(shared) < 3:
            worst = float("inf")
        worst = max(worst, *(abs(ours[t] - theirs[t]) for t in shared), 0)
        same += sum(a == b for a, b in zip(tokens, row["greedy"]))
        # Text until its end token, where llama.cpp stops and ours goes on.
        total += len(tokens)
        # llama.cpp's own tokenizer on the rendered conversation: as many tokens, and the same ones, as
        # the prediction after them is the same.
        _, by_text, count = complete(server, row["rendered"], 1)
        _, by_ids, _ = complete(server, row["tokens"], 1)
        misread += count != len(row["tokens"]) or by_text != by_ids
    print(f"llama.cpp, {name}: {len(rows)} rows, {misread} tokenised otherwise; greedy tokens equal: {same} of "
          f"{total}; greatest difference of a logit: {worst:.2e}")
    return misread == 0 and worst <= limits[0] and same >= limits[1] * total


def main(model, adapter, ours):
    rows = json.loads(Path(ours).read_text())["rows"][:ROWS]
    moved = max(abs(r["base_loss"] - r["adapter_loss"]) for r in rows)
    print(f"the adapter moves a row's loss by up to {moved:.2f} nats")
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "float32.gguf"
        dequantised(model, plain)
        good = compare("float32 weights", plain, adapter, rows, EXACT)
        # Without the adapter the same rows must differ, or the comparison shows nothing.
        if compare("float32 weights, no adapter (must differ)", plain, None, rows, EXACT):
            print("FAIL the adapter makes no difference")
            good = False
    good = compare("the file as it is", model, adapter, rows, QUANTISED) and good
    return 0 if good and moved > 0.1 else 1


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit("usage: llama.py MODEL.gguf ADAPTER.gguf OURS.json")
    sys.exit(main(*sys.argv[1:]))
