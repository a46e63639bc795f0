// SPDX-License-Identifier: Apache-2.0
// What a measure is. Each lives in files of its own and is named once, in registry.cpp.
#pragma once

#include "statistics.h"

#include <stem/error.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stem::bench {

struct Settings {
    unsigned repetitions = 15;
    // How long one run of one subject is driven: short, so that subjects change places faster than the
    // machine changes its mood. --quick makes both smaller.
    std::chrono::milliseconds run_time{400};
    // How long legitimate calls go on beside a flood, and how many frames a second the flood has; 0: as many
    // as one CPU makes.
    std::chrono::seconds flood_time{8};
    std::uint64_t flood_rate = 0;
};

// What else is to be known about a figure: "calls_due", 1200.
struct Detail {
    std::string name;
    double value = 0;
};

// One line of the table and one object in results.json.
struct Figure {
    std::string name; // "rtp_forward_100k_vs_minimal"
    std::string unit; // "ratio", "Mpps", "us"
    Spread spread;    // value is its median
    std::string peer = {};
    std::optional<double> peer_value = {}; // in `peer_unit`
    std::string peer_unit = {};
    std::optional<double> aim = {};
    bool aim_is_floor = true;         // false: the figure should be below it
    std::vector<Detail> details = {}; // in results.json only

    [[nodiscard]] bool meets_aim() const {
        return !aim || (aim_is_floor ? spread.median >= *aim : spread.median <= *aim);
    }
};

// "A of B" lines for whoever waits.
using Progress = std::function<void(const std::string& line)>;

class Measure {
  public:
    Measure() = default;
    Measure(const Measure&) = delete;
    Measure& operator=(const Measure&) = delete;
    virtual ~Measure() = default;

    // The name for --only; also the prefix of its figures' names.
    [[nodiscard]] virtual std::string name() const = 0;
    [[nodiscard]] virtual std::string help() const = 0;
    // Leaves nothing behind, also when it fails. An invalid run (packets lost) is an error, not a figure.
    virtual Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) = 0;
};

} // namespace stem::bench
