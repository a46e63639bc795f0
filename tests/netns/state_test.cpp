// SPDX-License-Identifier: Apache-2.0
// keep_state and steering of TCP with real peers: the kernel's own TCP, UDP and ICMP through an attached
// STEM, forged segments, floods. stemd does not run: what is here needs none.
#include "ctl/kernel/counter_table.h"
#include "ctl/kernel/state_list.h"
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
#include <sys/socket.h>

#include <tuple>

namespace stem::kernel {
namespace {

using namespace std::chrono_literals;
using lab::Family;
using lab::Mode;
using test::accept_from;
using test::open_socket;
using test::transfer;

constexpr std::uint16_t service = 8080;
constexpr std::uint32_t room = 256;
constexpr std::string_view rules = R"([policy]
inbound = "drop"
outbound = "drop"
[[rule]]
name = "web"
action = "pass"
keep_state = true
direction = "outbound"
protocol = "tcp"
destination_port = 8080
[[rule]]
name = "games"
action = "pass"
keep_state = true
protocol = "udp"
destination_port = "9000-9100"
)";

Locations locations() {
    return {.bpffs = lab::bpffs(), .run_dir = lab::scratch() / "run"};
}

class StateNet : public testing::TestWithParam<lab::WorldKind> {
  protected:
    void SetUp() override {
        auto world = lab::World::create({.mode = mode(), .middle = lab::Middle::bare});
        ASSERT_OK(world);
        world_.emplace(std::move(*world));
        const auto file = lab::scratch() / "state-rules.toml";
        ASSERT_OK(lab::write_text(file, rules));
        ASSERT_OK(stemctl({"attach", "--external", lab::external_port, "--internal", lab::internal_port,
                           "--mode", mode() == Mode::bridge ? "bridge" : "router", "--rules", file.string(),
                           "--max-states", std::to_string(room), "--fallback", "open"}));
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
    [[nodiscard]] Endpoint outside(std::uint16_t port) const {
        return {world_->outside_address(lab::host::first_caller, family()), port};
    }
    [[nodiscard]] Endpoint inside(std::uint16_t port, unsigned host = lab::host::first_phone) const {
        return {world_->inside_address(host, family()), port};
    }

    static Instance instance() { return Instance::open(locations(), "default").value(); }
    static std::uint64_t counted(stem_reason reason, stem_direction direction) {
        const auto rows = read_counters(instance());
        for (const CounterRow& row : rows.value()) {
            if (row.reason == reason) {
                return row.by_direction[direction].packets;
            }
        }
        return 0;
    }
    static bool rises_to(stem_reason reason, stem_direction direction, std::uint64_t count) {
        return lab::eventually([&] { return counted(reason, direction) >= count; }, 5s);
    }

    std::optional<lab::World> world_;
};

INSTANTIATE_TEST_SUITE_P(Worlds, StateNet, lab::every_world(), lab::name_of_world);

TEST_P(StateNet, CarriesTransfersBothWaysAndRefusesForgeries) {
    auto listener = open_socket(world_->outside(), SOCK_STREAM, outside(service));
    ASSERT_OK(listener);
    auto client = open_socket(world_->inside(), SOCK_STREAM, inside(0), outside(service));
    ASSERT_OK(client);
    const test::Accepted server = accept_from(listener->get());
    ASSERT_TRUE(server.fd);
    constexpr std::size_t large = 20'000'000;
    EXPECT_TRUE(transfer(client->get(), server.fd.get(), large));
    EXPECT_TRUE(transfer(server.fd.get(), client->get(), large));
    EXPECT_EQ(counted(STEM_STATE_WINDOW, STEM_INBOUND), 0U);
    EXPECT_EQ(counted(STEM_STATE_WINDOW, STEM_OUTBOUND), 0U);
    const auto states = list_states(instance());
    ASSERT_OK(states);
    ASSERT_EQ(states->size(), 1U);
    EXPECT_EQ(states->front().value.phase, STEM_STATE_ESTABLISHED);
    EXPECT_EQ(states->front().inside(), server.peer);

    // From outside, as if from the server: a reset and data, out of the window. Sent by the server's host
    // with its own address, so that only the numbers are wrong.
    const std::uint32_t next = states->front().value.end[STEM_INBOUND].end;
    auto wire = test::PacketSocket::open(world_->outside(), lab::outside_port);
    ASSERT_OK(wire);
    const auto forged = [&](std::uint32_t sequence, bool reset) {
        const test::Tcp tcp{.sport = service,
                            .dport = server.peer.port,
                            .sequence = sequence,
                            .acknowledged = states->front().value.end[STEM_OUTBOUND].end,
                            .ack = true,
                            .rst = reset};
        const test::Mac everyone{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
        const test::Packet link = test::Ethernet{.dst = everyone};
        const Endpoint from = outside(service);
        return (family() == Family::v4 ? link / test::IPv4{.src = from.address, .dst = server.peer.address}
                                       : link / test::IPv6{.src = from.address, .dst = server.peer.address}) /
               tcp / test::Payload{test::Bytes(reset ? 0 : 10)};
    };
    ASSERT_TRUE(wire->send(forged(next + 0x10000000, true).bytes()));
    ASSERT_TRUE(wire->send(forged(next - 0x10000000, true).bytes()));
    ASSERT_TRUE(wire->send(forged(next + 0x10000000, false).bytes()));
    EXPECT_TRUE(rises_to(STEM_STATE_WINDOW, STEM_INBOUND, 3));
    EXPECT_TRUE(transfer(client->get(), server.fd.get(), 100'000));
    EXPECT_TRUE(transfer(server.fd.get(), client->get(), 100'000));

    // Nobody comes in, and nothing of before is picked up once it was flushed.
    EXPECT_FALSE(open_socket(world_->outside(), SOCK_STREAM, outside(0), inside(service)));
    ASSERT_OK(stemctl({"states", "flush"}));
    EXPECT_FALSE(transfer(client->get(), server.fd.get(), 1000));
}

TEST_P(StateNet, TellsAClosedPort) {
    // TCP: the reset comes back. UDP: the ICMP error does.
    const auto refused = open_socket(world_->inside(), SOCK_STREAM, inside(0), outside(service));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ECONNREFUSED);
    auto client = open_socket(world_->inside(), SOCK_DGRAM, inside(0), outside(9001));
    ASSERT_OK(client);
    ASSERT_EQ(send(client->get(), "x", 1, 0), 1);
    char octet = 0;
    EXPECT_EQ(recv(client->get(), &octet, 1, 0), -1);
    EXPECT_EQ(errno, ECONNREFUSED);
    EXPECT_EQ(counted(STEM_STATE_RELATED, STEM_INBOUND), 1U);
}

TEST_P(StateNet, FloodsLeaveWhoIsThereAlone) {
    auto listener = open_socket(world_->outside(), SOCK_STREAM, outside(service));
    ASSERT_OK(listener);
    auto client = open_socket(world_->inside(), SOCK_STREAM, inside(0), outside(service));
    ASSERT_OK(client);
    const test::Accepted server = accept_from(listener->get());
    ASSERT_TRUE(server.fd);
    // From outside, from ever new ports, to a rule that keeps state: more than there is room for.
    const std::uint64_t before = counted(STEM_RULE_PASS, STEM_INBOUND);
    for (std::uint32_t i = 0; i < 4 * room; i++) {
        auto flooder = open_socket(world_->outside(), SOCK_DGRAM, outside(0),
                                   inside(static_cast<std::uint16_t>(9000 + (i % 100))));
        ASSERT_OK(flooder);
        (void)send(flooder->get(), "x", 1, 0);
    }
    EXPECT_TRUE(rises_to(STEM_STATE_FULL, STEM_INBOUND, room));
    EXPECT_GT(counted(STEM_RULE_PASS, STEM_INBOUND), before);
    EXPECT_LE(counted(STEM_RULE_PASS, STEM_INBOUND) - before, room);
    EXPECT_TRUE(transfer(client->get(), server.fd.get(), 1'000'000));
    EXPECT_TRUE(transfer(server.fd.get(), client->get(), 1'000'000));
    // The inside still begins connections.
    EXPECT_TRUE(open_socket(world_->inside(), SOCK_STREAM, inside(0), outside(service)));
}

// Without a stemd, and with the fallback open.
TEST_P(StateNet, SteersTcpToTheProxy) {
    const Endpoint proxy = inside(5080, lab::host::proxy);
    auto listener = open_socket(world_->inside(), SOCK_STREAM, proxy);
    ASSERT_OK(listener);
    ASSERT_OK(stemctl({"proxy", "set", proxy.to_string()}));
    if (mode() == Mode::bridge) { // its link address is learned from whatever it says
        auto talk = open_socket(world_->inside(), SOCK_DGRAM, inside(0, lab::host::proxy), outside(9));
        ASSERT_OK(talk);
        (void)send(talk->get(), "x", 1, 0);
        ASSERT_TRUE(lab::eventually(
            [&] {
                const auto shown = stemctl({"proxy", "show"});
                return shown && shown->find("learned") != std::string::npos;
            },
            5s));
    }
    auto client = open_socket(world_->outside(), SOCK_STREAM, outside(0), inside(5060));
    ASSERT_OK(client);
    const test::Accepted server = accept_from(listener->get());
    ASSERT_TRUE(server.fd);
    EXPECT_EQ(server.peer.address, outside(0).address);
    EXPECT_TRUE(transfer(client->get(), server.fd.get(), 5'000'000));
    EXPECT_TRUE(transfer(server.fd.get(), client->get(), 5'000'000));
    EXPECT_EQ(counted(STEM_STATE_WINDOW, STEM_INBOUND), 0U);
    const auto states = list_states(instance());
    ASSERT_OK(states);
    ASSERT_EQ(states->size(), 1U);
    EXPECT_EQ(states->front().inside(), inside(5060));
    EXPECT_EQ(states->front().proxy(), proxy);
    // Without a proxy it goes where it was sent, and nobody listens there.
    ASSERT_OK(stemctl({"proxy", "clear"}));
    EXPECT_FALSE(open_socket(world_->outside(), SOCK_STREAM, outside(0), inside(5060)));
    EXPECT_TRUE(transfer(client->get(), server.fd.get(), 100'000)) << "what is up stays";
}

} // namespace
} // namespace stem::kernel
