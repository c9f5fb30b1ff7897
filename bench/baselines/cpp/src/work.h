// The work for each message, the same as that of the Go subjects.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>

// keep forces the compiler to compute an unused value.
inline void keep(std::uint64_t v) { asm volatile("" : : "r"(v)); }

// burn multiplies in a dependency chain, like worker/sink/spin/spin.go: a round
// takes the same number of cycles in both.
[[gnu::noinline]] inline std::uint64_t burn(std::int64_t rounds) {
  std::uint64_t x = static_cast<std::uint64_t>(rounds);
  for (std::int64_t i = 0; i < rounds; i++) {
    x = x * 6364136223846793005u + 1442695040888963407u;
  }
  return x;
}

// nsPerRound takes a few ms. Disturbances only make a try longer, so the shortest
// one counts.
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

// Several threads may use a Work at once.
class Work {
 public:
  // Work burns ns of CPU time per message, and before that sums its bytes if read
  // is set. It measures the speed of this machine.
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
