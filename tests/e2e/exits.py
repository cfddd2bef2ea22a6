"""Every way out of a session by commands alone, with the texts that a person reads; the bond; clocks
that are wrong.

Usage: exits.py FFE FAKE_CLOCK. The service is stopped where a person does what it would have done,
and the chain's clock is moved on.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request

import command
import learned_model
import small_session

HALF, FEE = "500000000000000000", "100000000000000000"
HOUR = 3600


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=30))


class Chain:
    """The local chain, whose clock and history can be moved."""

    def __init__(self, url):
        self.url = url

    def call(self, method, *parameters):
        answer = ask(self.url, {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
        assert "error" not in answer, answer
        return answer["result"]

    def forward(self, seconds):
        self.call("evm_increaseTime", seconds)
        self.call("evm_mine")


class Service:
    """The enclave's service: a child of `ffe devnet up`."""

    def __init__(self, url, devnet):
        self.url = url
        self.info = ask(url + "/v1/enclave")
        (self.process,) = (
            int(p.name)
            for p in pathlib.Path("/proc").iterdir()
            if p.name.isdigit() and self.is_ours(p, devnet)
        )

    @staticmethod
    def is_ours(process, devnet):
        with contextlib.suppress(OSError):  # processes end while they are looked at
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            name = (process / "comm").read_text().strip()
            return int(fields[1]) == devnet and name.startswith("ffe-aggregator"[:15])
        return False

    def stop(self):
        os.kill(self.process, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process, signal.SIGCONT)

    def stage(self, session):
        with contextlib.suppress(urllib.error.HTTPError):
            return ask(f"{self.url}/v1/sessions/{session}")["stage"]
        return ""

    def wait_for(self, session, stage, seconds=180):
        end = time.monotonic() + seconds
        while not self.stage(session).startswith(stage):
            assert time.monotonic() < end, ask(f"{self.url}/v1/sessions/{session}")
            time.sleep(0.2)


def lines_in_order(text, *starts):
    """Each line begins so, one after the other."""
    at = 0
    for start in starts:
        found = re.compile(rf"(?m)^ *{start} ").search(text, at)
        assert found, f"{start!r} is not in its place:\n{text}"
        at = found.end()


class Story:
    def __init__(self, user, world, addresses, chain, service):
        self.user, self.world, self.addresses = user, world, addresses
        self.chain, self.service = chain, service

    def open(self, names, **changes):
        changes = {"submit_for": '"1h"', "deliver_within": '"1h"', "quorum": "2"} | changes
        terms = small_session.write_terms(
            self.user, self.world, [self.addresses[n] for n in names],
            f"{len(list(self.user.home.glob('*.toml')))}.toml", **changes,
        )  # fmt: skip
        opened = self.user.json("session", "open", terms, *self.user.sign("opener"))
        return opened.json["sessionId"]

    def submit(self, session, *names):
        for name in names:
            self.user.json("submit", session, self.world / f"{name}.jsonl", *self.user.sign(name))

    def status(self, session):
        """The text, and that its JSON says the same."""
        text, said = self.user.run("session", "status", session).out, self.user.json(
            "session", "status", session
        ).json
        words = " ".join(text.split())
        for value in said.get("ending", {}).values():
            assert value in words, (value, text)
        return text, words, said

    def by(self, name, *arguments, **more):
        return self.user.json(*arguments, *self.user.sign(name), **more)

    def claim(self, name, session, stake, besides="0"):
        claimed = self.by(name, "claim", session).json
        assert (claimed["stakeWei"], claimed["besidesWei"]) == (stake, besides), (name, claimed)

    def bond(self, payee):
        shown = self.user.json("bond", "show", payee).json
        return int(shown["totalWei"]) / 1e18, int(shown["lockedWei"]) / 1e18


def bond(story):
    """A payee of its own: in, out, and whose sessions may lock it."""
    carol, enclave = story.addresses["carol"], story.service.info["enclaveId"]
    story.by("carol", "bond", "deposit", "3")
    assert story.bond(carol) == (3, 0)
    assert "free    3 0G" in story.user.run("bond", "show", carol).out
    story.by("carol", "bond", "withdraw", "1")
    assert story.bond(carol) == (2, 0)
    refused = story.by("carol", "bond", "withdraw", "5", status=6)
    assert "would revert" in refused.json["error"]["message"], refused
    story.by("carol", "bond", "back", enclave)
    story.by("carol", "bond", "back", enclave, "--end")


def never_sealed(story):
    session = story.open(["alice", "bob", "carol"], quorum="3")
    story.submit(session, "alice")
    refused = story.by("bob", "session", "expire", session, status=6)
    assert "NotExpired" in refused.json["error"]["message"], refused
    assert "can still be sealed" in refused.json["error"]["hint"], refused
    refused = story.by("bob", "session", "seal", session, status=6)
    assert "SealNotOpen" in refused.json["error"]["message"], refused
    story.chain.forward(HOUR + 60)
    late = story.by("bob", "submit", session, story.world / "bob.jsonl", status=5)
    assert "is over" in late.json["error"]["message"], late
    text, words, _ = story.status(session)
    assert f"the quorum was missed: ffe session expire {session}" in words, text
    story.by("bob", "session", "expire", session)
    text, words, said = story.status(session)
    lines_in_order(text, "state", "ended", "stakes", "do", "until")
    assert said["state"] == "expired", said
    assert "1 submitted until the deadline, the quorum is 3" in words, text
    assert "all come back, and the fee goes back to the opener" in words, text
    assert f"ffe claim {session}" in words and "no deadline" in words, text
    story.claim("alice", session, HALF)
    story.claim("opener", session, "0", FEE)
    again = story.by("alice", "claim", session, status=6)
    assert "paid out already" in again.json["error"]["hint"], again


def cancelled(story):
    session = story.open(["alice", "bob"])
    story.submit(session, "alice")
    refused = story.by("alice", "session", "cancel", session, status=6)
    assert "NotOpener" in refused.json["error"]["message"], refused
    story.by("opener", "session", "cancel", session)
    text, words, _ = story.status(session)
    lines_in_order(text, "state", "ended", "stakes", "do", "until")
    assert "the opener cancelled it while it was open" in words, text
    story.claim("alice", session, HALF)
    story.claim("opener", session, "0", FEE)


def nothing_delivered(story, clock):
    """Sealed by a person, then failed by a person: the operator's bond is shared out."""
    payee = story.service.info["payee"]
    story.by("opener", "bond", "deposit", "2", "--payee", payee)
    before = story.bond(payee)
    session = story.open(["alice", "bob", "carol"], operator_bond='"1"')
    assert story.bond(payee) == (before[0], before[1] + 1)
    story.submit(session, "alice", "bob")
    wrong_clock_of_the_service(story, session, clock)
    story.service.stop()
    story.chain.forward(HOUR + 60)
    text, words, _ = story.status(session)
    assert f"somebody to seal it: ffe session seal {session}" in words, text
    story.by("stranger", "session", "seal", session)
    refused = story.by("stranger", "session", "fail", session, status=6)
    assert "NotFailed" in refused.json["error"]["message"], refused
    refused = story.by("alice", "claim", session, status=5)
    assert "sealed" in refused.json["error"]["message"], refused
    story.chain.forward(HOUR + 60)
    text, words, _ = story.status(session)
    assert f"nothing was delivered: ffe session fail {session}" in words, text
    story.by("stranger", "session", "fail", session)
    text, words, _ = story.status(session)
    lines_in_order(text, "state", "ended", "stakes", "do", "until")
    assert "nothing was delivered within 1h" in words, text
    assert "each contributor gets 0.5 0G of the operator's bond" in words, text
    assert words.count("did not submit") == 1, text
    story.claim("alice", session, HALF, HALF)
    story.claim("bob", session, HALF, HALF)
    story.claim("opener", session, "0", FEE)
    assert story.bond(payee) == (before[0] - 1, before[1])
    story.service.go_on()


def certificates(story, session):
    """The enclave's certificates of a session, each in a file, by kind."""
    tag = story.user.json("session", "status", session).json["sessionTag"].removeprefix("0x")
    out = {}
    for certificate in ask(f"{story.service.url}/v1/tags/{tag}/certificates"):
        file = story.user.home / f"{session}-{certificate['kind']}.json"
        file.write_text(json.dumps(certificate))
        out[certificate["kind"]] = file
    return out


def brought_by_hand(story):
    """The service does its work; the chain goes back to the seal; people bring the certificates."""
    small_session.shuffled(story.world / "unfit.jsonl", 272)
    unfit = story.open(
        ["alice", "bob", "carol"], pool=json.dumps(str(story.world / "unfit.jsonl"))
    )
    story.submit(unfit, "alice", "bob")
    poisoned = story.open(["alice", "bob", "mallory", "carol"], quorum="3", slash_harmful_percent="40")
    story.submit(poisoned, "alice", "bob", "mallory")
    story.service.stop()
    story.chain.forward(HOUR + 60)
    story.by("stranger", "session", "seal", unfit)
    story.by("stranger", "session", "seal", poisoned)
    sealed = story.chain.call("evm_snapshot")
    story.service.go_on()
    story.service.wait_for(unfit, "over: aborted")
    story.service.wait_for(poisoned, "over: settled")
    by_kind = {s: certificates(story, s) for s in (unfit, poisoned)}
    files = [stored(story, poisoned, name) for name in ("artifactRoot", "gateRoot", "reportRoot")]
    story.service.stop()
    assert story.chain.call("evm_revert", sealed)
    for root, file in files:  # what the chain forgot, the node forgets; anybody may store it again
        forgotten(story, root)
        story.by("stranger", "storage", "put", file)
    aborted(story, unfit, by_kind[unfit])
    slashed(story, poisoned, by_kind[poisoned])
    settled(story, poisoned, by_kind[poisoned])


def stored(story, session, name):
    file = story.user.home / name
    root = story.user.json("session", "status", session).json["result"][name]
    story.user.json("storage", "get", root, file)
    return root, file


def forgotten(story, root):
    """Waits until the node has noticed; before that it has the file and would be sent nothing."""
    again = story.user.home / "again"
    deadline = time.monotonic() + 60
    while story.user.run("storage", "get", root, again, status=None).status == 0:
        assert time.monotonic() < deadline, "the storage node remembers what the chain forgot"
        again.unlink()
        story.chain.call("evm_mine")
        time.sleep(0.5)


def aborted(story, session, files):
    assert set(files) == {"abort"}, files
    wrong = story.by("stranger", "slash", session, files["abort"], status=2)
    assert f"ffe session abort {session}" in wrong.json["error"]["hint"], wrong
    story.by("stranger", "session", "abort", session, files["abort"])
    text, words, _ = story.status(session)
    lines_in_order(text, "state", "ended", "stakes", "do", "until")
    assert "evaluation pool is too small or not fit to judge by" in words, text
    assert "all that were not slashed come back; the operator is paid" in words, text
    story.claim("alice", session, HALF)
    story.claim("bob", session, HALF)


def slashed(story, session, files):
    assert set(files) == {"rejection", "result"}, (files, files["result"].read_text())
    story.by("stranger", "slash", int(session) + 1, files["rejection"], status=2)
    forged = json.loads(files["rejection"].read_text())
    forged["certificate"]["contributor"] = story.addresses["alice"].lower()
    (story.user.home / "forged.json").write_text(json.dumps(forged))
    story.by("stranger", "slash", session, story.user.home / "forged.json", status=6)
    assert story.user.json("session", "status", session).json["slashes"] == []
    story.by("stranger", "slash", session, files["rejection"])
    again = story.by("stranger", "slash", session, files["rejection"], status=6)
    assert "nothing is left to do" in again.json["error"]["hint"], again
    text, words, said = story.status(session)
    assert [s["amountWei"] for s in said["slashes"]] == ["200000000000000000"], said["slashes"]
    lines_in_order(text, "found", "stake", "do", "until")
    assert "0.2 0G slashed, 0.3 0G comes back" in words, text
    assert f"ffe report verify {session} recomputes the evidence" in words, text
    assert "from the end of the session, no deadline" in words, text
    assert re.search(r"found .*evidence.* rejects", words), text


def settled(story, session, files):
    payee = story.service.info["payee"]
    before = story.bond(payee)
    story.by("stranger", "session", "finalize", session, files["result"])
    assert abs(story.bond(payee)[0] - before[0] - 0.1) < 1e-9, "the fee is the operator's"
    text, words, _ = story.status(session)
    assert "do ffe report verify" in words and "no deadline" in words, text
    story.claim("alice", session, HALF)
    story.claim("mallory", session, "300000000000000000")
    taken = story.by("bob", "download", session, "-o", story.user.home / "model").json
    assert (pathlib.Path(taken["folder"]) / "adapter_model.safetensors").exists()
    assert story.user.json("report", "verify", session).json["verified"]


# --- clocks ------------------------------------------------------------------------------------------


def wrong_clock_of_the_service(story, session, clock):
    """Ahead, it seals too early: the contract refuses, and other sessions are served as before."""
    clock.write_text(str(5 * HOUR))
    other = story.open(["alice", "bob"], submit_for='"24h"')
    story.service.wait_for(other, "waiting", 60)
    assert story.user.json("session", "status", session).json["state"] == "open"
    clock.write_text("0")
    story.by("opener", "session", "cancel", other)
    story.claim("opener", other, "0", FEE)


def wrong_clock_of_a_contributor(story, fake_clock):
    """Evidence is judged by this machine's clock, deadlines by the chain's."""
    session = story.open(["alice", "bob"])
    left = story.user.json("session", "status", session).json["secondsLeft"]
    file = story.user.home / "contributors-clock"
    wrong = {"LD_PRELOAD": str(fake_clock), "FFE_CLOCK": str(file)}
    for years in (-3, 3):
        file.write_text(str(years * 365 * 24 * HOUR))
        there = story.user.json("session", "status", session, **wrong).json["secondsLeft"]
        assert abs(there - left) < 300, (there, left)
        for arguments in (("attest", "show", session), ("submit", session, story.world / "alice.jsonl",
                                                         *story.user.sign("alice"))):  # fmt: skip
            refused = story.user.run(*arguments, status=3, **wrong)
            assert "clock" in refused.err, refused
    file.write_text(str(-10 * 365 * 24 * HOUR))
    doctor = story.user.json("doctor", **wrong).json
    assert not doctor["clockOk"] and "right clock" in story.user.run("doctor", **wrong), doctor
    story.submit(session, "alice")  # with the right one


def main(ffe, fake_clock, folder):
    folder = pathlib.Path(folder)
    world = learned_model.write(folder / "world", ffe)
    small_session.poisoned(world / "mallory.jsonl")
    clock = folder / "services-clock"
    clock.write_text("0")
    user = command.User(ffe, folder / "home")
    names = ("alice", "bob", "carol", "mallory", "opener", "stranger")
    addresses = {name: user.key(name) for name in names}
    funds = [x for a in addresses.values() for x in ("--fund", a)]
    environment = {
        "LD_PRELOAD": str(fake_clock), "FFE_CLOCK": str(clock), "FFE_CLOCK_OF": "ffe-aggregator"
    }  # fmt: skip
    with command.devnet(
        user, "--model", world / "model", "--threads", "1", *funds, **environment
    ) as devnet:
        urls = {p["name"]: p["url"] for p in user.json("devnet", "status").json["parts"]}
        service = Service(urls["enclave"], devnet.pid)
        story = Story(user, world, addresses, Chain(urls["chain"]), service)
        try:
            bond(story)
            wrong_clock_of_a_contributor(story, fake_clock)
            cancelled(story)
            never_sealed(story)
            nothing_delivered(story, clock)
            brought_by_hand(story)
        finally:
            service.go_on()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ffe-exits.") as temporary:
        main(*(pathlib.Path(a).resolve() for a in sys.argv[1:3]), temporary)
