// SPDX-License-Identifier: Apache-2.0
#include "results_json.h"

#include "lab/text_file.h"

#include <boost/json.hpp>

#include <cmath>

namespace stem::bench {
namespace {

namespace json = boost::json;

// Four significant digits: more would be noise.
double rounded(double value) {
    if (value == 0 || !std::isfinite(value)) {
        return 0;
    }
    const double scale = std::pow(10.0, 3 - std::floor(std::log10(std::abs(value))));
    return std::round(value * scale) / scale;
}

json::object object_of(const std::vector<Fact>& facts) {
    json::object object;
    for (const auto& fact : facts) {
        object[fact.name] = fact.value;
    }
    return object;
}

json::object object_of(const Figure& figure) {
    json::object object{{"name", figure.name},
                        {"value", rounded(figure.spread.median)},
                        {"unit", figure.unit},
                        {"median", rounded(figure.spread.median)},
                        {"min", rounded(figure.spread.min)},
                        {"max", rounded(figure.spread.max)},
                        {"peer", nullptr},
                        {"peer_value", nullptr}};
    if (figure.peer_value) {
        object["peer"] = figure.peer;
        object["peer_value"] = rounded(*figure.peer_value);
        object["peer_unit"] = figure.peer_unit;
    }
    if (figure.aim) {
        object["aim"] = *figure.aim;
        object["aim_is_floor"] = figure.aim_is_floor;
    }
    if (!figure.details.empty()) {
        json::object details;
        for (const auto& detail : figure.details) {
            details[detail.name] = detail.value;
        }
        object["details"] = details;
    }
    return object;
}

Figure figure_of(const json::object& object) {
    const auto number = [&](const char* key) { return object.at(key).to_number<double>(); };
    const auto text = [&](const char* key) { return std::string(object.at(key).as_string()); };
    Figure figure{.name = text("name"),
                  .unit = text("unit"),
                  .spread = {.median = number("median"), .min = number("min"), .max = number("max")}};
    if (!object.at("peer_value").is_null()) {
        figure.peer = text("peer");
        figure.peer_value = number("peer_value");
        figure.peer_unit = text("peer_unit");
    }
    if (object.contains("aim")) {
        figure.aim = number("aim");
        figure.aim_is_floor = object.at("aim_is_floor").as_bool();
    }
    if (const auto* details = object.if_contains("details")) {
        for (const auto& detail : details->as_object()) {
            figure.details.push_back(
                {.name = std::string(detail.key()), .value = detail.value().to_number<double>()});
        }
    }
    return figure;
}

} // namespace

std::string results_json(const HostFacts& host, const Settings& settings, std::span<const Figure> figures) {
    json::object about = object_of(host.facts);
    about["cores"] = host.cores;
    about["mitigations"] = object_of(host.mitigations);
    about["repetitions"] = settings.repetitions;
    about["flood_seconds"] = settings.flood_time.count();
    about["flood_rate"] = settings.flood_rate;
    json::array results;
    for (const auto& figure : figures) {
        results.push_back(object_of(figure));
    }
    return json::serialize(json::object{{"host", about}, {"results", results}}) + "\n";
}

Result<std::vector<Figure>> read_results(const std::filesystem::path& path) {
    auto text = lab::read_text(path);
    if (!text) {
        return std::unexpected(text.error());
    }
    try {
        std::vector<Figure> figures;
        const json::value file = json::parse(*text);
        for (const auto& object : file.at("results").as_array()) {
            figures.push_back(figure_of(object.as_object()));
        }
        return figures;
    } catch (const std::exception& error) {
        return fail("read the results in " + path.string(), error.what(), "a file of ./run bench is needed");
    }
}

Result<> write_results(const std::filesystem::path& path, const std::string& json) {
    std::error_code error;
    if (path.has_parent_path()) {
        std::filesystem::create_directories(path.parent_path(), error);
    }
    auto draft = path;
    draft += ".new";
    if (auto written = lab::write_text(draft, json); !written) {
        return written;
    }
    std::filesystem::rename(draft, path, error);
    if (error) {
        return fail("write " + path.string(), error.message());
    }
    return {};
}

} // namespace stem::bench
