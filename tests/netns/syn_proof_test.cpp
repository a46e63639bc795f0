// SPDX-License-Identifier: Apache-2.0
// The SYN monitor's challenge with real peers: during a flood the kernel's own TCP proves itself and
// connects, through an attached STEM; a source that nobody is at does not. stemd does not run: the alarm is
// set by hand.
#include "ctl/kernel/counter_table.h"
#include "ctl/kernel/instance.h"
#include "lab/enclosure.h"
#include "lab/process.h"
#include "lab/text_file.h"
#include "lab/world.h"
#include "packet_socket.h"
#include "tcp_peer.h"
#include "tests/expect_ok.h"
#include "tests/netns/every_world.h"

#include <packet/packet.h>

#include <gtest/gtest.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <tuple>

namespace stem::kernel {
namespace {

using namespace std::chrono_literals;
using lab::Family;
using lab::Mode;
using test::accept_from;
using test::open_socket;
using test::transfer;

constexpr std::uint16_t service = 5060;
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

Locations locations() {
    return {.bpffs = lab::bpffs(), .run_dir = lab::scratch() / "run"};
}

Result<test::Mac> station_of(const lab::Netns& netns, const std::string& interface) {
    return netns.run([&]() -> Result<test::Mac> {
        const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ifreq request{};
        interface.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
        if (ioctl(fd.get(), SIOCGIFHWADDR, &request) != 0) {
            return fail_errno("ask for the link address of " + interface);
        }
        test::Mac station{};
        std::copy_n(request.ifr_hwaddr.sa_data, station.size(), station.begin());
        return station;
    });
}

class SynProof : public testing::TestWithParam<lab::WorldKind> {
  protected:
    void SetUp() override {
        auto world = lab::World::create({.mode = mode(), .middle = lab::Middle::bare});
        ASSERT_OK(world);
        world_.emplace(std::move(*world));
        const auto file = lab::scratch() / "syn-rules.toml";
        ASSERT_OK(lab::write_text(file, rules));
        ASSERT_OK(stemctl({"attach", "--external", lab::external_port, "--internal", lab::internal_port,
                           "--mode", mode() == Mode::bridge ? "bridge" : "router", "--rules", file.string(),
                           "--modules", "pattern_matcher,syn_monitor,syn_cookie"}));
        // As stemd does when it sees a flood from many sources.
        const auto posture = PostureMap::open(instance().pin("posture"));
        ASSERT_OK(posture);
        ASSERT_OK(posture->put(0, {.bits = STEM_POSTURE_KNOWN_SYN, .zero = 0, .since_ns = 1}));
        // Whoever shows no proof has nothing to hope for.
        const auto thresholds = instance().thresholds();
        ASSERT_OK(thresholds);
        auto limits = thresholds->get(0);
        ASSERT_TRUE(limits && *limits);
        (*limits)->syn_unknown_rate = 0;
        ASSERT_OK(thresholds->put(0, **limits));
    }
    void TearDown() override {
        if (world_) {
            EXPECT_TRUE(stemctl({"detach"}));
        }
    }
    [[nodiscard]] Result<std::string> stemctl(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), STEM_STEMCTL);
        return lab::run_command(
            {.name = "stemctl",
             .argv = std::move(arguments),
             .netns = &world_->middle(),
             .environment = {{"STEM_BPFFS", locations().bpffs}, {"STEM_RUN_DIR", locations().run_dir}}},
            60s);
    }
    static Mode mode() { return std::get<0>(GetParam()); }
    static Family family() { return std::get<1>(GetParam()); }
    [[nodiscard]] Endpoint outside(std::uint16_t port, unsigned host = lab::host::first_caller) const {
        return {world_->outside_address(host, family()), port};
    }
    [[nodiscard]] Endpoint server() const {
        return {world_->inside_address(lab::host::proxy, family()), service};
    }
    static Instance instance() { return Instance::open(locations(), "default").value(); }
    static std::uint64_t counted(stem_reason reason) {
        const auto rows = read_counters(instance());
        for (const CounterRow& row : rows.value()) {
            if (row.reason == reason) {
                return row.by_direction[STEM_INBOUND].packets;
            }
        }
        return 0;
    }
    // A SYN of an address on the outside's network that no host has.
    [[nodiscard]] test::Bytes forged_syn(std::uint16_t port, const test::Mac& to) const {
        const test::Packet link = test::Ethernet{.dst = to};
        const Address nobody = outside(0, unused_host).address;
        const test::Tcp syn{.sport = port, .dport = service, .sequence = 7, .syn = true};
        return ((family() == Family::v4 ? link / test::IPv4{.src = nobody, .dst = server().address}
                                        : link / test::IPv6{.src = nobody, .dst = server().address}) /
                syn)
            .bytes();
    }

    static constexpr unsigned unused_host = 99;
    std::optional<lab::World> world_;
};

INSTANTIATE_TEST_SUITE_P(Worlds, SynProof, lab::every_world(), lab::name_of_world);

TEST_P(SynProof, AHostProvesItselfOnceAndConnects) {
    auto listener = open_socket(world_->inside(), SOCK_STREAM, server());
    ASSERT_OK(listener);
    auto client = open_socket(world_->outside(), SOCK_STREAM, outside(0), server());
    ASSERT_OK(client);
    const auto accepted = accept_from(listener->get());
    ASSERT_TRUE(accepted.fd);
    EXPECT_EQ(accepted.peer.address, outside(0).address);
    EXPECT_TRUE(transfer(client->get(), accepted.fd.get(), 100'000));
    EXPECT_TRUE(transfer(accepted.fd.get(), client->get(), 100'000));
    EXPECT_EQ(counted(STEM_SYN_CHALLENGED), 1U);
    EXPECT_EQ(counted(STEM_SYN_PROVEN), 1U);

    auto second = open_socket(world_->outside(), SOCK_STREAM, outside(0), server());
    ASSERT_OK(second);
    EXPECT_EQ(counted(STEM_SYN_CHALLENGED), 1U) << "who has proven itself is not asked again";
    auto other = open_socket(world_->outside(), SOCK_STREAM, outside(0, lab::host::intruder), server());
    ASSERT_OK(other);
    EXPECT_EQ(counted(STEM_SYN_CHALLENGED), 2U) << "another host has to prove itself";
    EXPECT_EQ(counted(STEM_SYN_PROVEN), 2U);
}

TEST_P(SynProof, AForgedSourceNeverComesThrough) {
    auto listener = open_socket(world_->inside(), SOCK_STREAM, server());
    ASSERT_OK(listener);
    auto wire = test::PacketSocket::open(world_->outside(), lab::outside_port);
    ASSERT_OK(wire);
    // A router takes what is sent to its own station only: that of its answer to a proven client.
    auto client = open_socket(world_->outside(), SOCK_STREAM, outside(0), server());
    ASSERT_OK(client);
    ASSERT_TRUE(accept_from(listener->get()).fd);
    const auto station = station_of(world_->middle(), lab::external_port);
    ASSERT_OK(station);
    const test::Mac to = *station;
    const auto challenged = counted(STEM_SYN_CHALLENGED);
    // The client's own packets may come twice: it sent its SYN again while it proved itself.
    std::uint64_t passed = counted(STEM_RULE_PASS);
    for (std::uint64_t before = passed + 1; before != passed;) {
        before = passed;
        std::this_thread::sleep_for(500ms);
        passed = counted(STEM_RULE_PASS);
    }
    constexpr unsigned attempts = 20;
    for (unsigned n = 0; n < attempts; n++) {
        ASSERT_TRUE(wire->send(forged_syn(static_cast<std::uint16_t>(40000 + n), to)));
    }
    EXPECT_TRUE(lab::eventually([&] { return counted(STEM_SYN_CHALLENGED) >= challenged + attempts; }, 5s));
    EXPECT_EQ(counted(STEM_RULE_PASS), passed);
    EXPECT_EQ(counted(STEM_SYN_PROVEN), 1U);
    // Nor does a made-up proof help.
    const test::Packet link = test::Ethernet{.dst = to};
    const Address nobody = outside(0, unused_host).address;
    const test::Tcp rst{.sport = 40000, .dport = service, .sequence = 0x12345678, .rst = true};
    const auto packet = (family() == Family::v4 ? link / test::IPv4{.src = nobody, .dst = server().address}
                                                : link / test::IPv6{.src = nobody, .dst = server().address}) /
                        rst;
    ASSERT_TRUE(wire->send(packet.bytes()));
    ASSERT_TRUE(wire->send(forged_syn(40000, to)));
    EXPECT_TRUE(lab::eventually([&] { return counted(STEM_SYN_CHALLENGED) > challenged + attempts; }, 5s));
    EXPECT_EQ(counted(STEM_SYN_PROVEN), 1U);
}

} // namespace
} // namespace stem::kernel
