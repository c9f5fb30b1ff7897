// feedgate-spsc measures boost::lockfree::spsc_queue like ring/bench_test.go
// measures feedgate's ring: one thread fills every word of an entry with its
// number, another reads them all, and both yield when the queue is full or empty.
#include <algorithm>
#include <array>
#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>

#include "flags.h"

namespace {

constexpr std::size_t kBatch = 32;

// Entry has that many words of payload.
template <std::size_t Words>
using Entry = std::array<std::uint64_t, Words>;

template <std::size_t Words>
using Queue = boost::lockfree::spsc_queue<Entry<Words>>;

template <std::size_t Words>
Entry<Words> fill(std::uint64_t i) {
  Entry<Words> e;
  e.fill(i);
  return e;
}

template <std::size_t Words>
std::uint64_t total(const Entry<Words>& e) {
  return std::accumulate(e.begin(), e.end(), std::uint64_t{0});
}

template <std::size_t Words>
void produceSingle(Queue<Words>& queue, std::uint64_t entries) {
  for (std::uint64_t i = 0; i < entries;) {
    if (queue.push(fill<Words>(i))) {
      i++;
    } else {
      std::this_thread::yield();
    }
  }
}

template <std::size_t Words>
std::uint64_t consumeSingle(Queue<Words>& queue, std::uint64_t entries) {
  std::uint64_t sum = 0;
  Entry<Words> e;
  for (std::uint64_t i = 0; i < entries;) {
    if (queue.pop(e)) {
      sum += total(e);
      i++;
    } else {
      std::this_thread::yield();
    }
  }
  return sum;
}

template <std::size_t Words>
void produceBatch(Queue<Words>& queue, std::uint64_t entries) {
  std::array<Entry<Words>, kBatch> batch;
  for (std::uint64_t i = 0; i < entries;) {
    const std::size_t n = std::min<std::uint64_t>(kBatch, entries - i);
    for (std::size_t j = 0; j < n; j++) batch[j] = fill<Words>(i + j);
    for (std::size_t pushed = 0; pushed < n;) {
      const std::size_t more = queue.push(&batch[pushed], n - pushed);
      if (more == 0) std::this_thread::yield();
      pushed += more;
    }
    i += n;
  }
}

template <std::size_t Words>
std::uint64_t consumeBatch(Queue<Words>& queue, std::uint64_t entries) {
  std::array<Entry<Words>, kBatch> batch;
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < entries;) {
    const std::size_t n = queue.pop(batch.data(), batch.size());
    if (n == 0) std::this_thread::yield();
    for (std::size_t j = 0; j < n; j++) sum += total(batch[j]);
    i += n;
  }
  return sum;
}

// measure returns ns per entry. It fails if an entry was lost, duplicated or torn.
template <std::size_t Words>
double measure(bool batched, std::size_t capacity, std::uint64_t entries) {
  Queue<Words> queue(capacity);
  std::atomic<bool> begun{false};
  std::thread producer([&] {
    while (!begun.load(std::memory_order_acquire)) std::this_thread::yield();
    batched ? produceBatch(queue, entries) : produceSingle(queue, entries);
  });
  const auto start = std::chrono::steady_clock::now();
  begun.store(true, std::memory_order_release);
  const std::uint64_t sum =
      batched ? consumeBatch(queue, entries) : consumeSingle(queue, entries);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  producer.join();

  const std::uint64_t want = Words * (entries * (entries - 1) / 2);
  if (sum != want) {
    throw std::runtime_error("checksum " + std::to_string(sum) + ", want " + std::to_string(want));
  }
  return took.count() / static_cast<double>(entries);
}

void run(const Flags& flags) {
  using Measure = double (*)(bool, std::size_t, std::uint64_t);
  static const std::map<std::string, bool> modes = {{"single", false}, {"batch", true}};
  static const std::map<std::string, Measure> sizes = {{"8", measure<1>}, {"64", measure<8>}};

  const auto mode = modes.find(flags.text("--mode"));
  if (mode == modes.end()) throw UsageError("--mode: choose single or batch");
  const auto size = sizes.find(flags.text("--bytes"));
  if (size == sizes.end()) throw UsageError("--bytes: choose 8 or 64");
  const std::int64_t capacity = flags.number("--capacity", 1, 1 << 24);
  const std::int64_t entries = flags.number("--entries", 1, std::int64_t{1} << 32);

  std::cout << R"({"ns_per_entry":)" << size->second(mode->second, capacity, entries) << "}"
            << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(Flags(argc, argv, {{"--mode", ""}, {"--bytes", ""}, {"--capacity", ""}, {"--entries", ""}}));
    return 0;
  } catch (const UsageError& e) {
    std::cerr << "feedgate-spsc: " << e.what() << "\n"
              << "usage: feedgate-spsc --mode single|batch --bytes 8|64 --capacity N --entries N\n";
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "feedgate-spsc: " << e.what() << "\n";
    return 1;
  }
}
