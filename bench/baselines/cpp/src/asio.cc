// feedgate-asio is a subject of feedgate bench: an FG/1 client with one io_context
// and N workers, in the style of an experienced Boost.Asio programmer, with one
// post per ack. Like every subject it writes a line when it is ready, begins when
// it has read a line from standard input, and writes its results at the end.
#include <sys/resource.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "client.h"
#include "flags.h"
#include "work.h"

namespace {

constexpr int kMaxWorkers = 1024;

// hostPort splits HOST:PORT. An IPv6 address is in brackets.
std::pair<std::string, std::string> hostPort(const std::string& addr) {
  const std::size_t colon = addr.rfind(':');
  if (colon == std::string::npos || colon + 1 == addr.size()) {
    throw UsageError("--addr: " + addr + " is not HOST:PORT");
  }
  std::string host = addr.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return {host, addr.substr(colon + 1)};
}

// cpuTime returns the user and system time of all threads in ns.
std::int64_t cpuTime() {
  rusage u;
  if (getrusage(RUSAGE_SELF, &u) != 0) {
    throw std::system_error(errno, std::generic_category(), "getrusage");
  }
  const auto ns = [](const timeval& t) { return t.tv_sec * 1'000'000'000LL + t.tv_usec * 1'000LL; };
  return ns(u.ru_utime) + ns(u.ru_stime);
}

// residentPeak returns the peak resident memory in bytes. The value of getrusage
// would include the parent's memory before exec.
std::int64_t residentPeak() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::int64_t kib;
    if (word == "VmHWM:" && status >> kib) return kib * 1024;
  }
  throw std::runtime_error("/proc/self/status: no VmHWM");
}

void run(const Flags& flags) {
  const auto [host, port] = hostPort(flags.text("--addr"));
  const int workers = static_cast<int>(flags.number("--workers", 1, kMaxWorkers));
  const Work work(flags.number("--work-ns", 0), flags.on("--read"));

  std::cout << R"({"ready":true})" << std::endl;
  if (std::string line; !std::getline(std::cin, line)) {
    throw std::runtime_error("waiting to begin: end of standard input");
  }
  const std::int64_t before = cpuTime();
  const Result result = runClient(host, port, workers, work);
  const std::int64_t cpu = cpuTime() - before;
  std::cout << R"({"messages":)" << result.messages << R"(,"bytes":)" << result.bytes
            << R"(,"cpu_ns":)" << cpu << R"(,"rss_bytes":)" << residentPeak() << "}" << std::endl;
  if (!std::cout) throw std::runtime_error("standard output cannot be written");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(Flags(argc, argv, {{"--addr", ""}, {"--workers", ""}, {"--work-ns", "0"}}, {"--read"}));
    return 0;
  } catch (const UsageError& e) {
    std::cerr << "feedgate-asio: " << e.what() << "\n"
              << "usage: feedgate-asio --addr HOST:PORT --workers N [--work-ns N] [--read]\n";
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "feedgate-asio: " << e.what() << "\n";
    return 1;
  }
}
