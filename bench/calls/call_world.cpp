// SPDX-License-Identifier: Apache-2.0
#include "calls/call_world.h"

#include "demo/stage.h"
#include "lab/process.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace stem::bench {
namespace {

constexpr std::string_view ruleset = R"(table inet pbx {
    ct helper sip_udp { type "sip" protocol udp; }
    ct helper sip_tcp { type "sip" protocol tcp; }
    chain helpers {
        type filter hook prerouting priority filter; policy accept;
        udp dport 5060 ct helper set "sip_udp"
        tcp dport 5060 ct helper set "sip_tcp"
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        udp dport 5060 accept
        tcp dport 5060 accept
        meta l4proto ipv6-icmp accept
    }
}
)";

class PlainCallWorld : public CallWorld {
  public:
    explicit PlainCallWorld(lab::World world) : world_(std::move(world)) {}
    [[nodiscard]] const lab::World& world() const override { return world_; }

  private:
    lab::World world_;
};

class StemCallWorld : public CallWorld {
  public:
    explicit StemCallWorld(std::unique_ptr<demo::Stage> stage) : stage_(std::move(stage)) {}
    [[nodiscard]] const lab::World& world() const override { return stage_->world(); }

  private:
    std::unique_ptr<demo::Stage> stage_;
};

} // namespace

Result<std::unique_ptr<CallWorld>> make_open_call_world() {
    auto world = lab::World::create({.mode = lab::Mode::router, .middle = lab::Middle::plain});
    if (!world) {
        return std::unexpected(world.error());
    }
    return std::make_unique<PlainCallWorld>(std::move(*world));
}

Result<std::unique_ptr<CallWorld>> make_nftables_call_world() {
    auto made = make_open_call_world();
    if (!made) {
        return made;
    }
    auto loaded = lab::run_command({.name = "nft",
                                    .argv = {"nft", "-f", "-"},
                                    .netns = &(*made)->world().middle(),
                                    .input = std::string(ruleset)});
    if (!loaded) {
        return std::unexpected(loaded.error());
    }
    return made;
}

Result<std::unique_ptr<CallWorld>> make_stem_call_world() {
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    auto stage = demo::Stage::set_up({.mode = lab::Mode::router,
                                      .programs = {.stemctl = here / "stemctl", .stemd = here / "stemd"},
                                      .config = "[sm]\nunknown_user = \"accept\"\n"});
    if (!stage) {
        return std::unexpected(stage.error());
    }
    return std::make_unique<StemCallWorld>(std::move(*stage));
}

} // namespace stem::bench
