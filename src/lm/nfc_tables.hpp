// Data for nfc.cpp; nfc_tables.py writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace ffe::lm {

// One step of canonical decomposition, sorted by code point; `second` is 0 for a singleton.
struct NfcDecomposition {
  uint32_t code_point;
  uint32_t first;
  uint32_t second;
  uint8_t composes;  // 1: first and second compose to code_point again
};
extern const NfcDecomposition kNfcDecompositions[];
extern const size_t kNfcDecompositionCount;

// Canonical combining classes other than 0, sorted ranges.
struct NfcClassRange {
  uint32_t first;
  uint32_t last;
  uint8_t combining_class;
};
extern const NfcClassRange kNfcClasses[];
extern const size_t kNfcClassCount;

}  // namespace ffe::lm
