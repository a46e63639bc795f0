// SPDX-License-Identifier: Apache-2.0
#include "statistics.h"

#include <algorithm>

namespace stem::bench {

Spread spread_of(std::vector<double> samples) {
    std::ranges::sort(samples);
    const std::size_t middle = samples.size() / 2;
    const double median =
        samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
    return {.median = median, .min = samples.front(), .max = samples.back()};
}

std::vector<double> ratios_of(const std::vector<double>& numerator, const std::vector<double>& denominator) {
    std::vector<double> ratios(numerator.size());
    std::ranges::transform(numerator, denominator, ratios.begin(), std::divides<>{});
    return ratios;
}

} // namespace stem::bench
