"""The other side of compare.py: llama.cpp through llama-cpp-python.

peer.py MODEL.gguf ADAPTER.gguf THREADS   loads the model, then answers commands line by line

run STREAMS ADAPTERS PROMPT TOKENS: greedy decoding of STREAMS sequences in one batch through
llama.cpp's own interface (llama_decode), which is what its server does; nothing of Python's samplers
is in the loop but numpy's argmax. llama.cpp has one adapter for the whole batch, ours one for each
stream. Everything else is llama.cpp's default: keys and values in fp16, flash attention where it
chooses it.
"""

import ctypes
import json
import sys
import time
from pathlib import Path

import llama_cpp
import numpy

OWNERS = 8


@llama_cpp.llama_log_callback
def silent(level, text, user_data):
    pass


def memory_mb():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


class Side:
    def __init__(self, path, adapter, threads):
        start = time.perf_counter()
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            path.encode(), llama_cpp.llama_model_default_params()
        )
        self.vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.adapter = llama_cpp.llama_adapter_lora_init(self.model, adapter.encode())
        self.threads = threads
        self.load_seconds = time.perf_counter() - start
        self.batch = llama_cpp.llama_batch_init(4096, 0, 1)

    def context(self, streams, tokens, adapter):
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = streams * tokens
        params.n_batch = 4096
        params.n_seq_max = streams
        params.n_threads = params.n_threads_batch = self.threads
        context = llama_cpp.llama_init_from_model(self.model, params)
        if adapter:
            adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(self.adapter)
            llama_cpp.llama_set_adapters_lora(context, adapters, 1, (ctypes.c_float * 1)(1.0))
        return context

    def put(self, i, token, position, stream, logits):
        batch = self.batch
        batch.token[i] = token
        batch.pos[i] = position
        batch.n_seq_id[i] = 1
        batch.seq_id[i][0] = stream
        batch.logits[i] = logits

    def decode(self, context, count, rows):
        """The likeliest token after each of `rows` of the batch."""
        self.batch.n_tokens = count
        if llama_cpp.llama_decode(context, self.batch) != 0:
            raise SystemExit("llama_decode failed")
        best = []
        for row in rows:
            logits = llama_cpp.llama_get_logits_ith(context, row)
            best.append(int(numpy.ctypeslib.as_array(logits, shape=(self.vocab,)).argmax()))
        return best

    def run(self, streams, adapter, prompt, tokens):
        # A multiple of 256, as llama.cpp wants it.
        room = (prompt + tokens + 255) // 256 * 256
        context = self.context(streams, room, adapter)
        start = time.perf_counter()
        for s in range(streams):
            for i in range(prompt):
                token = (1000 + 37 * s + 101 * i) % 40000
                self.put(s * prompt + i, token, i, s, i == prompt - 1)
        last = self.decode(context, streams * prompt,
                           [s * prompt + prompt - 1 for s in range(streams)])  # fmt: skip
        first = time.perf_counter() - start
        for position in range(prompt, prompt + tokens - 1):
            for s in range(streams):
                self.put(s, last[s], position, s, True)
            last = self.decode(context, streams, range(streams))
        seconds = time.perf_counter() - start - first
        memory = memory_mb()
        llama_cpp.llama_free(context)
        return {"first": first, "seconds": seconds, "tokens": streams * (tokens - 1),
                "memory_mb": memory}  # fmt: skip


def main():
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    side = Side(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    system = llama_cpp.llama_print_system_info().decode()
    print(json.dumps({"seconds": side.load_seconds, "version": llama_cpp.__version__,
                      "system": system, "threads": side.threads, "memory_mb": memory_mb()}),
          flush=True)  # fmt: skip
    for line in sys.stdin:
        streams, adapter, prompt, tokens = map(int, line.split()[1:])
        print(json.dumps(side.run(streams, adapter == 1, prompt, tokens)), flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main()
