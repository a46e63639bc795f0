// SPDX-License-Identifier: Apache-2.0
// results.json: {"host": {...}, "results": [{"name", "value", "unit", "median", "min", "max", "peer",
// "peer_value"}]}. `value` is the median; `peer` and `peer_value` (in `peer_unit`) are null where there is
// none. "aim" and "aim_is_floor" where there is an aim; "details", an object of numbers, where there are any.
#pragma once

#include "host_facts.h"
#include "measure.h"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace stem::bench {

std::string results_json(const HostFacts& host, const Settings& settings, std::span<const Figure> figures);

// The figures of such a file.
Result<std::vector<Figure>> read_results(const std::filesystem::path& path);

// Makes the directory too. The file appears whole, or not at all.
Result<> write_results(const std::filesystem::path& path, const std::string& json);

} // namespace stem::bench
