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

// Task is a message on its way to a worker. Its bytes lie in a buffer that stays as
// it is until the loop has the message back as Done.
struct Task {
  std::uint64_t seq;
  const unsigned char* data;
  std::size_t size;
  Buffer* buffer;
};

// Done is a message that a worker is done with, on its way back to the loop.
struct Done {
  std::uint64_t seq;
  Buffer* buffer;
};

// Worker is a thread, which it starts when it is made and ends when it is
// destroyed, and two queues: the loop writes tasks and reads what is done, the
// thread the other way round. All public methods are the loop's.
//
// The loop has at most kInFlight messages with a worker, so that neither queue can
// be full when it is written.
class Worker {
 public:
  static constexpr std::size_t kInFlight = 8192;

  // notify is called on the worker's thread after each message that is done.
  Worker(const Work& work, std::function<void()> notify)
      : work_(work), notify_(std::move(notify)), thread_([this] { run(); }) {}

  // Messages that were not begun are left undone.
  ~Worker() {
    stopping_.store(true, std::memory_order_relaxed);  // unpark publishes it
    unpark();
    thread_.join();
  }

  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  bool hasRoom() const { return inFlight_ < kInFlight; }

  // give hands a task over; a worker that sleeps sees it after wake only.
  void give(const Task& task) {
    if (!tasks_.push(task)) throw std::logic_error("a worker's queue is full");
    inFlight_++;
    given_ = true;
  }

  // wake wakes a worker that sleeps and was given something.
  void wake() {
    if (given_) unpark();
    given_ = false;
  }

  // take moves up to n messages that are done to to and returns how many.
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

  // next waits for a task; false: there will be none.
  bool next(Task& task) {
    for (;;) {
      if (stopping_.load(std::memory_order_relaxed)) return false;
      if (tasks_.pop(task)) return true;
      park();
    }
  }

  // unpark ends park. The loop's.
  void unpark() {
    if (!parked_.exchange(false, std::memory_order_acq_rel)) return;
    // Between its look at the flag and its sleep the worker holds the mutex.
    { std::lock_guard<std::mutex> lock(mutex_); }
    awake_.notify_one();
  }

  // park sleeps until unpark. Of their exchanges one comes second in the order of
  // the flag's changes: if park's, it sees the task or the stop that the loop has
  // written before; if unpark's, it sees a worker that sleeps. To take the flag
  // back is an exchange too, lest what an unpark has passed on goes unseen.
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

  // The loop's.
  std::size_t inFlight_ = 0;  // given and not taken
  bool given_ = false;        // something since the last wake

  alignas(64) boost::lockfree::spsc_queue<Task> tasks_{kInFlight};
  alignas(64) boost::lockfree::spsc_queue<Done> done_{kInFlight};

  alignas(64) std::atomic<bool> stopping_{false};
  std::atomic<bool> parked_{false};
  std::mutex mutex_;
  std::condition_variable awake_;

  std::thread thread_;  // last: it uses the others from its start
};
