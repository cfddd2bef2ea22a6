"""A session that a 0G Compute provider trains, by commands alone: terms, consent, training, tokens.

Usage: provider_session.py FFE. On a tiny model, with a provider on the same machine.
"""

import pathlib
import sys
import tempfile

import command
import learned_model
import small_session

SEES = "send all accepted rows out of the enclave to the 0G Compute provider"
ACCEPT = "--accept-provider-sees-data"


def write_terms(user, world, addresses, provider):
    file = small_session.write_terms(
        user, world, addresses, quorum="2", alpha="32", tokens_per_step="4096",
        learning_rate="0.0002",
    )  # fmt: skip
    text = file.read_text()
    assert '# trainer = "0g-compute"' in text
    text = text.replace('# trainer = "0g-compute"', 'trainer = "0g-compute"')
    file.write_text(
        f'{text}\n[compute]\nprovider = "{provider}"\nmodel = "mock-model"\n'
        'max_fee = "0.5"\nmax_steps = 2\n'
    )
    return file


def open_session(user, world, addresses, provider):
    file = write_terms(user, world, addresses, provider)
    advice = user.json("session", "check", file).json
    assert any(SEES in w and provider in w for w in advice["warnings"]), advice
    wrong = user.home / "wrong.toml"
    wrong.write_text(file.read_text().replace("alpha = 32", "alpha = 16"))
    refused = user.json("session", "check", wrong, status=None)
    assert "recipe.alpha must be 32 with trainer 0g-compute" in refused, refused
    nobody = user.home / "nobody.toml"
    nobody.write_text(file.read_text().replace(provider, addresses[0]))
    assert "offers no fine-tuning" in user.json("session", "open", nobody, *user.sign("opener"), status=2)
    opened = user.json("session", "open", file, *user.sign("opener"))
    assert SEES in opened.err and "http://127.0.0.1" in opened.err, opened
    return opened.json["sessionId"]


def submit(user, session, name, rows):
    plan = user.json("submit", session, rows, "--dry-run", *user.sign(name))
    assert SEES in plan.json["whoSeesRows"] and SEES in plan.err, plan
    refused = user.json("submit", session, rows, "--yes", *user.sign(name), status=2)
    assert "nothing was encrypted or sent" in refused.json["error"]["message"], refused
    assert ACCEPT in refused.json["error"]["hint"], refused
    assert user.json("session", "status", session).json["submissions"] == [] or name != "alice"
    user.json("submit", session, rows, ACCEPT, *user.sign(name))


def main(ffe, folder):
    world = learned_model.write(pathlib.Path(folder) / "world", ffe)
    user = command.User(ffe, pathlib.Path(folder) / "home")
    addresses = {name: user.key(name) for name in ("opener", "alice", "bob")}
    funds = [x for a in addresses.values() for x in ("--fund", a)]
    with command.devnet(user, "--compute", "--model", world / "model", "--threads", "1", *funds):
        (offer,) = user.json("compute", "providers").json
        parties = [addresses[n] for n in ("alice", "bob")]
        session = open_session(user, world, parties, offer["provider"])
        status = user.json("session", "status", session).json
        assert SEES in status["whoSeesRows"], status
        checked = user.json("check", world / "alice.jsonl", "--session", session)
        assert SEES in checked.json["whoSeesRows"] and SEES in checked.err, checked
        for name in ("alice", "bob"):
            submit(user, session, name, world / f"{name}.jsonl")
        watched = user.json("session", "watch", session, "--interval", "0.2", timeout=300)
        assert watched.json["state"] == "settled" and watched.json["stage"] == "Ready", watched
        taken = [
            user.json("download", session, "-o", user.home / f"adapter-{n}", *user.sign(n)).json
            for n in ("alice", "bob")
        ]
        assert taken[0]["adapterSha256"] == taken[1]["adapterSha256"], taken
        card = (user.home / "adapter-alice/README.md").read_text()
        assert f"trained by the 0G Compute provider `{offer['provider']}`, which saw the rows" in card
        assert user.json("report", "verify", session).json["verified"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ffe-provider.") as temporary:
        main(pathlib.Path(sys.argv[1]).resolve(), temporary)
