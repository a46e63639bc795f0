// SPDX-License-Identifier: Apache-2.0
// Non-parametric CUSUM over requests and answers, after Wang, Zhang and Shin ("Detecting SYN Flooding
// Attacks", INFOCOM 2002) and, for INVITEs, Reynolds and Ghosal ("Secure IP Telephony using Multi-layered
// Protection", NDSS 2003).
//
//     x_n = (requests - answers) / K        K: the running average of the answers
//     y_n = max(0, y_(n-1) + x_n - a)       alarm when y_n > N
//
// Normalised by K, the numbers say the same of a small site and of a large one; `a` is more than the mean of
// x in normal times, so that y stays at 0.
#pragma once

#include <cstdint>

namespace stem::flood {

struct CusumSettings {
    double drift = 1.0;                       // a
    double alarm = 5.0;                       // N
    double memory = 0.9;                      // weight of the past in K, 0 to 1
    double floor = 50;                        // least K: a site where nothing happens is no measure
    std::uint64_t quiet_ns = 30'000'000'000U; // y must be 0 for so long before an alarm ends
};

class Cusum {
  public:
    // One interval's requests and answers. Gives whether there is an alarm now.
    bool step(double requests, double answers, const CusumSettings& settings, std::uint64_t now_ns);
    // As an earlier stemd left it: in alarm, until it has been quiet.
    void assume_alarm(const CusumSettings& settings);

    [[nodiscard]] bool alarmed() const { return alarmed_; }
    [[nodiscard]] double sum() const { return sum_; }         // y
    [[nodiscard]] double average() const { return average_; } // K before the floor

  private:
    double sum_ = 0;
    double average_ = 0;
    bool begun_ = false;
    bool alarmed_ = false;
    std::uint64_t quiet_since_ns_ = 0; // 0: not quiet
};

} // namespace stem::flood
