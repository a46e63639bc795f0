// SPDX-License-Identifier: Apache-2.0
#include "statistics.h"

#include <algorithm>
#include <cmath>

namespace stem::bench {

Spread spread_of(std::vector<double> samples) {
    std::ranges::sort(samples);
    const std::size_t middle = samples.size() / 2;
    const double median =
        samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
    return {.median = median, .min = samples.front(), .max = samples.back()};
}

double percentile(std::vector<double> samples, double percent) {
    std::ranges::sort(samples);
    const double rank = std::ceil(percent / 100 * static_cast<double>(samples.size()));
    return samples[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

std::vector<double> ratios_of(const std::vector<double>& numerator, const std::vector<double>& denominator) {
    std::vector<double> ratios(numerator.size());
    std::ranges::transform(numerator, denominator, ratios.begin(), std::divides<>{});
    return ratios;
}

} // namespace stem::bench
