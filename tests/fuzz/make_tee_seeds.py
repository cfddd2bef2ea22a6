#!/usr/bin/env python3
"""Writes the seeds of the tee_* fuzz targets (corpus/tee_*) from the development platform's vectors."""
import hashlib
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent
VECTORS = json.loads((HERE / "../vectors/tee/development.json").read_text())


def unhex(text):
    return bytes.fromhex(text.removeprefix("0x"))


def seed(target, name, content):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def agent_log():
    """A log in the attestation agent's form with one start_app."""
    text = b'tapp.0g.com start_app ' + json.dumps({
        "app_id": "ffe", "result": "success", "compose_hash": "aa" * 48,
        "image_hash": {"ffe": "sha256:" + "cc" * 32}}).encode()
    data = struct.pack("<II", 0x4141454C, len(text)) + text
    header = struct.pack("<II", 0, 3) + bytes(20) + struct.pack("<I", 5) + b"Spec\0"
    entry = struct.pack("<IIIH", 4, 6, 1, 12) + hashlib.sha384(data).digest()
    return header + entry + struct.pack("<I", len(data)) + data + b"\xff" * 8


def proto_bytes(field, value):
    size = len(value)
    varint = b""
    while size >= 0x80:
        varint += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([field << 3 | 2]) + varint + bytes([size]) + value


for case in VECTORS["cases"][:2]:
    seed("tee_quote", case["name"].split(",")[0].replace(" ", "-"), unhex(case["quote"]))

runtime = '[{"imr":3,"event_type":134217729,"digest":"","event":"%s","event_payload":"%s"}'
seed("tee_event_log", "ccel", agent_log())
seed("tee_event_log", "dstack", runtime % ("compose-hash", "ab" * 32) + "," +
     (runtime % ("boot-mr-done", ""))[1:] + "]")

bundle = VECTORS["collateral"]
seed("tee_collateral", "bundle", json.dumps(bundle))
for member, key in (("tcbInfo", "tcb_info"), ("enclaveIdentity", "qe_identity")):
    seed("tee_collateral", key,
         '{"%s":%s,"signature":"%s"}' % (member, bundle[key], bundle[key + "_signature"]))
seed("tee_collateral", "policy", json.dumps({"tcbStatuses": ["UpToDate"], "fmspcs": ["00de50000000"]}))
seed("tee_tcb", "tcb_info", bundle["tcb_info"])
seed("tee_tcb", "qe_identity", bundle["qe_identity"])

pck = unhex(VECTORS["pck"])
for name in ("root", "intermediate", "pck", "tcbSigning"):
    seed("tee_x509", name, unhex(VECTORS[name]))
seed("tee_x509", "chain.pem", bundle["tcb_info_issuer_chain"])
seed("tee_x509", "crl", bytes.fromhex(bundle["pck_crl"]))
oid = bytes.fromhex("060a2a864886f84d010d0101")  # the extension's first item; its value starts 6 bytes before
start = pck.index(oid) - 6
seed("tee_x509", "sgx-extension", pck[start:start + 4 + int.from_bytes(pck[start + 2:start + 4], "big")])

seed("tee_tapp", "answer", b"\x08\x01" + proto_bytes(3, b'{"quote":"AAAA","runtime_data":"e30="}') +
     proto_bytes(4, b"tdx") + b"\x28\x80\x01")
seed("tee_tapp", "evidence", '{"quote":"AAAA","cc_eventlog":"AAAA","gpu_evidence":null,"runtime_data":"e30="}')
seed("tee_tapp", "runtime", '{"nonce":"0x%s","signer":"0x%s"}' % ("ab" * 32, "cd" * 20))
seed("tee_verify", "one", bytes([0, 0, 0x50, 2, 1]))
seed("tee_verify", "tail", bytes([1, 4, 0, 0, 7, 4, 0, 0, 7]))
