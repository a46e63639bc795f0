// SPDX-License-Identifier: Apache-2.0
// Median and spread of repeated measurements.
#pragma once

#include <vector>

namespace stem::bench {

struct Spread {
    double median = 0;
    double min = 0;
    double max = 0;
};

// `samples` must not be empty. An even count gives the mean of the middle two.
Spread spread_of(std::vector<double> samples);

// The least sample that is not below `percent` (above 0, at most 100) of all. `samples` must not be empty.
double percentile(std::vector<double> samples, double percent);

// Pairwise: numerator[i] / denominator[i]. Samples taken side by side share the machine's mood; their ratio
// does not. Both must be of one length, the denominators not zero.
std::vector<double> ratios_of(const std::vector<double>& numerator, const std::vector<double>& denominator);

} // namespace stem::bench
