// SPDX-License-Identifier: Apache-2.0
// What waits while known peers are served. Bounded: when it is full the oldest goes, because its sender has
// repeated it by then, or never will.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

namespace stem::stemd {

template<typename Item>
class LaneQueue {
  public:
    explicit LaneQueue(std::size_t limit) : limit_(limit) {}

    // Gives what had to go for it, if something had to.
    std::optional<Item> push(Item item) {
        std::optional<Item> displaced;
        if (limit_ == 0) {
            displaced_++;
            return item;
        }
        if (items_.size() >= limit_) {
            displaced = std::move(items_.front());
            items_.pop_front();
            displaced_++;
        }
        items_.push_back(std::move(item));
        return displaced;
    }
    std::optional<Item> take() {
        if (items_.empty()) {
            return std::nullopt;
        }
        std::optional<Item> first(std::move(items_.front()));
        items_.pop_front();
        return first;
    }
    [[nodiscard]] bool empty() const { return items_.empty(); }
    [[nodiscard]] std::size_t size() const { return items_.size(); }
    [[nodiscard]] std::uint64_t displaced() const { return displaced_; } // ever

  private:
    std::size_t limit_;
    std::deque<Item> items_;
    std::uint64_t displaced_ = 0;
};

} // namespace stem::stemd
