// SPDX-License-Identifier: Apache-2.0
#include "flood/arena.h"
#include "flood/plain_world.h"

#include "lab/process.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

// The limits leave room: 50 calls a second from one address are 150 packets a second with their ACKs and
// BYEs, a G.711 stream is 50. A limit's set forgets a source that has been quiet for ten seconds.
constexpr std::string_view ruleset = R"(table inet pbx
delete table inet pbx
table inet pbx {
    counter blocked { }
    counter syn_rate { }
    counter sip_rate { }
    counter rtp_rate { }
    counter refused { }
    set blocked4 { type ipv4_addr; size 65536; flags timeout; timeout 10m; }
    set offenders { type ipv4_addr; size 65536; flags dynamic,timeout; timeout 1m; }
    set syns { type ipv4_addr; size 65536; flags dynamic,timeout; timeout 10s; }
    set sips { type ipv4_addr; size 65536; flags dynamic,timeout; timeout 10s; }
    set rtps { type ipv4_addr . inet_service . ipv4_addr . inet_service; size 65536; flags dynamic,timeout; timeout 10s; }
    ct helper sip_udp { type "sip" protocol udp; }
    chain over_syn { add @offenders { ip saddr } counter name syn_rate drop; }
    chain over_sip { add @offenders { ip saddr } counter name sip_rate drop; }
    chain early {
        type filter hook prerouting priority raw; policy accept;
        ip saddr @blocked4 counter name blocked drop
        iifname "ext0" tcp flags & (fin|syn|rst|ack) == syn update @syns { ip saddr limit rate over 50/second burst 100 packets } goto over_syn
        iifname "ext0" udp dport 5060 update @sips { ip saddr limit rate over 500/second burst 500 packets } goto over_sip
        iifname "ext0" udp dport 16384-65535 update @rtps { ip saddr . udp sport . ip daddr . udp dport limit rate over 100/second burst 50 packets } counter name rtp_rate drop
    }
    chain helpers {
        type filter hook prerouting priority filter; policy accept;
        udp dport 5060 ct helper set "sip_udp"
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        udp dport 5060 accept
        tcp dport 5060 accept
        counter name refused
    }
}
)";

// What fail2ban does with the offenders that it finds in a log: looks once a second, and blocks one after the
// other, a process for each. So it blocks no more than some dozens a second.
class Blocker {
  public:
    explicit Blocker(const lab::Netns& netns)
        : netns_(&netns), thread_([this](const std::stop_token& stop) { watch(stop); }) {}

  private:
    [[nodiscard]] std::vector<std::string> offenders() const {
        auto listed = lab::run_command({.name = "nft",
                                        .argv = {"nft", "-j", "list", "set", "inet", "pbx", "offenders"},
                                        .netns = netns_});
        std::vector<std::string> found;
        boost::system::error_code error;
        const auto parsed = json::parse(listed.value_or("{}"), error);
        if (error) {
            return found;
        }
        for (const auto& member : parsed.at_pointer("/nftables").as_array()) {
            const auto* set = member.as_object().if_contains("set");
            const auto* elements = set == nullptr ? nullptr : set->as_object().if_contains("elem");
            for (const auto& element : elements == nullptr ? json::array{} : elements->as_array()) {
                const auto* entry = element.if_object();
                if (entry != nullptr && found.size() < most_at_once) {
                    found.emplace_back(entry->at("elem").at("val").as_string());
                }
            }
        }
        return found;
    }
    void watch(const std::stop_token& stop) {
        std::mutex mutex;
        std::unique_lock lock(mutex);
        std::condition_variable_any wake;
        while (!wake.wait_for(lock, stop, 1s, [&] { return stop.stop_requested(); })) {
            for (const auto& address : offenders()) {
                if (stop.stop_requested()) {
                    return;
                }
                static_cast<void>(lab::run_command(
                    {.name = "nft",
                     .argv = {"nft", fmt::format("add element inet pbx blocked4 {{ {0} }}; delete element "
                                                 "inet pbx offenders {{ {0} }}",
                                                 address)},
                     .netns = netns_}));
            }
        }
    }

    static constexpr std::size_t most_at_once = 50;
    const lab::Netns* netns_;
    std::jthread thread_;
};

class NftablesArena : public Arena {
  public:
    explicit NftablesArena(PlainWorld plain) : plain_(std::move(plain)) {}
    [[nodiscard]] std::string label() const override { return "nftables"; }
    [[nodiscard]] const lab::World& world() const override { return plain_.world(); }

    Result<> refresh() override {
        blocker_.reset();
        auto loaded = lab::run_command({.name = "nft",
                                        .argv = {"nft", "-f", "-"},
                                        .netns = &world().middle(),
                                        .input = std::string(ruleset)});
        if (!loaded) {
            return std::unexpected(loaded.error());
        }
        blocker_.emplace(world().middle());
        return plain_.start_kamailio();
    }

    [[nodiscard]] Result<Drops> drops() const override {
        auto listed = lab::run_command({.name = "nft",
                                        .argv = {"nft", "-j", "list", "counters", "table", "inet", "pbx"},
                                        .netns = &world().middle()});
        if (!listed) {
            return std::unexpected(listed.error());
        }
        Drops drops;
        const auto parsed = json::parse(*listed);
        for (const auto& member : parsed.at("nftables").as_array()) {
            if (const auto* counter = member.as_object().if_contains("counter")) {
                drops[std::string(counter->at("name").as_string())] =
                    counter->at("packets").to_number<std::uint64_t>();
            }
        }
        return drops;
    }

  private:
    PlainWorld plain_;
    std::optional<Blocker> blocker_;
};

} // namespace

Result<std::unique_ptr<Arena>> make_nftables_arena() {
    auto plain = PlainWorld::create(lab::Mode::router);
    if (!plain) {
        return std::unexpected(plain.error());
    }
    auto arena = std::make_unique<NftablesArena>(std::move(*plain));
    if (auto ready = arena->refresh(); !ready) {
        return std::unexpected(ready.error());
    }
    return arena;
}

} // namespace stem::bench
