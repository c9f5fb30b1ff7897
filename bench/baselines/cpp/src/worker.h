#pragma once

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "buffer.h"
#include "work.h"

// Task is a message for a worker. Its bytes do not change until the loop has the
// message back as Done.
struct Task {
  std::uint64_t seq;
  const unsigned char* data;
  std::size_t size;
  Buffer* buffer;
};

// Done is a processed message, for the loop.
struct Done {
  std::uint64_t seq;
  Buffer* buffer;
};

// Worker is a thread, from its construction to its destruction, and two queues: the
// loop writes tasks and reads done messages, the thread the reverse. Only the loop
// calls public methods.
// A worker has at most kInFlight messages, so neither queue can be full when it is
// written.
class Worker {
 public:
  static constexpr std::size_t kInFlight = 8192;

  // The worker's thread calls notify after each message.
  Worker(const Work& work, std::function<void()> notify)
      : work_(work), notify_(std::move(notify)), thread_([this] { run(); }) {}

  // Messages that were not begun are dropped.
  ~Worker() {
    stopping_.store(true, std::memory_order_relaxed);  // unpark publishes it
    unpark();
    thread_.join();
  }

  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  bool hasRoom() const { return inFlight_ < kInFlight; }

  // give passes a task. A sleeping worker gets it only after wake.
  void give(const Task& task) {
    if (!tasks_.push(task)) throw std::logic_error("a worker's queue is full");
    inFlight_++;
    given_ = true;
  }

  // wake wakes a sleeping worker that has got tasks.
  void wake() {
    if (given_) unpark();
    given_ = false;
  }

  // take moves up to n done messages to to and returns their number.
  std::size_t take(Done* to, std::size_t n) {
    const std::size_t taken = done_.pop(to, n);
    inFlight_ -= taken;
    return taken;
  }

 private:
  void run() {
    for (Task task; next(task);) {
      work_(task.data, task.size);
      done_.push({task.seq, task.buffer});
      notify_();
    }
  }

  // next waits for a task. It returns false if there will be none.
  bool next(Task& task) {
    for (;;) {
      if (stopping_.load(std::memory_order_relaxed)) return false;
      if (tasks_.pop(task)) return true;
      park();
    }
  }

  // unpark ends park. The loop calls it.
  void unpark() {
    if (!parked_.exchange(false, std::memory_order_acq_rel)) return;
    // The worker holds the mutex from its check of the flag until it sleeps.
    { std::lock_guard<std::mutex> lock(mutex_); }
    awake_.notify_one();
  }

  // park sleeps until unpark. One of their exchanges is second in the modification
  // order of the flag: if it is park's, it sees the task or the stop that the loop
  // has written before; if it is unpark's, it sees a sleeping worker. The flag is
  // reset by an exchange, too, so that it acquires what an unpark has released.
  void park() {
    parked_.exchange(true, std::memory_order_acq_rel);
    if (tasks_.read_available() > 0 || stopping_.load(std::memory_order_relaxed)) {
      parked_.exchange(false, std::memory_order_acq_rel);
      return;
    }
    std::unique_lock<std::mutex> lock(mutex_);
    awake_.wait(lock, [this] { return !parked_.load(std::memory_order_acquire); });
  }

  const Work& work_;
  const std::function<void()> notify_;

  // Owned by the loop.
  std::size_t inFlight_ = 0;  // given but not taken
  bool given_ = false;        // since the last wake

  alignas(64) boost::lockfree::spsc_queue<Task> tasks_{kInFlight};
  alignas(64) boost::lockfree::spsc_queue<Done> done_{kInFlight};

  alignas(64) std::atomic<bool> stopping_{false};
  std::atomic<bool> parked_{false};
  std::mutex mutex_;
  std::condition_variable awake_;

  std::thread thread_;  // last, because it uses the other members
};
