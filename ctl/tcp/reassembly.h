// SPDX-License-Identifier: Apache-2.0
// The receiving half of a stream: segments in any order, repeated and overlapping, made one row of octets.
//
// Of two copies of an octet the first that came counts. Which of them the receiving stack would have taken
// does not matter: it gets what was judged here, in segments of our own.
#pragma once

#include <ctl/tcp/sequence.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace stem::tcp {

class Reassembly {
  public:
    // `next`: of the first octet that is waited for. `capacity`: octets that wait here at most, in order or
    // not.
    explicit Reassembly(Seq next, std::size_t capacity) : next_(next), capacity_(capacity) {}

    // Takes what is new of it and fits. Gives how many octets that was.
    std::size_t take(Seq sequence, std::string_view octets);

    // In order, and not consumed yet.
    [[nodiscard]] std::string_view ready() const noexcept { return std::string_view(ready_).substr(read_); }
    void consume(std::size_t octets);

    [[nodiscard]] Seq next() const noexcept { return next_; } // what an acknowledgment says
    // One more number than octets: of a FIN.
    void step_over_fin() noexcept { ++next_; }
    [[nodiscard]] std::size_t stored() const noexcept { return ready().size() + out_of_order_; }
    [[nodiscard]] bool has_gap() const noexcept { return !islands_.empty(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

    // What is behind a gap, in pieces of at least an octet: bounded, as each costs a node.
    static constexpr std::size_t islands_max = 64;

  private:
    void take_behind_gap(std::uint64_t offset, std::string_view octets, std::size_t& taken);
    void join();

    Seq next_;
    std::size_t capacity_;
    std::uint64_t position_ = 0; // of next_, counted from the beginning, without wrapping
    std::string ready_;
    std::size_t read_ = 0;                         // of ready_
    std::map<std::uint64_t, std::string> islands_; // by position; they do not overlap
    std::size_t out_of_order_ = 0;                 // octets in them
};

} // namespace stem::tcp
