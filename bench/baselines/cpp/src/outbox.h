#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <system_error>

#include "frame.h"

// Outbox has the frames to send next, one per message of a sendmmsg.
//
//   size_ <= kCapacity; partial_ bytes of the first frame are sent, never all
class Outbox {
 public:
  static constexpr std::size_t kMessages = 32;  // of one sendmmsg
  static constexpr std::size_t kCapacity = 2 * kMessages;

  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == kCapacity; }

  // spare returns how many more frames fit into one sendmmsg.
  std::size_t spare() const { return size_ < kMessages ? kMessages - size_ : 0; }

  // add must not be called on a full outbox.
  void add(const fg1::Frame& f) { frames_[size_++] = f; }

  // send calls sendmmsg once. It returns false if the socket would block.
  bool send(int fd) {
    std::array<iovec, kMessages> parts{};
    std::array<mmsghdr, kMessages> messages{};
    const std::size_t n = std::min(size_, kMessages);
    for (std::size_t i = 0; i < n; i++) {
      parts[i] = {frames_[i].data(), frames_[i].size()};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    parts[0] = {frames_[0].data() + partial_, frames_[0].size() - partial_};

    const int sent =
        ::sendmmsg(fd, messages.data(), static_cast<unsigned>(n), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) return true;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
      throw std::system_error(errno, std::generic_category(), "sendmmsg");
    }
    // On a stream, sendmmsg stops after a partially sent message, and counts it.
    std::size_t whole = 0;
    for (int i = 0; i < sent; i++) {
      partial_ += messages[i].msg_len;
      if (partial_ < fg1::kHeaderSize) break;
      partial_ = 0;
      whole++;
    }
    std::copy(frames_.begin() + whole, frames_.begin() + size_, frames_.begin());
    size_ -= whole;
    return true;
  }

 private:
  std::array<fg1::Frame, kCapacity> frames_;
  std::size_t size_ = 0;
  std::size_t partial_ = 0;
};
