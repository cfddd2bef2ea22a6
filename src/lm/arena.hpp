// Cache-line aligned storage that is not initialised, and wiped when it goes: activations and
// adapters tell what rows say.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "base/secret.hpp"

namespace ffe::lm {

// `kWiped` false: for an owner that wipes what it wrote, and would touch pages that it never used.
template <class T, bool kWiped = true>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size) { resize(size); }

  // Content is lost when it grows.
  void resize(size_t size) {
    if (size > capacity_) {
      data_.reset();
      capacity_ = 0;
      const size_t bytes = (size * sizeof(T) + 63) / 64 * 64;
      data_ = {static_cast<T*>(std::aligned_alloc(64, bytes)), Free{bytes}};
      if (!data_) throw std::bad_alloc();
      capacity_ = size;
    }
    size_ = size;
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    size_t bytes = 0;
    void operator()(T* p) const {
      if constexpr (kWiped) wipe(p, bytes);
      std::free(p);
    }
  };
  std::unique_ptr<T[], Free> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// Memory for activations, handed out from the front and taken back in reverse order. It keeps what
// it got, so that the passes of a training run touch the same pages again.
class Arena {
 public:
  struct Mark {
    size_t block = 0;
    size_t used = 0;
  };

  float* take(size_t floats) {
    const size_t padded = std::max<size_t>((floats + 15) / 16 * 16, 16);
    while (at_.block < blocks_.size()) {
      if (at_.used + padded <= blocks_[at_.block].size()) {
        float* p = blocks_[at_.block].data() + at_.used;
        at_.used += padded;
        return p;
      }
      at_ = {at_.block + 1, 0};
    }
    constexpr size_t kBlock = size_t{16} << 20;
    blocks_.emplace_back(std::max(padded, kBlock));
    at_.used = padded;
    return blocks_.back().data();
  }
  float* take_zeros(size_t floats) {
    float* p = take(floats);
    std::fill_n(p, floats, 0.0f);
    return p;
  }
  Mark mark() const { return at_; }
  void release(Mark mark) { at_ = mark; }
  // Empties it; `keep` floats at most stay reserved.
  void reset(size_t keep = size_t{1} << 40) {
    at_ = {};
    size_t total = 0;
    size_t kept = 0;
    while (kept < blocks_.size() && total + blocks_[kept].size() <= keep) {
      total += blocks_[kept++].size();
    }
    blocks_.resize(kept);
  }

 private:
  std::vector<AlignedBuffer<float>> blocks_;
  Mark at_;
};

}  // namespace ffe::lm
