"""A session by commands alone: opened, submitted to, watched, settled, claimed, taken home, verified.

Usage: session.py FFE. Two honest contributors and one whose rows are shuffled, on a tiny model.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import browser
import command
import learned_model
import sealed
import small_session
from terminal import on_terminal


def check_rows(user, world):
    clean = user.json("check", world / "alice.jsonl", "--model", world / "model").json
    assert clean["rows"] == 64 and clean["personal"] == [] and clean["tokens"]["all"] > 0, clean
    dirty = user.home / "dirty.jsonl"
    learned_model.write_rows(
        dirty,
        [
            {"prompt": "Who?", "completion": "Mail me: jane.doe@example.org"},
            {"prompt": "Where?", "completion": "Call +49 30 901820 for the way"},
            {"prompt": "Which key?", "completion": "It is 0x" + "ab" * 32},
        ],
    )
    answer = user.json("check", dirty)
    kinds = {p["kind"]: p["firstLine"] for p in answer.json["personal"]}
    assert kinds == {"mail address": 1, "telephone number": 2, "key or token": 3}, answer
    assert "jane.doe" not in answer.err, "what was found is not repeated"


def refuse_evidence(user, enclave):
    """A simulated platform's quote proves nothing without its own root."""
    evidence = json.load(urllib.request.urlopen(enclave + "/v1/enclave"))
    quote, collateral = user.home / "quote.hex", user.home / "collateral.json"
    quote.write_text(evidence["quote"])
    collateral.write_text(json.dumps(evidence["collateral"]))
    refused = user.json("attest", "verify", "--quote", quote, "--collateral", collateral, status=3)
    assert not refused.json["accepted"] and "untrusted root" in refused.err, refused


def interrupt(user, session):
    watching = subprocess.Popen(
        [user.ffe, "session", "watch", session], env=user.environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while "Waiting" not in watching.stderr.readline():
        assert watching.poll() is None
    watching.send_signal(signal.SIGINT)
    out, _ = watching.communicate(timeout=10)
    assert watching.returncode == 130 and out == "", (watching.returncode, out)


def killed_and_resumed(user, session, name, rows):
    """Killed when the blob is sealed, at the latest before it is committed."""
    waiting = user.home / ".local/share/ffe/submissions"
    submitting = subprocess.Popen(
        [user.ffe, "submit", session, rows, *user.sign(name)], env=user.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not any(waiting.glob("*.json")):
        assert submitting.poll() is None
        time.sleep(0.002)
    submitting.kill()
    submitting.wait()
    plan = user.json("submit", session, rows, "--dry-run", *user.sign(name))
    assert plan.json["resumes"] and "Resuming" in plan.err, plan
    done = user.json("submit", session, rows, *user.sign(name))
    assert done.json["resumed"] and not done.json["replaced"], done
    assert not any(waiting.iterdir()), "what was committed is put away"


def open_session(user, world, addresses, name):
    terms = small_session.write_terms(user, world, addresses, f"{name}.toml")
    advice = user.json("session", "check", terms, "--model", world / "model").json
    assert advice["poolPairs"] >= advice["neededPairs"], advice
    assert advice["model"]["truncated"] == 0, advice
    broken = small_session.write_terms(user, world, addresses, f"broken-{name}.toml", eval_pairs='"many"')
    assert "gate.eval_pairs" in user.json("session", "check", broken, status=2)
    opened = user.json("session", "open", terms, *user.sign("opener"))
    assert "Power" in opened.err and "Opened" in opened.err, opened
    return opened.json["sessionId"]


def submit(user, session, name, rows):
    plan = user.json("submit", session, rows, "--dry-run", *user.sign(name))
    assert plan.json["stakeWei"] == "500000000000000000" and not plan.json["replaces"], plan
    assert int(plan.json["storageFeeWei"]) > 0 and int(plan.json["gasFeeWei"]) > 0, plan
    for word in ("Plan", "Stake", "Cost", "Closes"):
        assert re.search(rf"(?m)^ *{word} ", plan.err), plan
    return user.json("submit", session, rows, *user.sign(name))


def verdicts(user, session, world):
    watched = user.json("session", "watch", session, "--interval", "0.2", timeout=300)
    assert watched.json["state"] == "settled" and watched.json["stage"] == "Ready", watched
    assert "Loss" in watched.err, watched
    status = user.run("status", session)
    found = status.out.find("reject")
    assert 0 < found, status
    order = [status.out.find(w, found) for w in ("found ", "stake ", "do ", "until ")]
    assert all(a < b for a, b in zip([found, *order], order)), status
    assert re.search(r"evidence of harm.*rejects", " ".join(status.out.split())), status
    return {v["contributor"]: v["verdict"] for v in watched.json["verdicts"]}, watched.json


def take_home(user, session, name):
    folder = user.home / f"adapter-{name}"
    taken = user.json("download", session, "-o", folder, *user.sign(name)).json
    assert (folder / "adapter_model.safetensors").exists()
    claimed = user.json("claim", session, *user.sign(name))
    assert claimed.json["stakeWei"] == "500000000000000000", claimed
    return taken


def move_token(user, session, token, addresses):
    """With its key from alice to the stranger, who opens the model; without it to bob, who cannot."""
    needs = user.json("transfer", token, addresses["stranger"], *user.sign("alice"), status=2)
    assert "request-key" in needs.json["error"]["hint"], needs
    request = user.home / "request.json"
    request.write_text(user.json("request-key", token, *user.sign("stranger")).out)
    user.json("transfer", token, request, *user.sign("mallory"), status=4)
    moved = user.json("transfer", token, request, *user.sign("alice"))
    assert moved.json["owner"] == addresses["stranger"], moved
    opened = user.json("download", session, "-o", user.home / "bought", *user.sign("stranger"))
    assert opened.json["tokenId"] == token, opened
    user.json("transfer", token, addresses["mallory"], "--without-key", *user.sign("stranger"))
    stale = user.json("download", session, "-o", user.home / "no", *user.sign("mallory"), status=4)
    assert "without its key" in stale.json["error"]["message"], stale


def main(ffe, folder):
    world = learned_model.write(pathlib.Path(folder) / "world", ffe)
    small_session.poisoned(world / "mallory.jsonl")
    small_session.large_sample(world / "sample.jsonl")
    user = command.User(ffe, pathlib.Path(folder) / "home")
    names = ("alice", "bob", "mallory")
    addresses = {name: user.key(name) for name in (*names, "opener", "stranger")}
    check_rows(user, world)
    funds = [x for a in addresses.values() for x in ("--fund", a)]
    with command.devnet(user, "--model", world / "model", "--threads", "1", *funds):
        state = user.json("devnet", "status").json
        assert [p["state"] for p in state["parts"]] == ["ok", "ok", "ok"], state
        assert "runs already" in user.run("devnet", "up", status=2)

        session = open_session(user, world, [addresses[n] for n in names], "first")
        assert user.json("session", "list").json == [
            {"id": session, "state": "open", "submitted": 0}
        ]
        assert user.json("attest", "show", session).json["accepted"]
        refuse_evidence(user, state["parts"][2]["url"])
        assert f"ffe submit {session}" in user.run("status", "--account", "alice").out
        user.json("status", "--account", "alice")
        refused = user.json(
            "submit", session, world / "alice.jsonl", *user.sign("stranger"), status=5
        )
        assert "not on the session's list" in refused.json["error"]["message"]
        assert "paid back at its end" in user.json("claim", session, *user.sign("alice"), status=5)

        submit(user, session, "bob", world / "alice.jsonl")
        user.json("withdraw", session, *user.sign("bob"))
        first = submit(user, session, "alice", world / "alice.jsonl").json
        assert not first["replaced"]
        killed_and_resumed(user, session, "bob", world / "bob.jsonl")
        interrupt(user, session)
        waiting = user.json("session", "status", session).json
        assert addresses["mallory"][:10] in waiting["waitingFor"], waiting
        gate = user.json(
            "check", world / "mallory.jsonl", "--session", session, "--gate",
            "--model", world / "model", status=7,
        )  # fmt: skip
        assert gate.json["gate"]["relevanceLostNats"] > 0.1, gate
        assert gate.json["gate"]["forecast"] == "reject", gate
        fine = user.json(
            "check", world / "alice.jsonl", "--session", session, "--gate",
            "--model", world / "model",
        )  # fmt: skip
        assert fine.json["gate"]["forecast"] == "accept", fine
        live = concurrent.futures.ThreadPoolExecutor().submit(
            on_terminal, user, "session", "watch", session, "--interval", "0.2", columns=80,
            TERM="xterm",
        )  # fmt: skip
        submit(user, session, "mallory", world / "mallory.jsonl")

        judged, status = verdicts(user, session, world)
        assert judged == {
            addresses["alice"].lower(): "accept",
            addresses["bob"].lower(): "accept",
            addresses["mallory"].lower(): "reject",
        }, judged
        status, shown = live.result(timeout=60)
        assert status == 0 and "\x1b[J" in shown and "[Ready]" in shown, shown
        assert "[Checking]" in shown or "[Training]" in shown, shown
        assert re.search(r"loss +[▁-█]+ +\d\.\d\d → \d\.\d\d nats", shown.split("[Ready]")[0]), shown
        taken = [take_home(user, session, name) for name in ("alice", "bob")]
        assert taken[0]["adapterSha256"] == taken[1]["adapterSha256"]
        user.json("download", session, "-o", user.home / "no", *user.sign("mallory"), status=4)

        verified = user.json("report", "verify", session).json
        assert verified["verified"] and len(verified["checks"]) > 10, verified
        page = user.home / "report.html"
        made = user.json(
            "report", "page", session, "-o", page, "--model", world / "model",
            "--adapter", taken[0]["folder"], "--max-tokens", "12",
        )  # fmt: skip
        assert made.json["verified"] and "wanted" in page.read_text()
        if browser.available():
            browser.check(page, os.environ.get("FFE_PICTURES"))
        token = taken[0]["tokenId"]
        user.json("authorize", token, addresses["stranger"], *user.sign("alice"))
        user.json("authorize", token, addresses["stranger"], "--end", *user.sign("alice"))
        user.json("authorize", token, addresses["bob"], *user.sign("stranger"), status=4)
        sealed.check(user, token, addresses, state["parts"][2]["url"])
        move_token(user, session, token, addresses)

        second = open_session(user, world, [addresses[n] for n in names], "second")
        user.json("session", "cancel", second, *user.sign("opener"))
        late = user.json(
            "submit", second, world / "alice.jsonl", *user.sign("alice"), status=5
        )
        assert "cancelled" in late.json["error"]["message"], late
    assert "no devnet is running" in user.run("devnet", "status", status=2)
    reached = set(user.statuses)
    assert reached >= {0, 2, 3, 4, 5, 7}, reached  # 1, 6 and 130: conditions.py


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ffe-session.") as temporary:
        main(pathlib.Path(sys.argv[1]).resolve(), temporary)
