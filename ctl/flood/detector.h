// SPDX-License-Identifier: Apache-2.0
// Watches what is asked and what is answered, raises and ends alarms, and says which posture follows from
// them. Pure logic; whoever owns it brings the counters and writes the posture.
#pragma once

#include <stem/abi/peer.h>
#include <stem/abi/threshold.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "ctl/flood/cusum.h"

namespace stem::flood {

enum class Signal : std::uint8_t {
    sip, // INVITEs from outside, and answers to them
    syn, // TCP's SYN from outside, and SYN-ACK back
};
inline constexpr std::size_t signals = 2;

std::string_view name_of(Signal signal); // "sip", "syn"
std::uint32_t posture_of(Signal signal); // enum stem_posture_bit

// Totals since whenever; differences count.
struct Counts {
    std::uint64_t requests = 0;
    std::uint64_t answers = 0;
};

struct Alarm {
    Signal signal = Signal::sip;
    std::uint64_t began_ns = 0; // CLOCK_MONOTONIC
    std::uint64_t ended_ns = 0; // 0: goes on
    double peak = 0;            // of the sum
    std::uint64_t requests = 0; // during it
    std::uint64_t answers = 0;
};

class Detector {
  public:
    static constexpr std::size_t remembered = 64; // alarms

    // What an earlier stemd decided.
    void adopt(std::uint32_t posture, const stem_thresholds& thresholds, std::uint64_t now_ns);
    // Compares, when an interval is over. Gives the signals whose alarm began or ended.
    std::vector<Signal> step(const std::array<Counts, signals>& totals, const stem_thresholds& thresholds,
                             std::uint64_t now_ns);

    [[nodiscard]] std::uint32_t posture() const; // enum stem_posture_bit
    [[nodiscard]] bool alarmed(Signal signal) const { return state_[index(signal)].cusum.alarmed(); }
    [[nodiscard]] const Cusum& cusum(Signal signal) const { return state_[index(signal)].cusum; }
    [[nodiscard]] const std::deque<Alarm>& alarms() const { return alarms_; } // the latest last
    [[nodiscard]] std::uint64_t raised(Signal signal) const { return state_[index(signal)].raised; }

  private:
    struct State {
        Cusum cusum;
        std::optional<Counts> last;
        std::uint64_t raised = 0;
    };
    static std::size_t index(Signal signal) { return static_cast<std::size_t>(signal); }
    void begin(Signal signal, std::uint64_t now_ns);
    Alarm* current(Signal signal);

    std::array<State, signals> state_;
    std::deque<Alarm> alarms_;
    std::uint64_t next_ns_ = 0;
};

CusumSettings cusum_settings(const stem_thresholds& thresholds);

} // namespace stem::flood
