// Where the time of runs goes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace octet::interpreter {

// Time by step of a plan. For one run at a time: give each thread its own and merge them.
class Profile {
 public:
  using Nanoseconds = std::chrono::nanoseconds;

  struct Entry {
    // Operators joined by "+" where they run as one; "reorder" and "copy" for what moves a value
    // between layouts in front of a node. " (reference)" behind it: no fast kernel takes the case.
    std::string op;
    std::string node;  // as messages name it; of several operators the first
    int64_t runs = 0;
    Nanoseconds time = Nanoseconds(0);  // of all runs
    // Of the shortest run: what the step takes when nothing else is on the machine.
    Nanoseconds least = Nanoseconds::max();
  };

  void add(const std::string& op, const std::string& node, Nanoseconds time);
  void merge(const Profile& other);

  // The longest by `least` first; equal ones by name.
  std::vector<Entry> nodes() const;
  // The same summed up by `op`; `node` is empty, `runs` counts steps.
  std::vector<Entry> operators() const;

 private:
  std::map<std::pair<std::string, std::string>, Entry> entries_;  // by op and node
};

}  // namespace octet::interpreter
