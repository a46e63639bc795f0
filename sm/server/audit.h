// SPDX-License-Identifier: Apache-2.0
// What is told to people who read the log, as lines of the logger "audit": who was refused what, who changed
// what, what was cut off. What was refused or cut off goes to the audit trail, too (sm/audit); what was
// changed or reported goes there on its own way. A flood of refusals is told as a number, in both.
#pragma once

#include "sm/audit/trail.h"
#include "sm/channel/refusal.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace stem::smd {

// The loggers "stem-smd", which is the default one, and "audit", both on the standard error output.
void open_log();

class Audit {
  public:
    // `trail` must outlive it.
    Audit(std::uint32_t refusals_per_second, sm::audit::Trail& trail)
        : limit_(refusals_per_second), trail_(trail) {}
    void set_limit(std::uint32_t refusals_per_second) noexcept { limit_ = refusals_per_second; }

    // Nothing that a peer sent goes in but printable, and cut to a bound.
    void refused(std::string_view who, std::string_view what);
    // A message of the control channel.
    void refused(std::string_view who, const channel::Refused& message);
    void done(std::string_view who, std::string_view what);
    // As done(), of what the trail hears of in more detail.
    void changed(std::string_view who, std::string_view what);
    // Once a second: says what refused() has left out.
    void tick();

  private:
    void refuse(std::string_view who, std::string_view what, const sm::audit::Record& record);

    std::uint32_t limit_;
    sm::audit::Trail& trail_;
    std::uint32_t written_ = 0;
    std::uint64_t left_out_ = 0;
};

// Control characters and what is not ASCII as \xHH; at most 300 octets.
std::string printable(std::string_view text);

} // namespace stem::smd
