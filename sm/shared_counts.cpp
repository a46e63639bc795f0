// SPDX-License-Identifier: Apache-2.0
#include "sm/shared_counts.h"

#include "sm/failure.h"
#include "sm/field_reader.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <limits>

namespace stem::sm {
namespace {

namespace json = boost::json;

// The database tells of whole seconds.
constexpr std::chrono::seconds grain{2};

Result<FirewallCounts> firewall_from(const json::value& value) {
    FieldReader fields(value, "counts of a firewall", {"connected", "counts"});
    FirewallCounts firewall{
        .connected = fields.boolean("connected").value_or(false), .counts = {}, .left = {}};
    const auto* counts = fields.any("counts");
    if (fields.fault()) {
        return std::unexpected(*fields.fault());
    }
    if (counts == nullptr || !counts->is_object()) {
        return invalid("read counts of a firewall", "they are missing");
    }
    for (const auto& [counter, count] : counts->get_object()) {
        boost::system::error_code out_of_range;
        const auto number = count.is_number() ? count.to_number<std::int64_t>(out_of_range) : -1;
        if (out_of_range || number < 0 || number > std::numeric_limits<std::uint32_t>::max()) {
            return invalid("read counts of a firewall",
                           fmt::format("'{}' has no number", std::string(counter)));
        }
        firewall.counts.emplace(counter, static_cast<std::uint32_t>(number));
    }
    return firewall;
}

} // namespace

std::string to_text(const SharedCounts& counts) {
    json::object firewalls;
    for (const auto& [name, firewall] : counts) {
        json::object of_one;
        for (const auto& [counter, count] : firewall.counts) {
            of_one[counter] = count;
        }
        firewalls[name] = json::object{{"connected", firewall.connected}, {"counts", std::move(of_one)}};
    }
    return json::serialize(firewalls);
}

Result<SharedCounts> shared_counts_from(std::string_view text) {
    boost::system::error_code fault;
    const auto value = json::parse(text, fault);
    if (fault || !value.is_object()) {
        return invalid("read another Security Manager's counts of calls", "they are no JSON object");
    }
    SharedCounts counts;
    for (const auto& [name, firewall] : value.get_object()) {
        auto read = firewall_from(firewall);
        if (!read) {
            return std::unexpected(read.error());
        }
        counts.emplace(name, std::move(*read));
    }
    return counts;
}

CountedElsewhere counted_elsewhere(const SharedCounts& ours, std::span<const ToldCounts> others) {
    struct Taken {
        const FirewallCounts* firewall = nullptr;
        std::chrono::system_clock::time_point at;
    };
    std::map<std::string_view, Taken> taken;
    for (const ToldCounts& other : others) {
        for (const auto& [name, firewall] : other.counts) {
            auto& known = taken[name];
            if (known.firewall == nullptr || firewall.connected || !known.firewall->connected) {
                known = {&firewall, other.at};
            }
        }
    }
    CountedElsewhere elsewhere;
    for (const auto& [name, told] : taken) {
        const auto own = ours.find(name);
        const FirewallCounts* const firewall = told.firewall;
        // The word of who had it before it came to us, and is dead since, is not that it has gone there.
        const bool is_there =
            firewall->connected && (own == ours.end() || told.at > own->second.left + grain);
        if (own != ours.end() && (own->second.connected || !is_there)) {
            continue;
        }
        if (own != ours.end()) {
            elsewhere.moved.emplace_back(name);
        }
        for (const auto& [counter, count] : firewall->counts) {
            elsewhere.counts[counter] += count;
        }
    }
    return elsewhere;
}

} // namespace stem::sm
