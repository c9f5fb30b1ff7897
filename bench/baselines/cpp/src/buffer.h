#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "frame.h"

// Buffer is a read buffer. Messages are not copied from it: uses counts those that
// workers have, and their bytes do not change until the loop has the message back.
// Only the loop uses the count, so it is not atomic.
struct Buffer {
  explicit Buffer(std::size_t n) : bytes(new unsigned char[n]), size(n) {}

  const std::unique_ptr<unsigned char[]> bytes;
  const std::size_t size;
  std::size_t uses = 0;
};

// Input has the bytes received but not parsed, after those that workers have. It
// owns all buffers. The loop owns it.
//
//   0 <= at <= end <= current->size
class Input {
 public:
  // kRead is the size of a buffer, except for one with a longer message; kLeast is
  // the minimum space for a read; kBuffers limits the memory.
  static constexpr std::size_t kRead = 256 << 10;
  static constexpr std::size_t kLeast = 64 << 10;
  static constexpr std::size_t kBuffers = 64;

  Input() : current_(add(kRead)) {}

  const unsigned char* data() const { return current_->bytes.get() + at_; }
  std::size_t size() const { return end_ - at_; }

  // use adds a use of the current buffer.
  Buffer* use() {
    current_->uses++;
    return current_;
  }

  unsigned char* space() const { return current_->bytes.get() + end_; }
  std::size_t spaceSize() const { return current_->size - end_; }
  void received(std::size_t n) { end_ += n; }
  void parsed(std::size_t n) { at_ += n; }

  // makeSpace makes space for at least one more byte, and for the rest of an
  // unfinished frame. It returns false if no buffer is free.
  bool makeSpace() {
    const std::size_t frame = frameSize();
    if (current_->uses == 0 && current_->size >= frame) {
      if (at_ > 0) std::memmove(current_->bytes.get(), data(), size());
      end_ = size();
      at_ = 0;
      return true;
    }
    if (at_ + frame <= current_->size && (at_ == 0 || spaceSize() >= kLeast)) return true;

    Buffer* const old = current_;
    Buffer* const fresh = take(frame);
    if (fresh == nullptr) return false;
    std::memcpy(fresh->bytes.get(), data(), size());
    current_ = fresh;
    end_ = size();
    at_ = 0;
    if (old->uses == 0) recycle(old);
    return true;
  }

  // release removes a use of a buffer.
  void release(Buffer* b) {
    if (--b->uses == 0 && b != current_) recycle(b);
  }

 private:
  // frameSize returns the size of the first frame of the input, which must be
  // valid.
  std::size_t frameSize() const {
    return size() < fg1::kHeaderSize ? fg1::kHeaderSize : fg1::parse(data()).size();
  }

  Buffer* take(std::size_t n) {
    if (n <= kRead && !free_.empty()) {
      Buffer* const b = free_.back();  // the one freed last is most likely cached
      free_.pop_back();
      return b;
    }
    if (all_.size() == kBuffers && !free_.empty()) {
      drop(free_.back());
      free_.pop_back();
    }
    return all_.size() < kBuffers ? add(std::max(n, kRead)) : nullptr;
  }

  Buffer* add(std::size_t n) {
    all_.push_back(std::make_unique<Buffer>(n));
    return all_.back().get();
  }

  void recycle(Buffer* b) {
    if (b->size == kRead) {
      free_.push_back(b);
    } else {
      drop(b);
    }
  }

  void drop(Buffer* b) {
    all_.erase(std::find_if(all_.begin(), all_.end(), [b](const auto& p) { return p.get() == b; }));
  }

  std::vector<std::unique_ptr<Buffer>> all_;
  std::vector<Buffer*> free_;  // of size kRead
  Buffer* current_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
};
