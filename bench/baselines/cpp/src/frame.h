// FG/1 frames, see docs/protocol.md.
//
//   bytes  field, big-endian
//   0-3    length of all that follows this field: 12 + payload length
//   4      op
//   5      flags
//   6-7    code
//   8-15   seq
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace fg1 {

enum Op : std::uint8_t {
  kHello = 1,
  kWelcome = 2,
  kData = 3,
  kAck = 4,
  kPing = 6,
  kPong = 7,
  kBye = 10,
};

enum Code : std::uint16_t {
  kOK = 0,
  kShuttingDown = 6,
};

constexpr std::size_t kHeaderSize = 16;
constexpr std::uint32_t kMinLength = kHeaderSize - 4;

// kMaxMessage is the maximum length of a payload in bytes.
constexpr std::size_t kMaxMessage = 1 << 20;

struct Header {
  std::uint32_t length;  // as on the wire
  std::uint8_t op;
  std::uint8_t flags;
  std::uint16_t code;
  std::uint64_t seq;

  // valid reports whether payload and size are defined.
  bool valid() const { return length >= kMinLength && payload() <= kMaxMessage; }
  std::size_t payload() const { return length - kMinLength; }
  std::size_t size() const { return kHeaderSize + payload(); }
};

inline std::uint64_t loadBig(const unsigned char* p, int bytes) {
  std::uint64_t v = 0;
  for (int i = 0; i < bytes; i++) v = v << 8 | p[i];
  return v;
}

inline Header parse(const unsigned char* p) {
  return {static_cast<std::uint32_t>(loadBig(p, 4)), p[4], p[5],
          static_cast<std::uint16_t>(loadBig(p + 6, 2)), loadBig(p + 8, 8)};
}

// Frame is a frame without payload, as it is sent.
using Frame = std::array<unsigned char, kHeaderSize>;

// frame encodes the header of a frame with a payload of that many bytes.
inline Frame frame(Op op, std::uint16_t code, std::uint64_t seq, std::size_t payload = 0) {
  const std::uint64_t first = std::uint64_t{kMinLength + payload} << 32 |
                              std::uint64_t{op} << 24 | std::uint64_t{code};
  Frame f;
  for (int i = 0; i < 8; i++) {
    f[i] = static_cast<unsigned char>(first >> (56 - 8 * i));
    f[8 + i] = static_cast<unsigned char>(seq >> (56 - 8 * i));
  }
  return f;
}

}  // namespace fg1
