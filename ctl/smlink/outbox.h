// SPDX-License-Identifier: Apache-2.0
// What a Security Manager must hear of and has not acknowledged: bindings, the newest of each address of
// record and contact, streams that were ended, and ends of calls. In the order in which they came. Bounded:
// what is too much pushes out the oldest, which is counted.
#pragma once

#include "sm/decision.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stem::smlink {

class Outbox {
  public:
    using Clock = std::chrono::steady_clock;
    using Ticket = std::uint64_t;
    static constexpr std::size_t default_limit = 65536;

    explicit Outbox(std::size_t limit = default_limit) : limit_(limit) {}

    Ticket add(const sm::Link::Binding& binding, Clock::time_point now);
    Ticket add(const sm::Link::StreamEnd& end);
    Ticket add(const sm::Link::CallEvent& event);
    void done(Ticket ticket);

    // As it is to be sent now: a lifetime without what has gone by. nullopt: it is over, or not there any
    // more.
    using Item = std::variant<sm::Link::Binding, sm::Link::StreamEnd, sm::Link::CallEvent>;
    [[nodiscard]] std::optional<Item> item(Ticket ticket, Clock::time_point now) const;
    [[nodiscard]] std::vector<Ticket> tickets() const; // oldest first

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

  private:
    struct Entry {
        Item item;
        Clock::time_point since;
        std::string key; // of a binding
    };
    Ticket put(Entry entry);

    std::size_t limit_;
    Ticket next_ = 0;
    std::map<Ticket, Entry> entries_;
    std::map<std::string, Ticket> by_key_;
    std::uint64_t lost_ = 0;
};

} // namespace stem::smlink
