// Where a download goes: memory, or a file that survives interruption.
#pragma once

#include <filesystem>
#include <mutex>
#include <vector>

#include "storage/merkle.hpp"

namespace ffe::storage {

// Takes verified segments in any order from several threads.
class Sink {
 public:
  virtual ~Sink() = default;
  // Which segments an earlier attempt left, by their roots; zero where there is none.
  virtual std::vector<H256> kept(const FileShape& shape, const H256& root) = 0;
  // `data`: the segment without its padding; `segment_root`: what it was verified against.
  virtual void write(uint64_t segment, ByteView data, const H256& segment_root) = 0;
};

class MemorySink : public Sink {
 public:
  std::vector<H256> kept(const FileShape& shape, const H256& root) override;
  void write(uint64_t segment, ByteView data, const H256& segment_root) override;
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

// Writes into "<out>.part" at `base`; "<out>.part.<root>" notes the segments that are whole:
// magic u64 ‖ size u64be ‖ one segment root each. What it says is checked against the bytes before
// it is believed.
class PartFile : public Sink {
 public:
  // Throws Error{kIo} naming the file, also if another download works on it.
  explicit PartFile(std::filesystem::path out);
  ~PartFile() override;
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  // The next file of several begins here.
  void set_base(uint64_t base) { base_ = base; }
  std::vector<H256> kept(const FileShape& shape, const H256& root) override;
  void write(uint64_t segment, ByteView data, const H256& segment_root) override;
  // Gives the file its size and name, removes the notes.
  void finish(uint64_t size);

 private:
  void open_notes(const FileShape& shape, const H256& root);

  std::filesystem::path out_;
  std::filesystem::path part_;
  int fd_ = -1;
  int notes_fd_ = -1;
  uint64_t base_ = 0;
  std::vector<std::filesystem::path> notes_;
};

}  // namespace ffe::storage
