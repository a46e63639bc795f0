// SPDX-License-Identifier: Apache-2.0
// Fresh programs under traffic:  outside ── ext0 STEM int0 ── inside. What must pass always passes, what must
// not never does, and what hangs on a module is judged in one of the two right ways; all of it is counted.
#include "ctl/kernel/modules.h"

#include "ctl/kernel/counter_table.h"
#include "ctl/kernel/data_plane.h"
#include "ctl/kernel/xdp_link.h"
#include "lab/enclosure.h"
#include "lab/process.h"
#include "lab/socket_address.h"
#include "lab/text_file.h"
#include "lab/world.h"

#include <stem/module.h>

#include <boost/json.hpp>
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

namespace stem::kernel {
namespace {

using namespace std::chrono_literals;
using lab::Family;
using testing::HasSubstr;

constexpr auto patience = 120s;

Locations locations() {
    return {.bpffs = lab::bpffs(), .run_dir = lab::scratch() / "run"};
}

struct Outcome {
    int code = -1;
    std::string out;
    std::string err;
};

class Modules : public testing::Test {
  protected:
    void SetUp() override {
        auto world = lab::World::create({.mode = lab::Mode::bridge, .middle = lab::Middle::bare});
        ASSERT_TRUE(world) << world.error().message();
        world_.emplace(std::move(*world));
    }
    void TearDown() override {
        if (world_ && std::filesystem::exists(locations().pins("default"))) {
            EXPECT_EQ(run({"detach", "--force"}).code, 0);
        }
    }

    [[nodiscard]] Outcome run(const std::vector<std::string>& arguments) const {
        std::vector<std::string> line = {STEM_STEMCTL};
        line.insert(line.end(), arguments.begin(), arguments.end());
        auto process = lab::Process::start(
            {.name = "stemctl",
             .argv = std::move(line),
             .netns = &world_->middle(),
             .environment = {{"STEM_BPFFS", locations().bpffs}, {"STEM_RUN_DIR", locations().run_dir}}});
        if (!process) {
            ADD_FAILURE() << process.error().message();
            return {};
        }
        const auto code = process->wait(patience);
        EXPECT_TRUE(code) << code.error().message();
        return {.code = code.value_or(-1), .out = process->output(), .err = process->errors()};
    }
    void attach(const std::vector<std::string>& more = {}) const {
        std::vector<std::string> line = {"attach", "--external", lab::external_port, "--internal",
                                         lab::internal_port};
        line.insert(line.end(), more.begin(), more.end());
        const auto attached = run(line);
        ASSERT_EQ(attached.code, 0) << attached.err;
    }
    [[nodiscard]] static Instance instance() {
        auto found = Instance::open(locations(), "default");
        EXPECT_TRUE(found) << found.error().message();
        return std::move(*found);
    }
    static void switch_to(std::uint32_t modules) {
        const auto changed = switch_modules(locations(), "default", modules, STEM_MODULES_ALL & ~modules);
        ASSERT_TRUE(changed) << changed.error().message();
        EXPECT_EQ(changed->after.modules, modules);
    }

    std::optional<lab::World> world_;
};

std::array<std::uint32_t, STEM_PORTS> program_ids(const Instance& instance) {
    std::array<std::uint32_t, STEM_PORTS> ids{};
    const auto running = linked_programs(instance);
    EXPECT_TRUE(running) << running.error().message();
    for (std::size_t port = 0; running && port < STEM_PORTS; port++) {
        bpf_prog_info info{};
        std::uint32_t length = sizeof(info);
        EXPECT_EQ(bpf_obj_get_info_by_fd(running->program[port].get(), &info, &length), 0);
        ids[port] = info.id;
    }
    return ids;
}

TEST_F(Modules, AreSwitchedEachForItselfAndTold) {
    ASSERT_NO_FATAL_FAILURE(attach({"--modules", "pattern_matcher,sip_steering", "--event-rate", "77"}));
    EXPECT_EQ(instance().meta().modules,
              std::uint32_t{STEM_MODULE_PATTERN_MATCHER | STEM_MODULE_SIP_STEERING});
    const auto off = run({"modules", "disable", "pattern_matcher", "--json"});
    ASSERT_EQ(off.code, 0) << off.err;
    EXPECT_EQ(
        boost::json::parse(off.out),
        boost::json::parse(R"({"modules": [{"module": "pattern_matcher", "on": false, "switched": true}]})"));
    EXPECT_THAT(off.err, HasSubstr("without pattern_matcher: "));
    EXPECT_THAT(run({"modules", "enable", "sip_steering", "flow_monitor"}).out,
                HasSubstr("flow_monitor is on\nsip_steering is on, as it was\n"));

    const std::uint32_t now = STEM_MODULE_FLOW_MONITOR | STEM_MODULE_SIP_STEERING;
    EXPECT_EQ(*running_modules(instance()), (std::array<std::uint32_t, STEM_PORTS>{now, now}));
    const auto listed = boost::json::parse(run({"modules", "--json"}).out).as_object();
    EXPECT_EQ(listed.at("whole"), true);
    ASSERT_EQ(listed.at("modules").as_array().size(), modules().size());
    for (const auto& row : listed.at("modules").as_array()) {
        const auto* info = find_module(std::string(row.at("module").as_string()));
        ASSERT_NE(info, nullptr);
        EXPECT_EQ(row.at("on"), is_on(now, *info));
        EXPECT_FALSE(row.at("since").is_null());
    }
    const auto status = boost::json::parse(run({"status", "--json"}).out).as_object();
    EXPECT_EQ(status.at("modules").at("pattern_matcher"), false);
    EXPECT_EQ(status.at("modules").at("flow_monitor"), true);
}

TEST_F(Modules, WhatIsSoAlreadyChangesNothing) {
    ASSERT_NO_FATAL_FAILURE(attach());
    const auto before = program_ids(instance());
    switch_to(instance().meta().modules);
    EXPECT_EQ(program_ids(instance()), before);
}

TEST_F(Modules, SettingsAndMapsStay) {
    ASSERT_NO_FATAL_FAILURE(attach({"--fallback", "open", "--event-rate", "77", "--failsafe",
                                    "external:udp/161", "--max-flows", "4242", "--sip-port", "5070"}));
    const auto settings = [] {
        auto read = settings_of(linked_programs(instance())->program[STEM_PORT_INTERNAL].get());
        EXPECT_TRUE(read) << read.error().message();
        EXPECT_TRUE(read->contains("stem_port_mac"));
        read->erase("stem_modules");
        read->erase("stem_syn_seed"); // drawn anew at each load
        return *read;
    };
    const auto map_ids = [] {
        std::map<std::string, std::uint32_t> ids;
        for (const auto& entry : std::filesystem::directory_iterator(locations().pins("default"))) {
            // These are programs, and are new with each switch.
            const std::string name = entry.path().filename();
            const auto map = MapHandle::open(entry.path());
            if (map && name != "sweep" && name != "deny_flow") {
                ids[entry.path().filename()] = map->shape().id;
            }
        }
        return ids;
    };
    const auto settings_before = settings();
    const auto maps_before = map_ids();
    const auto programs_before = program_ids(instance());
    const auto generation_before = instance().meta().attached_at;
    ASSERT_GT(maps_before.size(), 10U);
    EXPECT_EQ(word_of(settings_before, "stem_event_rate"), 77U);
    switch_to(0);
    switch_to(STEM_MODULES_ALL);
    EXPECT_EQ(settings(), settings_before);
    EXPECT_EQ(map_ids(), maps_before);
    EXPECT_EQ(instance().meta().attached_at, generation_before);
    EXPECT_NE(program_ids(instance()), programs_before);
    EXPECT_EQ(instance().flows()->shape().max_entries, 4242U);
}

TEST_F(Modules, ADeadPortLeavesTheOtherAsItWas) {
    ASSERT_NO_FATAL_FAILURE(attach());
    const auto before = program_ids(instance());
    const auto meta = instance().meta();
    ASSERT_TRUE(world_->middle().ip("link del int0\n"));
    const auto changed = switch_modules(locations(), "default", 0, STEM_MODULE_FLOW_MONITOR);
    ASSERT_FALSE(changed);
    EXPECT_THAT(changed.error().message(), HasSubstr("link_internal"));
    EXPECT_FALSE(changed.error().remedy.empty());
    EXPECT_EQ(program_ids(instance())[STEM_PORT_EXTERNAL], before[STEM_PORT_EXTERNAL]);
    EXPECT_EQ(instance().meta().modules, meta.modules);
}

TEST_F(Modules, AnInterruptedChangeIsToldAndMended) {
    ASSERT_NO_FATAL_FAILURE(attach());
    const auto running = linked_programs(instance());
    ASSERT_TRUE(running);
    const auto settings = settings_of(running->program[0].get());
    const auto fresh = DataPlane::reload(instance(), *settings, 0);
    ASSERT_TRUE(fresh) << fresh.error().message();
    ASSERT_EQ(
        bpf_link_update(running->link[STEM_PORT_EXTERNAL].get(), fresh->program(STEM_PORT_EXTERNAL), nullptr),
        0);
    const auto listed = run({"modules"});
    EXPECT_EQ(listed.code, 0);
    EXPECT_THAT(listed.err, HasSubstr("interrupted"));
    switch_to(instance().meta().modules);
    EXPECT_EQ(run({"modules"}).err, "");
}

TEST_F(Modules, UpgradesWhereTheMapsAreThisVersions) {
    ASSERT_NO_FATAL_FAILURE(attach({"--modules", "none"}));
    const auto before = program_ids(instance());
    const auto id_of = [](const char* name) {
        const UniqueFd program(bpf_obj_get(instance().pin(name).c_str()));
        bpf_prog_info info{};
        std::uint32_t length = sizeof(info);
        EXPECT_EQ(bpf_obj_get_info_by_fd(program.get(), &info, &length), 0);
        return info.id;
    };
    const auto sweep_before = id_of("sweep");
    const auto deny_before = id_of("deny_flow");
    const auto upgraded = run({"upgrade", "--json"});
    ASSERT_EQ(upgraded.code, 0) << upgraded.err;
    EXPECT_EQ(boost::json::parse(upgraded.out).at("modules").at("flow_monitor"), false);
    const auto after = program_ids(instance());
    EXPECT_NE(after, before);
    EXPECT_NE(id_of("sweep"), sweep_before);
    EXPECT_NE(id_of("deny_flow"), deny_before);
    EXPECT_EQ(run({"deny", "list", "--json"}).code, 0);
    EXPECT_EQ(run({"states", "--json"}).code, 0);

    const std::string strange = locations().pins("default") / "strange";
    const UniqueFd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "strange", 4, 4, 1, nullptr));
    ASSERT_EQ(bpf_obj_pin(map.get(), strange.c_str()), 0);
    std::filesystem::remove(locations().pins("default") / "posture");
    const UniqueFd other(bpf_map_create(BPF_MAP_TYPE_ARRAY, "posture", 4, 24, 1, nullptr));
    ASSERT_EQ(bpf_obj_pin(other.get(), (locations().pins("default") / "posture").c_str()), 0);
    std::filesystem::remove(locations().pins("default") / "peers");
    const auto refused = run({"upgrade", "--json"});
    EXPECT_EQ(refused.code, 1);
    EXPECT_THAT(refused.err, HasSubstr("strange: not known to this version"));
    EXPECT_THAT(refused.err, HasSubstr("posture: value size 24 for 16"));
    EXPECT_THAT(refused.err, HasSubstr("peers: not there"));
    EXPECT_THAT(refused.err, HasSubstr("detach it and attach again"));
    EXPECT_EQ(program_ids(instance()), after);
}

// A stream of datagrams one way, between ports of its own.
struct Stream {
    UniqueFd from;
    UniqueFd to;
    sockaddr_in6 target{};
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
};

enum Kind : std::size_t { always, never, by_rule, by_pinhole, kinds };
constexpr std::array<std::uint16_t, kinds> inside_ports = {7000, 7100, 7200, 7300};

class ModulesTraffic : public Modules {
  protected:
    void SetUp() override {
        ASSERT_NO_FATAL_FAILURE(Modules::SetUp());
        rules_ = lab::scratch() / "rules.toml";
        ASSERT_TRUE(lab::write_text(rules_, "[[rule]]\nname = \"in\"\naction = \"pass\"\ndirection = "
                                            "\"inbound\"\nprotocol = \"udp\"\ndestination_port = 7200\n"
                                            "[[rule]]\nname = \"out\"\naction = \"pass\"\ndirection = "
                                            "\"outbound\"\nprotocol = \"udp\"\nsource_port = 7200\n"));
        ASSERT_NO_FATAL_FAILURE(attach({"--failsafe", "external:udp/7000", "--rules", rules_}));
        for (const Family family : {Family::v4, Family::v6}) {
            const Address outside = world_->outside_address(lab::host::first_caller, family);
            const Address inside = world_->inside_address(lab::host::first_phone, family);
            for (std::size_t kind = 0; kind < kinds; kind++) {
                const Endpoint in{.address = inside, .port = inside_ports[kind]};
                const Endpoint out{.address = outside, .port = static_cast<std::uint16_t>(in.port + 1)};
                add(kind, world_->outside(), out, world_->inside(), in);
            }
        }
        open_pinholes();
    }

    // Both ways, from two sockets.
    void add(std::size_t kind, const lab::Netns& outside, const Endpoint& out, const lab::Netns& inside,
             const Endpoint& in) {
        auto outer = lab::bind_udp(outside, out);
        auto inner = lab::bind_udp(inside, in);
        ASSERT_TRUE(outer && inner);
        for (const int socket : {outer->get(), inner->get()}) {
            const int room = 32 << 20;
            ASSERT_EQ(setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)), 0);
        }
        streams_[kind].push_back({.from = UniqueFd(dup(outer->get())),
                                  .to = UniqueFd(dup(inner->get())),
                                  .target = lab::to_socket_address(in)});
        streams_[kind].push_back(
            {.from = std::move(*inner), .to = std::move(*outer), .target = lab::to_socket_address(out)});
        endpoints_.push_back({out, in, kind});
    }

    void open_pinholes() const {
        const auto flows = instance().flows();
        ASSERT_TRUE(flows);
        for (const auto& [out, in, kind] : endpoints_) {
            if (kind != by_pinhole) {
                continue;
            }
            for (const auto direction : {STEM_INBOUND, STEM_OUTBOUND}) {
                const auto& from = direction == STEM_INBOUND ? out : in;
                const auto& to = direction == STEM_INBOUND ? in : out;
                stem_flow_key key{};
                key.src = from.address.raw();
                key.dst = to.address.raw();
                key.sport = from.port;
                key.dport = to.port;
                key.direction = static_cast<std::uint8_t>(direction);
                key.protocol = IPPROTO_UDP;
                stem_flow flow{};
                flow.kind = STEM_FLOW_RTP;
                flow.payload_types[0] = 1;
                flow.max_payload = 1400;
                flow.bytes_burst_ns = flow.packets_burst_ns = 1'000'000'000;
                ASSERT_TRUE(flows->put(key, flow));
            }
        }
    }

    static void send(Stream& stream) {
        std::array<std::uint8_t, 60> rtp{0x80, 0};
        rtp[2] = static_cast<std::uint8_t>(stream.sent >> 8U);
        rtp[3] = static_cast<std::uint8_t>(stream.sent);
        if (sendto(stream.from.get(), rtp.data(), rtp.size(), 0,
                   reinterpret_cast<const sockaddr*>(&stream.target),
                   sizeof(stream.target)) == static_cast<ssize_t>(rtp.size())) {
            stream.sent++;
        }
    }
    void drain() {
        std::array<char, 128> datagram{};
        for (auto& of_kind : streams_) {
            for (auto& stream : of_kind) {
                while (recv(stream.to.get(), datagram.data(), datagram.size(), MSG_DONTWAIT) > 0) {
                    stream.received++;
                }
            }
        }
    }

    // The hosts keep what they know of each other: on a busy machine a probe may be answered too late.
    void remember_neighbours() const {
        for (const char* family : {"ipv4", "ipv6"}) {
            const std::string key = std::string(family) + "/neigh/";
            const std::string hour = "3600000";
            ASSERT_TRUE(world_->outside().sysctl(key + lab::outside_port + "/base_reachable_time_ms", hour));
            ASSERT_TRUE(world_->inside().sysctl(key + lab::inside_port + "/base_reachable_time_ms", hour));
        }
    }

    // Until the hosts have found each other: packets before that wait in, or fall off, a queue of the
    // kernel's.
    void find_neighbours() {
        ASSERT_NO_FATAL_FAILURE(remember_neighbours());
        for (auto& stream : streams_[always]) {
            ASSERT_TRUE(lab::eventually(
                [&] {
                    send(stream);
                    std::this_thread::sleep_for(5ms);
                    drain();
                    return stream.received > 0;
                },
                patience));
        }
        std::this_thread::sleep_for(50ms);
        drain();
        for (auto& stream : streams_[always]) {
            stream.sent = stream.received = 0;
        }
        before_ = counts();
    }

    [[nodiscard]] static std::map<stem_reason, std::uint64_t> counts() {
        std::map<stem_reason, std::uint64_t> packets;
        const auto rows = read_counters(instance());
        EXPECT_TRUE(rows) << rows.error().message();
        for (const auto& row : *rows) {
            packets[row.reason] =
                row.by_direction[STEM_INBOUND].packets + row.by_direction[STEM_OUTBOUND].packets;
        }
        return packets;
    }
    [[nodiscard]] std::uint64_t counted(stem_reason reason) const {
        return counts().at(reason) - before_.at(reason);
    }
    [[nodiscard]] std::uint64_t sum(Kind kind, std::uint64_t Stream::* which) const {
        std::uint64_t total = 0;
        for (const auto& stream : streams_[kind]) {
            total += stream.*which;
        }
        return total;
    }

    // Sends on all streams, round by round, until `work` is through with it. Few packets are under way at a
    // time: the rings between the namespaces are short, and a busy machine empties them late. What is lost
    // for good holds it up for a while only, and fails the test at the end.
    template<typename Work>
    void under_traffic(Work work) {
        constexpr std::uint64_t most_under_way = 32;
        std::atomic<bool> stop = false;
        std::thread traffic([&] {
            std::uint64_t lost = 0;
            while (!stop) {
                for (auto& of_kind : streams_) {
                    for (auto& stream : of_kind) {
                        send(stream);
                    }
                }
                const auto under_way = [&] {
                    drain();
                    return sum(always, &Stream::sent) - sum(always, &Stream::received) - lost;
                };
                for (int wait = 0; under_way() > most_under_way && wait < 10'000; wait++) {
                    std::this_thread::sleep_for(500us);
                }
                lost += under_way() > most_under_way ? under_way() : 0;
                std::this_thread::sleep_for(200us);
            }
        });
        work();
        stop = true;
        traffic.join();
        std::uint64_t last = ~0ULL;
        while (last != sum(always, &Stream::received)) {
            last = sum(always, &Stream::received);
            std::this_thread::sleep_for(100ms);
            drain();
        }
    }

    std::filesystem::path rules_;
    std::array<std::vector<Stream>, kinds> streams_;
    std::vector<std::tuple<Endpoint, Endpoint, std::size_t>> endpoints_;
    std::map<stem_reason, std::uint64_t> before_;
};

TEST_F(ModulesTraffic, NothingIsLostOrMisjudgedWhileProgramsAndRulesChange) {
    ASSERT_NO_FATAL_FAILURE(find_neighbours());
    const std::array<std::uint32_t, 3> turning = {STEM_MODULE_PATTERN_MATCHER, STEM_MODULE_FLOW_MONITOR,
                                                  STEM_MODULE_SIP_STEERING};
    constexpr int switches = 24;
    constexpr int swaps = 100; // there and back
    under_traffic([&] {
        std::uint32_t on = STEM_MODULES_INITIAL;
        for (int i = 0; i < switches && !HasFatalFailure(); i++) {
            on ^= turning[static_cast<std::size_t>(i) % turning.size()];
            switch_to(on);
            if (i % 8 == 0) {
                EXPECT_EQ(run({"rules", "load", rules_}).code, 0);
            }
        }
        // The same in quick succession, between programs that are loaded already.
        const auto running = linked_programs(instance());
        ASSERT_TRUE(running);
        const auto settings = settings_of(running->program[0].get());
        const auto bare = DataPlane::reload(instance(), *settings, STEM_MODULE_SIP_STEERING);
        ASSERT_TRUE(bare) << bare.error().message();
        for (int i = 0; i < swaps && !HasFailure(); i++) {
            const auto there = replace_programs(*running, *bare);
            ASSERT_TRUE(there) << there.error().message();
            const auto back = restore_programs(*running, *bare);
            ASSERT_TRUE(back) << back.error().message();
            if (i % 20 == 0) {
                EXPECT_EQ(run({"rules", "load", rules_}).code, 0);
            }
        }
        const auto upgraded = upgrade(locations(), "default");
        EXPECT_TRUE(upgraded) << upgraded.error().message();
    });

    EXPECT_GT(sum(always, &Stream::sent), 1000U);
    EXPECT_EQ(sum(always, &Stream::received), sum(always, &Stream::sent));
    EXPECT_EQ(sum(never, &Stream::received), 0U);
    for (const Kind kind : {by_rule, by_pinhole}) {
        EXPECT_GT(sum(kind, &Stream::received), 0U) << "the module was never seen on";
        EXPECT_LT(sum(kind, &Stream::received), sum(kind, &Stream::sent)) << "never seen off";
    }
    // Each packet has its verdict, and each verdict was carried out.
    EXPECT_EQ(counted(STEM_FAILSAFE), sum(always, &Stream::sent));
    EXPECT_EQ(counted(STEM_RULE_PASS), sum(by_rule, &Stream::received));
    EXPECT_EQ(counted(STEM_FLOW), sum(by_pinhole, &Stream::received));
    EXPECT_EQ(counted(STEM_NO_PINHOLE), sum(never, &Stream::sent) + sum(by_rule, &Stream::sent) -
                                            sum(by_rule, &Stream::received) + sum(by_pinhole, &Stream::sent) -
                                            sum(by_pinhole, &Stream::received));
    std::uint64_t total = 0;
    for (const Kind kind : {always, never, by_rule, by_pinhole}) {
        total += sum(kind, &Stream::sent);
    }
    RecordProperty("packets", std::to_string(total));
}

} // namespace
} // namespace stem::kernel
