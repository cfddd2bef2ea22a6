"""The whole story: four parties submit, one is slashed, three own one model.

Runs `ffe demo --json` and checks what it claims against the files it left behind.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

NO_MODEL = "the base model is not on this machine"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check(report):
    parties = {p["name"]: p for p in report["parties"]}
    owners = [parties[n] for n in ("alice", "bob", "carol")]
    mallory = parties["mallory"]

    assert mallory["verdict"] == "reject" and mallory["reason"] == "harmful", mallory
    assert mallory["slashed"] and int(mallory["slashedWei"]) == 5 * 10**17, mallory
    assert int(mallory["evidence"]) >= 4 * 1000, mallory
    assert mallory["returnedWei"] == "0" and "owns no token" in mallory["refused"], mallory
    assert "owns no token" in report["stranger"]["refused"]

    for p in owners:
        assert p["verdict"] == "accept" and not p["slashed"], p
        assert p["returnedWei"] == str(5 * 10**17), p
        folder = pathlib.Path(p["adapter"])
        assert sha256(folder / "adapter_model.safetensors") == p["adapterSha256"], p
    assert len({p["adapterSha256"] for p in owners}) == 1
    assert len({p["artifactSha256"] for p in owners}) == 1

    tokens = report["tokens"]
    assert len(tokens) == 3 and len({t["id"] for t in tokens}) == 3, tokens
    assert {t["owner"] for t in tokens} == {p["address"] for p in owners}, tokens
    assert {t["artifactRoot"] for t in tokens} == {report["session"]["artifactRoot"]}, tokens

    session = report["session"]
    assert session["jointLossNats"] <= session["baseLossNats"] - 0.5, session
    assert report["enclave"]["verified"] and report["enclave"]["simulated"]

    # Rows that a person can read, and nobody else's among them.
    rows = [set(pathlib.Path(p["file"]).read_text().splitlines()) for p in parties.values()]
    assert all(len(r) == 96 for r in rows)
    assert not set.intersection(rows[0], rows[3])

    html = pathlib.Path(report["files"]["html"]).read_text()
    assert html.startswith("<!doctype html>") and session["finalizeTx"] in html
    assert json.loads(pathlib.Path(report["files"]["json"]).read_text())["tokens"] == tokens


def main():
    ffe = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="ffe-e2e-") as folder:
        run = subprocess.run(
            [ffe, "demo", "--json", "--dir", folder + "/demo"], capture_output=True, text=True
        )
        sys.stderr.write(run.stderr)
        if run.returncode != 0:
            if NO_MODEL in run.stderr:
                print("SKIPPED: " + NO_MODEL)
                return 77
            return 1
        check(json.loads(run.stdout))
        assert run.stdout.count("\n") == 1, "stdout must hold the result and nothing else"
    return 0


sys.exit(main())
