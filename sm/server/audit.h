// SPDX-License-Identifier: Apache-2.0
// Lines of the logger "audit": who was refused what, who changed what, what was cut off. A flood of refusals
// is told as a number.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace stem::smd {

// The loggers "stem-smd", which is the default one, and "audit", both on the standard error output.
void open_log();

class Audit {
  public:
    explicit Audit(std::uint32_t refusals_per_second) : limit_(refusals_per_second) {}
    void set_limit(std::uint32_t refusals_per_second) noexcept { limit_ = refusals_per_second; }

    // Nothing that a peer sent goes in but printable, and cut to a bound.
    void refused(std::string_view who, std::string_view what);
    void done(std::string_view who, std::string_view what);
    // Once a second: says what refused() has left out.
    void tick();

  private:
    std::uint32_t limit_;
    std::uint32_t written_ = 0;
    std::uint64_t left_out_ = 0;
};

// Control characters and what is not ASCII as \xHH; at most 300 octets.
std::string printable(std::string_view text);

} // namespace stem::smd
