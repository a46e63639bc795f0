// SPDX-License-Identifier: Apache-2.0
#include "ctl/flood/cusum.h"

#include <algorithm>

namespace stem::flood {
namespace {

// The sum stops here, in multiples of N: an hour's flood must not take an hour to be forgotten.
constexpr double ceiling = 2.0;

} // namespace

void Cusum::assume_alarm(const CusumSettings& settings) {
    alarmed_ = true;
    sum_ = settings.alarm;
}

bool Cusum::step(double requests, double answers, const CusumSettings& settings, std::uint64_t now_ns) {
    const double scale = std::max({average_, settings.floor, 1.0});
    const double x = (requests - answers) / scale;
    sum_ = std::clamp(sum_ + x - settings.drift, 0.0, ceiling * settings.alarm);
    // Frozen under an alarm, and while the sum rises: what a flood does to the answers is no measure of
    // normal times.
    if (!alarmed_ && sum_ == 0) {
        average_ = begun_ ? settings.memory * average_ + (1 - settings.memory) * answers : answers;
        begun_ = true;
    }
    if (sum_ > settings.alarm) {
        alarmed_ = true;
    }
    if (sum_ > 0) {
        quiet_since_ns_ = 0;
    } else if (quiet_since_ns_ == 0) {
        quiet_since_ns_ = now_ns;
    }
    if (alarmed_ && quiet_since_ns_ != 0 && now_ns - quiet_since_ns_ >= settings.quiet_ns) {
        alarmed_ = false;
    }
    return alarmed_;
}

} // namespace stem::flood
