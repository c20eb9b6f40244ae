#include "compiler/interpreter/profile.h"

#include <algorithm>

namespace octet::interpreter {
namespace {

template <typename Map>
std::vector<Profile::Entry> longest_first(const Map& entries) {
  std::vector<Profile::Entry> out;
  for (const auto& [key, entry] : entries) out.push_back(entry);
  std::stable_sort(out.begin(), out.end(), [](const Profile::Entry& a, const Profile::Entry& b) {
    return a.least > b.least;
  });
  return out;
}

}  // namespace

void Profile::add(const std::string& op, const std::string& node, Nanoseconds time) {
  Entry& entry = entries_.try_emplace({op, node}, Entry{op, node}).first->second;
  ++entry.runs;
  entry.time += time;
  entry.least = std::min(entry.least, time);
}

void Profile::merge(const Profile& other) {
  for (const auto& [key, from] : other.entries_) {
    Entry& to = entries_.try_emplace(key, Entry{from.op, from.node}).first->second;
    to.runs += from.runs;
    to.time += from.time;
    to.least = std::min(to.least, from.least);
  }
}

std::vector<Profile::Entry> Profile::nodes() const { return longest_first(entries_); }

std::vector<Profile::Entry> Profile::operators() const {
  std::map<std::string, Entry> by_op;
  for (const auto& [key, from] : entries_) {
    Entry none{from.op, ""};
    none.least = Nanoseconds(0);
    Entry& to = by_op.try_emplace(from.op, none).first->second;
    to.runs += from.runs;
    to.time += from.time;
    to.least += from.least;
  }
  return longest_first(by_op);
}

}  // namespace octet::interpreter
