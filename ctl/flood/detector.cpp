// SPDX-License-Identifier: Apache-2.0
#include "ctl/flood/detector.h"

#include <algorithm>
#include <ranges>

namespace stem::flood {
namespace {

constexpr std::array all_signals = {Signal::sip, Signal::syn};
constexpr double percent = 100.0;
constexpr std::uint64_t millisecond_ns = 1'000'000;
constexpr std::uint64_t second_ns = 1'000'000'000;

// Counters are adopted from maps, and may have been set back.
std::uint64_t rise(std::uint64_t from, std::uint64_t to) {
    return to > from ? to - from : 0;
}

} // namespace

std::string_view name_of(Signal signal) {
    return signal == Signal::sip ? "sip" : "syn";
}

std::uint32_t posture_of(Signal signal) {
    return signal == Signal::sip ? STEM_POSTURE_KNOWN_SIP : STEM_POSTURE_KNOWN_SYN;
}

CusumSettings cusum_settings(const stem_thresholds& thresholds) {
    return {.drift = thresholds.detector_drift / percent,
            .alarm = thresholds.detector_alarm / percent,
            .memory = thresholds.detector_memory / percent,
            .floor = static_cast<double>(thresholds.detector_floor),
            .quiet_ns = thresholds.detector_quiet * second_ns};
}

void Detector::begin(Signal signal, std::uint64_t now_ns) {
    state_[index(signal)].raised++;
    alarms_.push_back({.signal = signal, .began_ns = now_ns});
    if (alarms_.size() > remembered) {
        alarms_.pop_front();
    }
}

Alarm* Detector::current(Signal signal) {
    for (Alarm& alarm : std::views::reverse(alarms_)) {
        if (alarm.signal == signal && alarm.ended_ns == 0) {
            return &alarm;
        }
    }
    return nullptr;
}

void Detector::adopt(std::uint32_t posture, const stem_thresholds& thresholds, std::uint64_t now_ns) {
    for (const Signal signal : all_signals) {
        if ((posture & posture_of(signal)) != 0) {
            state_[index(signal)].cusum.assume_alarm(cusum_settings(thresholds));
            begin(signal, now_ns);
        }
    }
}

std::vector<Signal> Detector::step(const std::array<Counts, signals>& totals,
                                   const stem_thresholds& thresholds, std::uint64_t now_ns) {
    std::vector<Signal> changed;
    if (now_ns < next_ns_) {
        return changed;
    }
    next_ns_ = now_ns + thresholds.detector_interval * millisecond_ns;
    const CusumSettings settings = cusum_settings(thresholds);
    for (const Signal signal : all_signals) {
        State& state = state_[index(signal)];
        const Counts& total = totals[index(signal)];
        if (!state.last) { // from now on
            state.last = total;
            continue;
        }
        const std::uint64_t requests = rise(state.last->requests, total.requests);
        const std::uint64_t answers = rise(state.last->answers, total.answers);
        state.last = total;
        const bool before = state.cusum.alarmed();
        const bool after =
            state.cusum.step(static_cast<double>(requests), static_cast<double>(answers), settings, now_ns);
        if (after && !before) {
            begin(signal, now_ns);
        }
        if (Alarm* alarm = current(signal); alarm != nullptr) {
            alarm->peak = std::max(alarm->peak, state.cusum.sum());
            alarm->requests += requests;
            alarm->answers += answers;
            if (!after) {
                alarm->ended_ns = now_ns;
            }
        }
        if (after != before) {
            changed.push_back(signal);
        }
    }
    return changed;
}

std::uint32_t Detector::posture() const {
    std::uint32_t bits = 0;
    for (const Signal signal : all_signals) {
        bits |= alarmed(signal) ? posture_of(signal) : 0;
    }
    return bits;
}

} // namespace stem::flood
