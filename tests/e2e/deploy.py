"""ffe deploy and the Foundry script on local chains: the same addresses from both, on every chain;
a second run sends nothing; the wrong chain and the development root are refused by name."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

CONTRACTS = pathlib.Path(__file__).resolve().parents[2] / "contracts"
TREASURY = "0x" + "00" * 19 + "07"
OTHER_TREASURY = "0x" + "00" * 19 + "08"
NAMES = ["DcapVerifier", "EnclaveRegistry", "ERC7857Verifier", "FFECoordinator"]
ADDRESSES = ["dcapVerifier", "registry", "keyVerifier", "coordinator", "inft"]
# Account 0 of anvil's well-known mnemonic.
RICH = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Chain:
    def __init__(self, anvil, chain_id, *more):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [anvil, "--port", str(port), "--chain-id", str(chain_id), "--hardfork", "cancun", "--silent", *more]
        )  # fmt: skip
        end = time.monotonic() + 20
        while True:
            try:
                assert int(self.call("eth_chainId"), 16) == chain_id
                return
            except OSError:
                assert time.monotonic() < end and self.process.poll() is None, "anvil did not start"
                time.sleep(0.05)

    def call(self, method, *parameters):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        request = urllib.request.Request(
            self.url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            out = json.loads(answer.read())
        assert "error" not in out, out
        return out["result"]

    def height(self):
        return int(self.call("eth_blockNumber"), 16)

    def has_code(self, address):
        return self.call("eth_getCode", address, "latest") != "0x"

    def stop(self):
        self.process.kill()
        self.process.wait()


class Deployer:
    def __init__(self, ffe, folder):
        self.ffe = ffe
        self.folder = pathlib.Path(folder)
        self.environment = os.environ | {"XDG_CONFIG_HOME": folder + "/config", "HOME": folder}
        self.password = self.folder / "password"
        self.password.write_text("a password\n")
        self.accounts = {}
        for name in ("one", "two"):
            made = self.run("key", "new", name, "--password-file", str(self.password))
            assert made.returncode == 0, made.stderr
            self.accounts[name] = made.stdout.strip()

    def run(self, *words):
        return subprocess.run(
            [self.ffe, *words], capture_output=True, text=True, env=self.environment, timeout=120
        )

    def fund(self, chain):
        for address in self.accounts.values():
            chain.call("anvil_setBalance", address, hex(10**20))

    def deploy(self, network, chain, account="one", treasury=TREASURY, *more):
        return self.run(
            "deploy", "--json", "--network", network, "--rpc-url", chain.url, "--treasury", treasury,
            "--account", account, "--password-file", str(self.password), *more,
        )  # fmt: skip

    def deployed(self, *arguments):
        """The addresses as JSON, and what was done about each contract."""
        done = self.deploy(*arguments)
        assert done.returncode == 0, done.stderr
        steps = re.findall(r"(Found|Deployed)\s+(\w+) 0x", done.stderr)
        return json.loads(done.stdout), steps

    def refused(self, *arguments):
        """Message and hint."""
        done = self.deploy(*arguments)
        assert done.returncode == 2, (done.returncode, done.stdout)
        error = json.loads(done.stdout)["error"]
        return error["message"] + "\n" + error["hint"]


def all_of(verb):
    return [(verb, name) for name in NAMES]


def same_addresses(a, b):
    return all(a[key] == b[key] for key in ADDRESSES)


def idempotent(d, chain):
    d.fund(chain)
    first, steps = d.deployed("devnet", chain)
    assert steps == all_of("Deployed"), steps
    assert first["chainId"] == 31337 and first["block"] > 0, first
    assert len({first[key] for key in ADDRESSES}) == len(ADDRESSES), first
    assert all(chain.has_code(first[key]) for key in ADDRESSES), first

    height = chain.height()
    out = d.folder / "network.json"
    again, steps = d.deployed("devnet", chain, "two", TREASURY, "--out", str(out))
    assert again == first and steps == all_of("Found"), (again, steps)
    assert chain.height() == height, "a second run sends nothing"
    network = json.loads(out.read_text())
    assert network["coordinator"] == first["coordinator"], network
    assert network["fromBlock"] == first["block"], network
    return first


def refusals(d, chain, first):
    d.fund(chain)
    height = chain.height()
    message = d.refused("aristotle", chain)
    assert "the endpoint is chain 16602 (galileo), not 16661 (aristotle)" in message, message
    assert "check --network and --rpc-url" in message, message
    message = d.refused("mainnet", chain)
    assert 'unknown network "mainnet"' in message, message

    root = d.folder / "root.der"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", os.devnull, "-subj", "/CN=FFE test root", "-outform", "DER", "-out", str(root)],
        check=True, capture_output=True,
    )  # fmt: skip
    message = d.refused("galileo", chain, "one", TREASURY, "--development-root", str(root))
    assert "development attestation root on chain 16602 (galileo)" in message, message
    assert "chain 31337 only" in message, message
    assert chain.height() == height, "nothing was sent"

    elsewhere, steps = d.deployed("galileo", chain)
    assert steps == all_of("Deployed") and elsewhere["chainId"] == 16602, (elsewhere, steps)
    assert same_addresses(elsewhere, first), (elsewhere, first)
    return root


def development_root(d, chain, first, root):
    with_root, steps = d.deployed("devnet", chain, "one", TREASURY, "--development-root", str(root))
    assert steps == all_of("Deployed"), steps
    assert not any(with_root[key] == first[key] for key in ADDRESSES), with_root


class Script:
    def __init__(self, forge, folder):
        self.forge = forge
        self.environment = os.environ | {"FOUNDRY_BROADCAST": folder + "/broadcast"}

    def run(self, chain, **settings):
        return subprocess.run(
            [self.forge, "script", "script/Deploy.s.sol", "--rpc-url", chain.url, "--broadcast",
             "--unlocked", "--sender", RICH, "--json"],
            cwd=CONTRACTS, env=self.environment | settings, capture_output=True, text=True, timeout=600,
        )  # fmt: skip

    def deployed(self, chain, **settings):
        done = self.run(chain, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        returns = next(
            json.loads(line)["returns"] for line in done.stdout.splitlines() if '"returns"' in line
        )
        names = {"registry": "registry", "verifier": "keyVerifier", "coordinator": "coordinator"}
        names["inft"] = "inft"
        return {ours: returns[theirs]["value"].lower() for theirs, ours in names.items()}


def foundry(d, script, chain, anvil, first, root):
    # On a chain of its own it deploys everything; ffe finds it all there.
    with contextlib.closing(ClosingChain(anvil, 16661)) as aristotle:
        made = script.deployed(aristotle, FFE_TREASURY=TREASURY)
        assert all(made[key] == first[key].lower() for key in made), (made, first)
        height = aristotle.height()
        assert script.deployed(aristotle, FFE_TREASURY=TREASURY) == made
        assert aristotle.height() == height, "a second run sends nothing"
        d.fund(aristotle)
        found, steps = d.deployed("aristotle", aristotle)
        assert steps == all_of("Found") and same_addresses(found, first), (found, steps)

    # Beside a registry that exists.
    made = script.deployed(chain, FFE_TREASURY=OTHER_TREASURY, FFE_REGISTRY=first["registry"])
    found, steps = d.deployed("devnet", chain, "one", OTHER_TREASURY)
    assert steps == all_of("Found") and found["coordinator"].lower() == made["coordinator"], steps
    assert found["coordinator"] != first["coordinator"]

    with contextlib.closing(ClosingChain(anvil, 1)) as other:
        refused = script.run(other, FFE_TREASURY=TREASURY)
        assert refused.returncode != 0, refused.stdout
        assert "UnknownChain(1)" in refused.stdout + refused.stderr, refused.stderr


class ClosingChain(Chain):
    close = Chain.stop


def main():
    ffe = pathlib.Path(sys.argv[1]).resolve()
    anvil = CONTRACTS / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
    forge = CONTRACTS / "node_modules/.bin/forge"
    if not anvil.exists():
        print("SKIPPED: anvil is not installed: make setup-contracts")
        return 77
    with tempfile.TemporaryDirectory(prefix="ffe-e2e-deploy-") as folder:
        d = Deployer(str(ffe), folder)
        with contextlib.ExitStack() as stack:
            start = lambda *a: stack.enter_context(contextlib.closing(ClosingChain(str(anvil), *a)))
            devnet = start(31337, "--disable-default-create2-deployer")
            first = idempotent(d, devnet)
            root = refusals(d, start(16602), first)
            development_root(d, devnet, first, root)
            foundry(d, Script(str(forge), folder), devnet, str(anvil), first, root)
    return 0


sys.exit(main())
