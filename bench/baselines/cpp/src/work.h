// What a worker does with a message: the same work as that of the Go subjects, so
// that they can be compared.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>

// keep makes the compiler compute a value that nobody uses.
inline void keep(std::uint64_t v) { asm volatile("" : : "r"(v)); }

// burn multiplies in a chain, each round waiting for the one before, as
// worker/sink/spin/spin.go does: a round takes the same number of cycles there and here.
[[gnu::noinline]] inline std::uint64_t burn(std::int64_t rounds) {
  std::uint64_t x = static_cast<std::uint64_t>(rounds);
  for (std::int64_t i = 0; i < rounds; i++) {
    x = x * 6364136223846793005u + 1442695040888963407u;
  }
  return x;
}

// nsPerRound takes a few ms. Everything that can disturb a try makes it longer, so
// the shortest is the one to believe.
inline double nsPerRound() {
  constexpr std::int64_t kRounds = 1 << 15;  // about 50 us, much shorter than a time slice
  constexpr int kTries = 64;
  using Clock = std::chrono::steady_clock;
  auto best = Clock::duration::max();
  for (int i = 0; i < kTries; i++) {
    const auto start = Clock::now();
    keep(burn(kRounds));
    best = std::min(best, Clock::now() - start);
  }
  const double ns = std::chrono::duration<double, std::nano>(best).count();
  return std::max(ns, 1.0) / kRounds;
}

// Work may be done by several threads at once.
class Work {
 public:
  // Work burns so many ns of processor time a message, and before that sums its
  // bytes when it is to read them. It measures how fast this machine burns.
  Work(std::int64_t ns, bool read)
      : rounds_(ns > 0 ? std::llround(static_cast<double>(ns) / nsPerRound()) : 0), read_(read) {}

  void operator()(const unsigned char* message, std::size_t size) const {
    if (read_) {
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < size; i++) sum += message[i];
      keep(sum);
    }
    if (rounds_ > 0) keep(burn(rounds_));
  }

 private:
  const std::int64_t rounds_;
  const bool read_;
};
