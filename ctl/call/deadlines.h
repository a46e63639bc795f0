// SPDX-License-Identifier: Apache-2.0
// What falls due when. A heap and no tree: entries are never taken back, and nearly all are added in the
// order in which they fall due, which makes adding one a write at the end of an array.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace stem::call {

template<typename T>
class Deadlines {
  public:
    void add(std::uint64_t at_ns, T what) {
        heap_.push_back({.at_ns = at_ns, .number = next_number_++, .what = std::move(what)});
        std::ranges::push_heap(heap_, later);
    }

    // The earliest that is due, of equals the one that was added first. Nothing: none is due.
    std::optional<T> take_due(std::uint64_t now_ns) {
        if (heap_.empty() || heap_.front().at_ns > now_ns) {
            return std::nullopt;
        }
        std::ranges::pop_heap(heap_, later);
        std::optional<T> due(std::move(heap_.back().what));
        heap_.pop_back();
        return due;
    }

  private:
    struct Entry {
        std::uint64_t at_ns;
        std::uint64_t number;
        T what;
    };
    static bool later(const Entry& a, const Entry& b) {
        return std::pair(a.at_ns, a.number) > std::pair(b.at_ns, b.number);
    }

    std::vector<Entry> heap_;
    std::uint64_t next_number_ = 0;
};

} // namespace stem::call
