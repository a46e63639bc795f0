// SPDX-License-Identifier: Apache-2.0
#include "table.h"

#include <fmt/format.h>

#include <algorithm>

namespace stem::bench {

std::string table_of(std::span<const Figure> figures) {
    std::size_t width = 34;
    for (const auto& figure : figures) {
        width = std::max(width, figure.name.size());
    }
    std::string table = fmt::format("{:<{}} {:>9} {:<6} {:>19}  {:<34} {}\n", "measure", width, "median", "",
                                    "min to max", "peer", "aim");
    for (const auto& figure : figures) {
        const auto& [median, min, max] = figure.spread;
        const std::string peer =
            figure.peer_value ? fmt::format("{} {:.3g} {}", figure.peer, *figure.peer_value, figure.peer_unit)
                              : "";
        const std::string aim =
            figure.aim ? fmt::format("{} {:g}: {}", figure.aim_is_floor ? ">=" : "<=", *figure.aim,
                                     figure.meets_aim() ? "met" : "MISSED")
                       : "";
        table += fmt::format("{:<{}} {:>9.3f} {:<6} {:>7.3f} to {:>8.3f}  {:<34} {}\n", figure.name, width,
                             median, figure.unit == "ratio" ? "x" : figure.unit, min, max, peer, aim);
    }
    return table;
}

} // namespace stem::bench
