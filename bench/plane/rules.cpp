// SPDX-License-Identifier: Apache-2.0
#include "plane/figures.h"
#include "plane/measures.h"
#include "plane/rules_subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stem::bench {
namespace {

constexpr std::array<std::pair<const char*, unsigned>, 4> sizes = {
    {{"1", 1}, {"64", 64}, {"1k", 1'000}, {"8k", 8'192}}};
constexpr std::uint32_t flows = 1'000;
constexpr double aim_cost = 1.3; // issue 3: of 8 k rules, in those of one

// A chain of 8 k rules takes a tenth of a millisecond for a packet.
std::uint32_t burst_of(Ruleset kind, unsigned rules) {
    return kind == Ruleset::linear && rules > 64 ? 2048 : burst_frames;
}

class Rules : public Measure {
  public:
    explicit Rules(Family family) : family_(family) {}

    [[nodiscard]] std::string name() const override { return family_ == Family::v4 ? "rules" : "rules_v6"; }
    [[nodiscard]] std::string help() const override {
        return fmt::format("forwarding by the last of 1 to 8,192 static rules, or by none, {}, one core",
                           family_ == Family::v4 ? "IPv4" : "IPv6");
    }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        auto line = Line::create();
        if (!line) {
            return std::unexpected(line.error());
        }
        std::vector<Lane> lanes;
        const auto add = [&](Result<std::unique_ptr<Subject>> subject, std::uint32_t burst) -> Result<> {
            if (!subject) {
                return std::unexpected(subject.error());
            }
            lanes.push_back({.subject = std::move(*subject), .burst = burst});
            return {};
        };
        Result<> made;
        for (const auto& [label, count] : sizes) {
            const RulesMix mix{.count = count, .family = family_};
            if (made) {
                made = add(make_stem_rules(**line, mix), burst_frames);
            }
            for (const auto kind : {Ruleset::linear, Ruleset::set}) {
                if (made) {
                    made = add(make_nftables_rules(**line, mix, kind), burst_of(kind, count));
                }
            }
        }
        if (made) {
            made = add(make_stem_rules(
                           **line, {.count = sizes.back().second, .last_matches = false, .family = family_}),
                       burst_frames);
        }
        if (!made) {
            return std::unexpected(made.error());
        }
        const Mix packets{.flows = flows, .family = family_};
        if (auto raced = race(**line, packets, Fate::forwarded, lanes, settings, progress); !raced) {
            return std::unexpected(raced.error());
        }
        return figures_of(lanes);
    }

  private:
    // How many times as long a packet takes.
    Figure cost_of(const std::string& label, const Lane& many, const Lane& one) const {
        return {.name = fmt::format("{}_{}", name(), label),
                .unit = "ratio",
                .spread = spread_of(ratios_of(one.mpps, many.mpps)),
                .peer = one.subject->name(),
                .peer_value = spread_of(one.mpps).median,
                .peer_unit = "Mpps",
                .aim_is_floor = false};
    }

    std::vector<Figure> figures_of(const std::vector<Lane>& lanes) const {
        constexpr std::size_t subjects = 3;
        std::vector<Figure> figures;
        for (std::size_t size = 0; size < sizes.size(); ++size) {
            const std::string label = fmt::format("{}_{}", name(), sizes[size].first);
            const auto* lane = &lanes[size * subjects];
            figures.push_back(rate_of(label, lane[0]));
            figures.push_back(ratio_of(label + "_vs_nftables_linear", lane[0], lane[1], std::nullopt));
            figures.push_back(ratio_of(label + "_vs_nftables_sets", lane[0], lane[2], std::nullopt));
        }
        const auto* most = &lanes[(sizes.size() - 1) * subjects];
        figures.push_back(cost_of("8k_vs_1", most[0], lanes[0]));
        figures.back().aim = aim_cost;
        figures.push_back(cost_of("8k_no_match_vs_1", lanes.back(), lanes[0]));
        figures.push_back(cost_of("8k_vs_1_nftables_linear", most[1], lanes[1]));
        figures.push_back(cost_of("8k_vs_1_nftables_sets", most[2], lanes[2]));
        return figures;
    }

    Family family_;
};

} // namespace

std::unique_ptr<Measure> make_rules(Family family) {
    return std::make_unique<Rules>(family);
}

} // namespace stem::bench
