#pragma once

#include <cstdint>
#include <string>

#include "work.h"

// Result is what a client has done.
struct Result {
  std::uint64_t messages = 0;  // worked on and acknowledged
  std::uint64_t bytes = 0;     // of their payloads
};

// runClient connects to an FG/1 server, has every message worked on by one of the
// workers in turn, acknowledges it, and returns when the server has said BYE and
// closed. It throws a std::exception when that comes to nothing.
Result runClient(const std::string& host, const std::string& port, int workers, const Work& work);
