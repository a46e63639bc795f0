// SPDX-License-Identifier: Apache-2.0
// stemctl deny with traffic, stemd away: streams, flows, and those whom the data plane blocked for a flood.
#include "ctl/kernel/instance.h"
#include "lab/enclosure.h"
#include "lab/process.h"
#include "lab/socket_address.h"
#include "lab/world.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

namespace stem::stemctl {
namespace {

using namespace std::chrono_literals;
using lab::Family;
using testing::HasSubstr;
using testing::Not;

constexpr auto patience = 60s;
constexpr std::uint16_t phone_port = 40000;
constexpr std::uint16_t sip_port = 5060;
constexpr std::uint16_t media_port = 9998;

struct Outcome {
    int code = -1;
    std::string out;
    std::string err;

    [[nodiscard]] boost::json::object json() const {
        boost::json::error_code status;
        const auto value = boost::json::parse(out, status);
        EXPECT_FALSE(status) << out << err;
        return value.is_object() ? value.as_object() : boost::json::object{};
    }
};

kernel::Locations locations() {
    return {.bpffs = lab::bpffs(), .run_dir = lab::scratch() / "run"};
}

class Deny : public testing::TestWithParam<Family> {
  protected:
    void SetUp() override {
        auto world = lab::World::create({.mode = lab::Mode::bridge, .middle = lab::Middle::bare});
        ASSERT_TRUE(world) << world.error().message();
        world_.emplace(std::move(*world));
        caller_ = world_->outside_address(lab::host::first_caller, GetParam());
        phone_ = world_->inside_address(lab::host::first_phone, GetParam());
        auto from = lab::bind_udp(world_->outside(), {caller_, phone_port});
        auto beside = lab::bind_udp(world_->outside(), {caller_, phone_port + 1});
        auto to = lab::bind_udp(world_->inside(), {phone_, media_port});
        ASSERT_TRUE(from && beside && to);
        outside_ = std::move(*from);
        beside_ = std::move(*beside);
        inside_ = std::move(*to);
        ASSERT_EQ(run({"attach", "--external", lab::external_port, "--internal", lab::internal_port}).code,
                  0);
    }

    void TearDown() override {
        if (world_ && std::filesystem::exists(locations().pins("default"))) {
            EXPECT_EQ(run({"detach", "--force"}).code, 0);
        }
    }

    Outcome run(const std::vector<std::string>& arguments) const {
        std::vector<std::string> argv = {STEM_STEMCTL};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        auto process = lab::Process::start(
            {.name = "stemctl",
             .argv = std::move(argv),
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
    // Refused with exit code 1, and with `says` on stderr and in the JSON error.
    void expect_refused(std::vector<std::string> arguments, const std::string& says) const {
        arguments.emplace_back("--json");
        const auto outcome = run(arguments);
        EXPECT_EQ(outcome.code, 1) << outcome.out << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr(says));
        const auto json = outcome.json();
        ASSERT_TRUE(json.contains("error")) << outcome.out;
        EXPECT_FALSE(json.at("error").at("remedy").as_string().empty()) << outcome.out;
    }

    static kernel::Instance instance() { return *kernel::Instance::open(locations(), "default"); }
    static void set_thresholds(const std::function<void(stem_thresholds&)>& change) {
        const auto map = instance().thresholds();
        ASSERT_TRUE(map);
        auto limits = *map->get(0);
        ASSERT_TRUE(limits);
        change(*limits);
        ASSERT_TRUE(map->put(0, *limits));
    }

    void send(const UniqueFd& socket, std::uint16_t port, std::string_view bytes) const {
        const auto address = lab::to_socket_address({phone_, port});
        ASSERT_EQ(::sendto(socket.get(), bytes.data(), bytes.size(), 0,
                           reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
                  static_cast<ssize_t>(bytes.size()));
    }
    void send_sip(const UniqueFd& socket, const std::string& method = "OPTIONS") const {
        send(socket, sip_port, method + " sip:bob@example.net SIP/2.0\r\n\r\n");
    }
    // A SYN, and no more.
    void knock() const {
        const auto opened = world_->outside().run([&]() -> Result<UniqueFd> {
            UniqueFd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            const int off = 0;
            ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
            const auto from = lab::to_socket_address({caller_, 0});
            const auto to = lab::to_socket_address({phone_, sip_port});
            if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0 ||
                (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0 &&
                 errno != EINPROGRESS)) {
                return fail_errno("connect");
            }
            return socket;
        });
        ASSERT_TRUE(opened) << opened.error().message();
    }
    // What comes to the inside's media port within the time.
    [[nodiscard]] std::string receive(std::chrono::milliseconds time) const {
        pollfd readable{.fd = inside_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&readable, 1, static_cast<int>(time.count())) != 1) {
            return {};
        }
        std::string bytes(2048, '\0');
        const ssize_t length = ::recv(inside_.get(), bytes.data(), bytes.size(), 0);
        bytes.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
        return bytes;
    }

    [[nodiscard]] std::int64_t dropped(std::string_view reason) const {
        const auto output = run({"drops", "--json"}).json();
        for (const auto& row : output.at("reasons").as_array()) {
            if (row.at("reason").as_string() == boost::json::string_view(reason)) {
                return row.at("inbound").at("packets").to_number<std::int64_t>();
            }
        }
        return 0;
    }
    [[nodiscard]] bool reaches(std::string_view reason, std::int64_t packets) const {
        return lab::eventually([&] { return dropped(reason) >= packets; }, patience) &&
               dropped(reason) == packets;
    }
    [[nodiscard]] boost::json::array listed(const std::vector<std::string>& filter = {}) const {
        std::vector<std::string> arguments = {"deny", "list", "--json"};
        arguments.insert(arguments.end(), filter.begin(), filter.end());
        return run(arguments).json().at("deny").as_array();
    }
    [[nodiscard]] std::string stream(std::uint16_t sport = phone_port) const {
        return "stream:udp:" + Endpoint{caller_, sport}.to_string() + "-" +
               Endpoint{phone_, sip_port}.to_string();
    }
    [[nodiscard]] std::string flow() const {
        return "flow:" + Endpoint{caller_, phone_port}.to_string() + "-" +
               Endpoint{phone_, media_port}.to_string();
    }

    std::optional<lab::World> world_;
    Address caller_;
    Address phone_;
    UniqueFd outside_;
    UniqueFd beside_;
    UniqueFd inside_;
};

INSTANTIATE_TEST_SUITE_P(Families, Deny, testing::Values(Family::v4, Family::v6),
                         [](const auto& family) { return family.param == Family::v4 ? "v4" : "v6"; });

TEST_P(Deny, AStreamAndNotItsNeighbour) {
    send_sip(outside_);
    ASSERT_TRUE(reaches("controller_away", 1));
    EXPECT_THAT(run({"deny", "add", stream(), "--note", "toll fraud"}).out, HasSubstr("added"));
    send_sip(outside_);
    EXPECT_TRUE(reaches("sip_stream_blocked", 1));
    send_sip(beside_);
    EXPECT_TRUE(reaches("controller_away", 2));

    const auto list = listed();
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(list[0].at("target").as_string(), stream());
    EXPECT_EQ(list[0].at("kind"), "stream");
    EXPECT_EQ(list[0].at("origin"), "operator");
    EXPECT_EQ(list[0].at("note"), "toll fraud");
    EXPECT_EQ(list[0].at("packets"), 1);
    EXPECT_TRUE(list[0].at("bytes").is_null());
    EXPECT_TRUE(list[0].at("remaining_seconds").is_null()) << "for ever";
    EXPECT_EQ(listed({"--kind", "stream", "--by", "operator"}).size(), 1U);
    EXPECT_TRUE(listed({"--kind", "flow", "address", "network"}).empty());
    EXPECT_TRUE(listed({"--by", "sm"}).empty());
    EXPECT_THAT(run({"deny", "list"}).out, HasSubstr("toll fraud"));

    EXPECT_THAT(run({"deny", "add", stream(), "--for", "1h"}).out, HasSubstr("renewed"));
    EXPECT_GT(listed()[0].at("remaining_seconds").to_number<int>(), 3500);
    EXPECT_EQ(listed()[0].at("packets"), 1) << "its counters go on";
    EXPECT_THAT(run({"deny", "del", stream()}).out, HasSubstr("deleted"));
    send_sip(outside_);
    EXPECT_TRUE(reaches("controller_away", 3));
    EXPECT_TRUE(listed().empty());
    const auto again = run({"deny", "del", stream()});
    EXPECT_EQ(again.code, 1);
    EXPECT_THAT(again.out, HasSubstr("not listed"));
}

TEST_P(Deny, AFlowThatIsOpen) {
    expect_refused({"deny", "add", flow()}, "no such flow is open");
    stem_flow_key key{};
    key.src = caller_.raw();
    key.dst = phone_.raw();
    key.sport = phone_port;
    key.dport = media_port;
    key.direction = STEM_INBOUND;
    key.protocol = IPPROTO_UDP;
    stem_flow open{};
    open.kind = STEM_FLOW_RTP;
    open.payload_types[0] = 1;
    open.ns_per_packet = open.ns_per_kib = 1;
    open.bytes_burst_ns = open.packets_burst_ns = 1'000'000'000;
    open.min_payload = 12;
    open.max_payload = 1200;
    ASSERT_TRUE(instance().flows()->put(key, open));
    const std::string back =
        "flow:" + Endpoint{phone_, media_port}.to_string() + "-" + Endpoint{caller_, phone_port}.to_string();
    expect_refused({"deny", "add", back}, "other direction: " + flow());

    std::uint8_t sequence = 0;
    const auto rtp = [&] {
        std::string packet(172, '\x7f');
        packet.replace(0, 12, std::string("\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07", 12));
        packet[3] = static_cast<char>(++sequence);
        return packet;
    };
    send(outside_, media_port, rtp());
    ASSERT_EQ(receive(5000ms).size(), 172U);
    expect_refused({"deny", "add", flow(), "--note", "twenty-four octets of it"}, "room for 23");
    ASSERT_EQ(run({"deny", "add", flow(), "--for", "1h", "--note", "injected"}).code, 0);
    send(outside_, media_port, rtp());
    EXPECT_TRUE(reaches("flow_denied", 1));
    EXPECT_EQ(receive(100ms), "");

    const auto list = listed({"--kind", "flow"});
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(list[0].at("target").as_string(), flow());
    EXPECT_EQ(list[0].at("origin"), "operator");
    EXPECT_EQ(list[0].at("note"), "injected");
    EXPECT_EQ(list[0].at("packets"), 1);
    EXPECT_GT(list[0].at("remaining_seconds").to_number<int>(), 3500);
    EXPECT_TRUE(list[0].at("added_seconds_ago").is_null());
    EXPECT_EQ(run({"flows", "--json"}).json().at("flows").at(0).at("state"), "denied");
    EXPECT_EQ(instance().flows()->get(key)->value_or(stem_flow{}).packets, 1U)
        << "what the data plane counts in the entry goes on";

    ASSERT_EQ(run({"deny", "del", flow()}).code, 0);
    send(outside_, media_port, rtp());
    EXPECT_EQ(receive(5000ms).size(), 172U);
    EXPECT_EQ(run({"deny", "del", flow()}).code, 1);
}

TEST_P(Deny, WhoFloodedIsShownAndLetInAgain) {
    set_thresholds([](stem_thresholds& limits) {
        limits.syn_rate = limits.syn_burst = limits.syn_block_multiple = 1;
        limits.sip_options = 1;
        limits.sip_stream_invites = 1;
        limits.sip_block_multiple = 1;
        limits.sip_interval = 1000;
        limits.sip_block = 600;
    });
    const std::string site = GetParam() == Family::v4 ? caller_.to_string() : "2001:db8:1::/64";
    for (int i = 0; i < 20; i++) {
        knock();
        send_sip(outside_, "INVITE");
    }
    for (int i = 0; i < 20; i++) {
        send_sip(beside_);
    }
    ASSERT_TRUE(lab::eventually([&] { return listed().size() == 3; }, patience)) << run({"deny", "list"}).out;
    const auto syn = listed({"--by", "syn_monitor"});
    ASSERT_EQ(syn.size(), 1U);
    EXPECT_EQ(syn[0].at("target").as_string(), site);
    EXPECT_THAT(std::string(syn[0].at("reason").as_string()), HasSubstr("flood of SYNs, strike 1"));
    const auto streams = listed({"--by", "signalling_monitor", "--kind", "stream"});
    ASSERT_EQ(streams.size(), 1U);
    EXPECT_EQ(streams[0].at("target").as_string(), stream());
    EXPECT_GT(streams[0].at("packets").to_number<int>(), 0);
    EXPECT_THAT(std::string(streams[0].at("reason").as_string()), HasSubstr("flood of INVITEs"));
    const auto sources = listed({"--by", "signalling_monitor", "--kind", "address"});
    ASSERT_EQ(sources.size(), 1U);
    EXPECT_EQ(sources[0].at("target").as_string(), caller_.to_string());
    EXPECT_THAT(std::string(sources[0].at("reason").as_string()), HasSubstr("flood of signalling"));

    set_thresholds([](stem_thresholds& limits) { limits.sip_options = limits.sip_stream_invites = 1000; });
    const auto deleted = run({"deny", "del", caller_.to_string()});
    EXPECT_EQ(deleted.code, 0) << deleted.err;
    EXPECT_TRUE(listed({"--kind", "address", "--by", "signalling_monitor"}).empty());
    const auto away = dropped("controller_away");
    send_sip(beside_);
    EXPECT_TRUE(reaches("controller_away", away + 1));
    if (GetParam() == Family::v6) {
        EXPECT_THAT(deleted.err, HasSubstr("stemctl deny del 2001:db8:1::/64"));
        const auto hint = run({"deny", "del", caller_.to_string(), "--json"});
        EXPECT_EQ(hint.code, 1);
        EXPECT_EQ(hint.json().at("sources").at(0).at("still_denied").at(0).at("target").as_string(), site);
        EXPECT_EQ(run({"deny", "del", site}).code, 0);
    } else {
        EXPECT_EQ(deleted.err, "");
    }
    EXPECT_EQ(run({"deny", "del", stream()}).code, 0);
    EXPECT_TRUE(listed().empty());
}

TEST_P(Deny, AFullTableIsTold) {
    const auto map = kernel::BlockedStreamMap::open(instance().pin("sip_blocked"));
    ASSERT_TRUE(map);
    for (std::uint64_t id = 1; id <= map->shape().max_entries; id++) {
        ASSERT_TRUE(map->put(id, {.until_ns = STEM_FOR_EVER, .strikes = 1}));
    }
    EXPECT_THAT(run({"status"}).out, HasSubstr("signalling streams, FULL"));
    expect_refused({"deny", "add", stream()}, "the table of signalling streams is full");
    const auto status = run({"status", "--json"}).json().at("deny_tables");
    EXPECT_EQ(status.at("streams").at("full"), true);
    EXPECT_EQ(status.at("streams").at("used"), status.at("streams").at("capacity"));
    EXPECT_EQ(status.at("streams").at("refused"), 1);
    for (const char* table : {"addresses", "networks", "syn_sources", "signalling_sources"}) {
        EXPECT_EQ(status.at(table).at("full"), false) << table;
        EXPECT_EQ(status.at(table).at("used"), 0) << table;
        EXPECT_EQ(status.at(table).at("refused"), 0) << table;
    }
    // Blocks that the data plane finds no room for are counted in the same place.
    set_thresholds([](stem_thresholds& limits) { limits.sip_stream_invites = 1; });
    for (int i = 0; i < 40; i++) {
        send_sip(outside_, "INVITE");
    }
    EXPECT_TRUE(lab::eventually(
        [&] {
            return run({"status", "--json"})
                       .json()
                       .at("deny_tables")
                       .at("streams")
                       .at("refused")
                       .to_number<int>() > 1;
        },
        patience));
    // Blocks that are over, and only remembered, give way.
    for (const std::uint64_t over : {1U, 2U}) {
        ASSERT_TRUE(map->put(over, {.until_ns = 1, .strikes = 1}));
    }
    EXPECT_EQ(run({"deny", "add", stream()}).code, 0);
    EXPECT_THAT(run({"status"}).out, Not(HasSubstr("FULL")));
}

TEST_P(Deny, WrongTargetsChangeNothing) {
    expect_refused({"deny", "add", "198.51.100.9", "stream:udp:198.51.100.7:5060"}, "two ends");
    expect_refused({"deny", "add", "flow:2001:db8::7:4000-2001:db8::5:1"}, "without brackets");
    expect_refused({"deny", "del", "stream:sctp:198.51.100.7:1-203.0.113.5:1"}, "neither udp nor tcp");
    EXPECT_TRUE(listed().empty());
    EXPECT_EQ(run({"deny", "list", "--by", "nobody"}).code, 2);
    EXPECT_EQ(run({"deny", "add"}).code, 2);
}

} // namespace
} // namespace stem::stemctl
