#pragma once

#include <cstdint>
#include <string>

#include "work.h"

// Result is the result of a client.
struct Result {
  std::uint64_t messages = 0;  // processed and acked
  std::uint64_t bytes = 0;     // of their payloads
};

// runClient connects to an FG/1 server, passes each message to the next worker,
// acks it, and returns after the server has sent BYE and closed. It throws a
// std::exception on errors.
Result runClient(const std::string& host, const std::string& port, int workers, const Work& work);
