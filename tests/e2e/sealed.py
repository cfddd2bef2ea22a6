"""The model of a settled session in its enclave: its owner and an authorised friend talk with it, end to end
encrypted; a stranger is told; an OpenAI client goes through `ffe proxy`."""

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.request

import learned_model


class Proxy:
    """What a program sees that knows OpenAI's API and nothing else."""

    def __init__(self, url, key, model):
        self.url, self.key, self.model = url, key, model

    def ask(self, path, body=None, **headers):
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"} | headers
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode() if body is not None else None, headers
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def chat(self, question, **more):
        body = {
            "model": self.model, "messages": [{"role": "user", "content": question}],
            "temperature": 0, "max_tokens": 12,
        } | more  # fmt: skip
        return self.ask("/chat/completions", body)


@contextlib.contextmanager
def proxy(user, token, name):
    process = subprocess.Popen(
        [user.ffe, "proxy", token, "--json", *user.sign(name)], env=user.environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        assert line, process.communicate()
        shown = json.loads(line)
        user.check("ffe proxy", shown)
        yield Proxy(shown["url"], shown["key"], shown["model"])
    finally:
        process.terminate()
        _, prose = process.communicate(timeout=20)
    assert process.returncode == 0, (process.returncode, prose)


def chunks(stream):
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line]
    assert lines[-1] == "[DONE]", lines
    return [json.loads(line) for line in lines[:-1]]


def through_proxy(user, token, question, said):
    with proxy(user, token, "stranger") as local:
        assert local.ask("/models")[0] == 200
        status, answer = local.chat(question)
        assert status == 200, answer
        whole = json.loads(answer)
        assert whole["choices"][0]["message"]["content"] == said, (whole, said)
        assert whole["model"] == local.model == f"ffe-{token}", whole
        status, stream = local.chat(question, stream=True, stream_options={"include_usage": True})
        parts = chunks(stream)
        text = "".join(c["delta"].get("content", "") for p in parts for c in p["choices"])
        assert status == 200 and text == said, stream
        assert parts[-1]["usage"] == whole["usage"], parts[-1]
        assert local.chat(question, n=2)[0] == 400
        assert local.chat(question, model="gpt-4")[0] == 404
        assert local.ask("/models", Authorization="Bearer guessed")[0] == 401
        assert local.ask("/models", Host="rebound.example")[0] == 403

        user.json("authorize", token, user.addresses["stranger"], "--end", *user.sign("alice"))
        time.sleep(6)  # as long as the enclave may believe the chain's last word
        status, answer = local.chat(question)
        assert status == 403 and "may not use token" in answer, answer


def check(user, token, addresses, enclave):
    """`token` is alice's; afterwards nobody else may use it."""
    user.addresses = addresses
    question = learned_model.LETTERS[:3] * 8
    ask = ("--temperature", "0", "--max-tokens", "12", "--prompt", question)

    def chat(name, **more):
        return user.json("chat", "--sealed", token, *ask, *user.sign(name), **more)

    # Without its owner's key there is nothing to talk with, and a stranger is told whom to ask.
    stranger = chat("stranger", status=4)
    hint = f"ffe authorize {token} {addresses['stranger']}"
    assert hint in stranger.json["error"]["message"], stranger
    first = chat("alice")
    assert "Verifying" in first.err and "Sending" in first.err, first
    said = first.json["content"]
    assert said and first.json["proof"]["text"].startswith("zg-sig-v1/e2ee-ct-stream:"), first
    again = chat("alice")
    assert "Sending" not in again.err and again.json["content"] == said, again

    user.json("authorize", token, addresses["stranger"], *user.sign("alice"))
    time.sleep(6)
    unknown = chat("stranger", status=4)
    assert "was not authorised yet" in unknown.json["error"]["message"], unknown
    chat("alice")
    assert chat("stranger").json["content"] == said
    through_proxy(user, token, question, said)

    plain = urllib.request.Request(
        enclave + "/v1/chat/completions", json.dumps({"model": f"ffe-{token}", "messages": []}).encode()
    )
    try:
        urllib.request.urlopen(plain)
        raise AssertionError("an unsealed request was answered")
    except urllib.error.HTTPError as error:
        assert error.code == 400 and b"sealed requests only" in error.read()
