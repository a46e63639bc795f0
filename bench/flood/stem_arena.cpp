// SPDX-License-Identifier: Apache-2.0
#include "flood/arena.h"
#include "flood/callers.h"
#include "flood/plain_world.h"

#include "demo/stage.h"
#include "lab/enclosure.h"
#include "lab/text_file.h"
#include "signalling/call_paths.h"

#include <boost/json.hpp>

namespace stem::bench {
namespace {

constexpr std::string_view rules = R"([policy]
inbound = "drop"
outbound = "pass"

[[rule]]
name = "sip-tcp"
action = "pass"
direction = "inbound"
protocol = "tcp"
destination_port = 5060
)";

class StemArena : public Arena {
  public:
    StemArena(std::unique_ptr<demo::Stage> stage, UniqueFd listener)
        : stage_(std::move(stage)), listener_(std::move(listener)) {}
    [[nodiscard]] std::string label() const override { return "stem"; }
    [[nodiscard]] const lab::World& world() const override { return stage_->world(); }
    Result<> refresh() override { return stage_->start_kamailio(); }
    [[nodiscard]] std::chrono::nanoseconds daemon_cpu() override { return stage_->stemd().cpu_time(); }

    [[nodiscard]] Result<Drops> drops() const override {
        auto listed = stage_->stemctl({"drops", "--json"});
        if (!listed) {
            return std::unexpected(listed.error());
        }
        Drops drops;
        const auto parsed = boost::json::parse(*listed);
        for (const auto& row : parsed.at("reasons").as_array()) {
            drops[std::string(row.at("reason").as_string())] =
                row.at("inbound").at("packets").to_number<std::uint64_t>();
        }
        return drops;
    }

  private:
    std::unique_ptr<demo::Stage> stage_;
    UniqueFd listener_;
};

Result<> set_up(const demo::Stage& stage) {
    if (auto routed = route_flood_network(stage.world()); !routed) {
        return routed;
    }
    const auto file = lab::scratch() / "flood-rules.toml";
    if (auto written = lab::write_text(file, rules); !written) {
        return written;
    }
    // dave is at his phone, and does not answer. SIPp is the trunk; alice is known by her registration.
    const std::string trunk = stage.world().outside_address(trunk_host, lab::Family::v4).to_string();
    for (const std::vector<std::string>& command : {std::vector<std::string>{"rules", "load", file},
                                                    {"user", "set", "dave", "--profile", "office"},
                                                    {"peers", "add", trunk}}) {
        if (auto done = stage.stemctl(command); !done) {
            return std::unexpected(done.error());
        }
    }
    return {};
}

} // namespace

Result<std::unique_ptr<Arena>> make_stem_arena() {
    auto stage = set_up_stage();
    if (!stage) {
        return std::unexpected(stage.error());
    }
    if (auto ready = set_up(**stage); !ready) {
        return std::unexpected(ready.error());
    }
    auto listener = listen_at_proxy((*stage)->world());
    if (!listener) {
        return std::unexpected(listener.error());
    }
    return std::make_unique<StemArena>(std::move(*stage), std::move(*listener));
}

} // namespace stem::bench
