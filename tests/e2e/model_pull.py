"""ffe model pull from a server that breaks off, redirects, lies and changes its mind."""

import hashlib
import http.server
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import threading

import tiny_model


def gguf_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def write_gguf(file, seed=1, hidden=32):
    """The tiny model as a GGUF file, F32."""
    letters = [t for t, _ in sorted(tiny_model.byte_vocabulary().items(), key=lambda p: p[1])]
    tokens = [*letters, "<|im_start|>", "<|im_end|>", "<|endoftext|>"]
    u32 = {
        "llama.context_length": 512, "llama.embedding_length": hidden, "llama.block_count": 1,
        "llama.feed_forward_length": 64, "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2, "llama.rope.dimension_count": hidden // 4,
        "llama.vocab_size": len(tokens), "tokenizer.ggml.eos_token_id": 257,
        "general.alignment": 32,
    }  # fmt: skip
    texts = {
        "general.architecture": "llama", "general.name": "tiny", "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm", "tokenizer.chat_template": tiny_model.CHATML,
    }  # fmt: skip
    meta = [gguf_string(k) + struct.pack("<I", 8) + gguf_string(v) for k, v in texts.items()]
    meta += [gguf_string(k) + struct.pack("<II", 4, v) for k, v in u32.items()]
    epsilon = gguf_string("llama.attention.layer_norm_rms_epsilon")
    meta.append(epsilon + struct.pack("<If", 6, 1e-5))
    meta.append(
        gguf_string("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, len(tokens))
        + b"".join(map(gguf_string, tokens))
    )  # fmt: skip
    meta.append(
        gguf_string("tokenizer.ggml.token_type") + struct.pack("<IIQ", 9, 5, len(tokens))
        + struct.pack(f"<{len(tokens)}i", *([1] * 256 + [3] * 3))
    )  # fmt: skip
    meta.append(gguf_string("tokenizer.ggml.merges") + struct.pack("<IIQ", 9, 8, 0))
    shapes = {
        "token_embd.weight": (hidden, len(tokens)), "output_norm.weight": (hidden,),
        "blk.0.attn_norm.weight": (hidden,), "blk.0.ffn_norm.weight": (hidden,),
        "blk.0.attn_q.weight": (hidden, hidden), "blk.0.attn_k.weight": (hidden, hidden // 2),
        "blk.0.attn_v.weight": (hidden, hidden // 2), "blk.0.attn_output.weight": (hidden, hidden),
        "blk.0.ffn_gate.weight": (hidden, 64), "blk.0.ffn_up.weight": (hidden, 64),
        "blk.0.ffn_down.weight": (64, hidden),
    }  # fmt: skip
    draw = random.Random(seed)
    infos, data = b"", b""
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        data += b"\0" * (-len(data) % 32)
        infos += gguf_string(name) + struct.pack("<I", len(shape))
        infos += struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", 0, len(data))
        values = (1.0 if len(shape) == 1 else draw.uniform(-0.3, 0.3) for _ in range(count))
        data += struct.pack(f"<{count}f", *values)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(meta)) + b"".join(meta) + infos
    pathlib.Path(file).write_bytes(head + b"\0" * (-len(head) % 32) + data)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves server.content; after server.break_after bytes of one answer it hangs up."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, with_body):
        server = self.server
        server.seen.append((self.command, self.path, self.headers.get("Range")))
        if self.path == "/moved.gguf":
            self.send_response(302)
            self.send_header("Location", "/real.gguf")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path == "/loop.gguf":
            self.send_response(302)
            self.send_header("Location", "/loop.gguf")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path != "/real.gguf":
            self.send_error(404)
            return
        content, begin = server.content, 0
        wanted = self.headers.get("Range")
        if wanted and self.headers.get("If-Range") == server.etag:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.send_header("ETag", server.etag)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if not with_body:
            return
        rest = content[begin:]
        if server.break_after is not None:
            rest = rest[: server.break_after]
            server.break_after = None
            self.close_connection = True
        self.wfile.write(rest)

    def do_GET(self):
        self.answer(True)

    def do_HEAD(self):
        self.answer(False)


def main():
    ffe = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="ffe-e2e-model-") as name:
        folder = pathlib.Path(name)
        environment = os.environ | {"HOME": name, "XDG_CACHE_HOME": name + "/cache"}
        models = folder / "cache" / "ffe" / "models"
        write_gguf(folder / "tiny.gguf")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.content = (folder / "tiny.gguf").read_bytes()
        server.etag, server.break_after, server.seen = '"one"', None, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        digest = hashlib.sha256(server.content).hexdigest()

        def pull(path, *more):
            run = subprocess.run(
                [ffe, "model", "pull", base + path, *more], capture_output=True, text=True,
                env=environment, timeout=60,
            )  # fmt: skip
            return run.returncode, run.stdout, run.stderr

        # Breaks off, then goes on where it stopped.
        server.break_after = 30_000
        code, out, err = pull("/real.gguf", "--sha256", digest)
        assert code == 6 and out == "", (code, out, err)
        assert not (models / "real.gguf").exists()
        server.seen.clear()
        code, out, err = pull("/real.gguf", "--sha256", digest)
        assert code == 0 and out == f"{models}/real.gguf\n", (code, out, err)
        assert ("GET", "/real.gguf", "bytes=30000-") in server.seen, server.seen
        assert (models / "real.gguf").read_bytes() == server.content
        assert [p.name for p in models.iterdir()] == ["real.gguf"], list(models.iterdir())

        # Another file by the time it goes on: begun anew.
        server.break_after = 20_000
        assert pull("/real.gguf", "--name", "second")[0] == 6
        write_gguf(folder / "tiny.gguf", seed=2)
        server.content, server.etag = (folder / "tiny.gguf").read_bytes(), '"two"'
        code, out, err = pull("/real.gguf", "--name", "second", "--json")
        assert code == 0, err
        assert json.loads(out)["sha256"] == hashlib.sha256(server.content).hexdigest()
        assert json.loads(out)["verified"] is False
        assert "warning: nothing proves what this file is" in err, err

        code, out, err = pull("/moved.gguf", "--name", "third")
        assert code == 0 and (models / "third.gguf").read_bytes() == server.content, err
        code, _, err = pull("/loop.gguf")
        assert code == 6 and "too many redirects" in err, err
        code, _, err = pull("/absent.gguf")
        assert code == 6 and "status 404" in err, err
        code, _, err = pull("/real.gguf", "--name", "fourth", "--sha256", digest)
        assert code == 1 and "SHA-256 is " in err, (code, err)
        assert not (models / "fourth.gguf").exists()
        server.content = b"GGUF" + b"\xff" * 5000
        server.etag = '"three"'
        code, _, err = pull("/real.gguf", "--name", "fifth")
        assert code == 1 and not (models / "fifth.gguf").exists(), (code, err)
        listed = subprocess.run([ffe, "model", "list", "--json"], capture_output=True, env=environment)
        assert [m["name"] for m in json.loads(listed.stdout)] == ["real", "second", "third"]
    return 0


sys.exit(main())
