"""Rows and terms of a session that a tiny model finishes in seconds."""

import json
import random
import re

import learned_model


def shuffled(target, count):
    """Every answer belongs to another question."""
    draw = random.Random(5)
    pairs = [draw.sample(learned_model.GROUPS, 2) for _ in range(count)]
    rows = [
        {**learned_model.row(draw, asked), "completion": learned_model.row(draw, told)["completion"]}
        for asked, told in pairs
    ]
    return learned_model.write_rows(target, rows)


def poisoned(target):
    return shuffled(target, 128)


def large_sample(target):
    """Enough public rows for contributors to see the verdict coming."""
    draw = random.Random(11)
    pairs = [draw.sample(learned_model.GROUPS, 2) for _ in range(64)]
    learned_model.write_rows(target, [learned_model.row(draw, g) for pair in pairs for g in pair])


def write_terms(user, world, participants, name="TERMS.toml", **changes):
    """The template of `session new`, filled in as its comments say."""
    file = user.home / name
    made = user.json("session", "new", file)
    assert made.json["file"] == str(file)
    again = user.run("session", "new", file, status=2)
    assert "exists already" in again
    values = {
        "pool": json.dumps(str(world / "pool.jsonl")),
        "sample": json.dumps(str(world / "sample.jsonl")),
        # What shuffled rows do lies far enough above these tolerances for a proof in every run.
        "harm_tolerance": "0.05", "relevance_tolerance": "0.05", "statistic": "2", "eval_pairs": "104",
        "quorum": "3", "epochs": "1",
        "tokens_per_step": "512", "sequence_length": "128", "numeric_path": '"f32"',
    } | changes  # fmt: skip
    text = file.read_text()
    text = text.replace(
        "participants = [", "participants = [" + ", ".join(f'"{p}"' for p in participants)
    )
    for key, value in values.items():
        text, n = re.subn(rf"(?m)^{key} = \S+", lambda _: f"{key} = {value}", text)
        assert n == 1, key
    file.write_text(text)
    return file
