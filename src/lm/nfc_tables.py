#!/usr/bin/env python3
"""Writes nfc_tables.cpp: canonical decompositions and combining classes of this Python's Unicode."""

import pathlib
import sys
import unicodedata

HANGUL = range(0xAC00, 0xD7A4)  # composed by arithmetic


def decompositions():
    for cp in range(sys.maxunicode + 1):
        text = unicodedata.decomposition(chr(cp))
        if not text or text.startswith("<") or cp in HANGUL:
            continue
        parts = [int(p, 16) for p in text.split()]
        first, second = parts[0], parts[1] if len(parts) > 1 else 0
        composes = second != 0 and unicodedata.normalize("NFC", chr(first) + chr(second)) == chr(cp)
        yield cp, first, second, int(composes)


def classes():
    start = None
    for cp in range(sys.maxunicode + 2):
        ccc = unicodedata.combining(chr(cp)) if cp <= sys.maxunicode else 0
        if start is not None and ccc != start[1]:
            yield start[0], cp - 1, start[1]
            start = None
        if start is None and ccc != 0:
            start = (cp, ccc)


def rows(items, per_line):
    items = [f"{{{', '.join(hex(n) if n > 9 else str(n) for n in item)}}}," for item in items]
    return "\n".join("    " + " ".join(items[i:i + per_line]) for i in range(0, len(items), per_line))


out = f"""// Unicode {unicodedata.unidata_version}, written by nfc_tables.py.
#include "lm/nfc_tables.hpp"

// clang-format off
namespace ffe::lm {{

const NfcDecomposition kNfcDecompositions[] = {{
{rows(decompositions(), 4)}
}};
const size_t kNfcDecompositionCount = std::size(kNfcDecompositions);

const NfcClassRange kNfcClasses[] = {{
{rows(classes(), 4)}
}};
const size_t kNfcClassCount = std::size(kNfcClasses);

}}  // namespace ffe::lm
"""
pathlib.Path(__file__).with_name("nfc_tables.cpp").write_text(out)
