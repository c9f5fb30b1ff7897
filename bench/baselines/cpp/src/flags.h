// Command lines of --name value, --name=value and --switch.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

// UsageError is an error of the command line. Its text names the flag.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Flags {
 public:
  // values has every flag with a value, and its default; a flag with an empty
  // default is required. switches are the flags without a value.
  Flags(int argc, char** argv, std::map<std::string, std::string> values,
        const std::set<std::string>& switches = {})
      : values_(std::move(values)) {
    for (int i = 1; i < argc; i++) {
      const std::string arg = argv[i];
      const std::size_t equals = arg.find('=');
      const std::string name = arg.substr(0, equals);
      if (switches.count(arg) > 0) {
        on_.insert(arg);
        continue;
      }
      const auto flag = values_.find(name);
      if (flag == values_.end()) throw UsageError(arg + ": no such flag");
      if (equals != std::string::npos) {
        flag->second = arg.substr(equals + 1);
      } else if (++i < argc) {
        flag->second = argv[i];
      } else {
        throw UsageError(name + ": a value is missing");
      }
    }
    for (const auto& [name, value] : values_) {
      if (value.empty()) throw UsageError(name + " is missing");
    }
  }

  bool on(const std::string& name) const { return on_.count(name) > 0; }

  const std::string& text(const std::string& name) const { return values_.at(name); }

  std::int64_t number(const std::string& name, std::int64_t least,
                      std::int64_t most = std::numeric_limits<std::int64_t>::max()) const {
    const std::string& value = values_.at(name);
    const char* const end = value.data() + value.size();
    std::int64_t n = 0;
    const auto [at, err] = std::from_chars(value.data(), end, n);
    if (err != std::errc() || at != end || n < least || n > most) {
      throw UsageError(name + ": " + value + " is not a number from " + std::to_string(least) +
                       " to " + std::to_string(most));
    }
    return n;
  }

 private:
  std::map<std::string, std::string> values_;
  std::set<std::string> on_;
};
