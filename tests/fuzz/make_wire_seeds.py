#!/usr/bin/env python3
"""Writes the seeds of the storage, net and evm fuzz targets: one small valid input of every kind."""

import base64
import json
import pathlib

CORPUS = pathlib.Path(__file__).with_name("corpus")
# Roots of the file of one zero byte, and of 300 000 bytes i % 251 with its two nodes.
ZERO_ROOT = "0xd397b3b043d87fcd6fad1291ff0bfd16401c274896d8c63a923727f077b8e0b5"
ROOT = "0x04f3f3c1a9b94c408cc91624244806a8ab53ffc5842647189d4060cf39d58318"
LEFT = "0x4d533607c0f4423a9287d761e7394aa61552adb7d6a080cdb278ddb65b2eacb7"
RIGHT = "0x2c952a66f5595358191832ebb83c766db03296f5e269f5a27508d8fce86c68d9"
ADDRESS = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
HASH = "0x" + "ab" * 32
# The example transaction of EIP-155.
TRANSACTION = (
    "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc"
    "2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb196"
    "6a3b6d83"
)


def write(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    if not isinstance(data, (bytes, str)):
        data = json.dumps(data)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def words(*values):
    return b"".join(bytes.fromhex(v[2:]) if isinstance(v, str) else v.to_bytes(32, "big") for v in values)


def storage():
    proof = {"lemma": [LEFT, RIGHT, ROOT], "path": [True]}
    write("storage_wire", "proof", proof)
    write("storage_wire", "shard", {"shardId": 1, "numShard": 2})
    write("storage_wire", "faults", "drop=0.1,delay=0.2:500,corrupt=0.05,stall=0.01:30000,seed=7")
    write(
        "storage_wire",
        "segment",
        {
            "root": ZERO_ROOT,
            "data": base64.b64encode(bytes(256)).decode(),
            "index": 0,
            "proof": {"lemma": [ZERO_ROOT], "path": []},
            "fileSize": 1,
        },
    )
    tx = {
        "streamIds": [],
        "data": [],
        "dataMerkleRoot": ROOT,
        "merkleNodes": [[11, LEFT], [9, RIGHT]],
        "startEntryIndex": 1024,
        "size": 300000,
        "seq": 0,
    }
    info = {"tx": tx, "finalized": False, "isCached": False, "uploadedSegNum": 0, "pruned": False}
    write("storage_wire", "file-info", info)
    write("storage_wire", "packed-proof", b"\x01\x01" + words(LEFT, RIGHT, ROOT))
    topics = bytes(12) + words(ADDRESS) + words(ROOT)
    event = words(0, 1024, 1280, 128, 300000, 96, 128, 0, 2, LEFT, 10, RIGHT, 8)
    write("storage_submit", "300000-bytes", topics + event)


def net():
    call = {"jsonrpc": "2.0", "id": 18446744073709551557, "method": "echo", "params": ["a" * 1100, {"b": [1.5, None]}]}
    write("net_json_rpc", "call", call)
    write("net_json_rpc", "no-params", {"jsonrpc": "2.0", "id": "x\"y", "method": "fail"})
    write("net_json_rpc", "batch", [call, {"jsonrpc": "2.0", "method": "echo"}, 7])


def evm():
    write("evm_codec", "transaction", bytes.fromhex(TRANSACTION))
    write("evm_codec", "revert", bytes.fromhex("08c379a0") + words(32, 2) + b"no" + bytes(30))
    write("evm_codec", "signature", "function f(uint256 a, (bytes32 c, int64 d)[] e) view returns (bool)")
    log = {
        "address": ADDRESS,
        "topics": [HASH],
        "data": "0x0102",
        "blockNumber": "0x10",
        "blockHash": HASH,
        "transactionHash": HASH,
        "transactionIndex": "0x0",
        "logIndex": "0x0",
        "removed": False,
    }
    write("evm_codec", "log", log)
    receipt = {
        "transactionHash": HASH,
        "blockHash": HASH,
        "blockNumber": "0x10",
        "status": "0x1",
        "gasUsed": "0x5208",
        "effectiveGasPrice": "0x1",
        "contractAddress": None,
        "logs": [log],
    }
    write("evm_codec", "receipt", receipt)
    block = {"number": "0x1", "hash": HASH, "parentHash": HASH, "timestamp": "0x2", "baseFeePerGas": "0x7"}
    write("evm_codec", "block", block)
    abi = [{"type": "function", "name": "f", "inputs": [{"name": "a", "type": "uint256"}], "outputs": []}]
    write("evm_codec", "abi", abi)


storage()
net()
evm()
