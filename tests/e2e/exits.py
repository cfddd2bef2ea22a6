"""The ends of a session that anyone may bring about, and the operator's bond, by commands.

Usage: exits.py FFE. The chain's clock is moved.
"""

import json
import pathlib
import sys
import tempfile
import urllib.request

import command
import learned_model
import small_session

DAY = 86400


class Network:
    def __init__(self, user):
        parts = {p["name"]: p["url"] for p in user.json("devnet", "status").json["parts"]}
        self.rpc, self.enclave = parts["chain"], parts["enclave"]

    def pass_time(self, seconds):
        for method, params in (("evm_increaseTime", [seconds]), ("evm_mine", [])):
            request = urllib.request.Request(
                self.rpc, headers={"Content-Type": "application/json"},
                data=json.dumps(
                    {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                ).encode(),
            )  # fmt: skip
            answer = json.load(urllib.request.urlopen(request))
            assert "error" not in answer, answer

    def get(self, path):
        return json.load(urllib.request.urlopen(self.enclave + path))


def opened(user, world, participants, number, **changes):
    terms = small_session.write_terms(user, world, participants, f"{number}.toml", **changes)
    return user.json("session", "open", terms, *user.sign("opener")).json["sessionId"]


def expired(user, network, world, participants):
    session = opened(user, world, participants, 1, quorum=2)
    refused = user.json("session", "expire", session, *user.sign("opener"), status=6)
    assert "revert" in refused.json["error"]["message"], refused
    user.json("submit", session, world / "alice.jsonl", *user.sign("alice"))
    network.pass_time(DAY + 60)
    waiting = user.run("status", session).out
    assert f"ffe session expire {session}" in " ".join(waiting.split()), waiting
    late = user.json("submit", session, world / "bob.jsonl", *user.sign("bob"), status=5)
    assert "is over" in late.json["error"]["message"], late
    user.json("session", "expire", session, *user.sign("opener"))
    assert user.json("session", "status", session).json["state"] == "expired"
    user.json("claim", session, *user.sign("alice"))


def sealed_by_hand(user, network, world, participants):
    session = opened(user, world, participants, 2, quorum=2)
    for name in ("alice", "bob"):
        user.json("submit", session, world / f"{name}.jsonl", *user.sign(name))
    network.pass_time(DAY + 60)
    waiting = " ".join(user.run("status", session).out.split())
    assert f"ffe session seal {session}" in waiting, waiting
    user.json("session", "seal", session, *user.sign("opener"))
    done = user.json("session", "watch", session, "--interval", "0.2", timeout=120).json
    assert done["state"] == "settled", done
    return session


def certificates_are_judged(user, network, session):
    """The contract takes none twice; the command takes none of another session."""
    found = list(network.get("/v1/sessions"))
    assert session in found, found
    # The result's certificate as the page and the verifier get it: from the transaction.
    file = user.home / "certificate.json"
    tag = user.json("session", "status", session).json["sessionTag"]
    certificates = network.get(f"/v1/tags/{tag[2:]}/certificates")
    (result,) = [c for c in certificates if "artifactRoot" in json.dumps(c)]
    file.write_text(json.dumps(result))
    twice = user.json("session", "finalize", session, file, *user.sign("opener"), status=6)
    assert "WrongState" in twice.json["error"]["message"], twice
    for words in (("session", "abort"), ("slash",), ("session", "finalize")):
        other = user.json(*words, "999", file, *user.sign("opener"), status=2)
        assert "is of session" in other.json["error"]["message"], other
    file.write_text("{}")
    user.json("session", "finalize", session, file, *user.sign("opener"), status=1)


def bond(user, network, address):
    enclave = network.get("/v1/enclave")["enclaveId"]
    user.json("bond", "deposit", "2", *user.sign("opener"))
    assert user.json("bond", "show", address).json["totalWei"] == str(2 * 10**18)
    user.json("bond", "back", enclave, *user.sign("opener"))
    user.json("bond", "back", enclave, "--end", *user.sign("opener"))
    user.json("bond", "withdraw", "1.5", *user.sign("opener"))
    assert user.json("bond", "show", address).json["totalWei"] == str(5 * 10**17)
    user.json("bond", "withdraw", "1.5", *user.sign("opener"), status=6)


def main(ffe, folder):
    world = learned_model.write(pathlib.Path(folder) / "world", ffe)
    user = command.User(ffe, pathlib.Path(folder) / "home")
    addresses = {name: user.key(name) for name in ("alice", "bob", "carol", "opener")}
    participants = [addresses[n] for n in ("alice", "bob", "carol")]
    funds = [x for a in addresses.values() for x in ("--fund", a)]
    with command.devnet(user, "--model", world / "model", "--threads", "1", *funds):
        network = Network(user)
        bond(user, network, addresses["opener"])
        expired(user, network, world, participants)
        session = sealed_by_hand(user, network, world, participants)
        certificates_are_judged(user, network, session)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ffe-exits.") as temporary:
        main(pathlib.Path(sys.argv[1]).resolve(), temporary)
