// SPDX-License-Identifier: Apache-2.0
// One log line for each dropped message, at most so many a second: an attacker must not be able to fill a
// disk.
#pragma once

#include <stem/abi/reason.h>
#include <stem/address.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace stem::stemd {

class DropLog {
  public:
    explicit DropLog(std::uint32_t lines_per_second) : limit_(lines_per_second) {}

    void set_limit(std::uint32_t lines_per_second) noexcept { limit_ = lines_per_second; }
    // `what` may hold bytes of the sender's choice.
    void write(stem_reason reason, stem_direction direction, const Endpoint& source,
               const Endpoint& destination, std::string_view what);
    // A line about a frame of which no addresses are known, or about stemd's own trouble with one.
    void write(stem_reason reason, stem_direction direction, std::string_view what);
    // Once a second: tells how many lines were left out, and allows new ones.
    // Of a peer that is only monitored. `ends`: source and destination, in words.
    void write_monitored(stem_reason reason, stem_direction direction, std::string_view ends,
                         std::string_view what);
    void tick();

  private:
    bool allow() noexcept;

    std::uint32_t limit_;
    std::uint32_t written_ = 0;
    std::uint64_t suppressed_ = 0;
};

// Printable ASCII stays, everything else becomes "\xHH"; what is longer than `longest` is cut.
std::string printable(std::string_view text, std::size_t longest = 200);

} // namespace stem::stemd
