// SPDX-License-Identifier: Apache-2.0
// What is denied beside addresses: signalling streams, sources of floods, media flows. Blocks that no traffic
// can push out, and tables that say so when they are full.
#include "signalling.h"

#include <netinet/in.h>
#include <sched.h>

#include <cerrno>
#include <system_error>

namespace stem::test {
namespace {

class Blocks : public testing::TestWithParam<Shape> {
  protected:
    [[nodiscard]] static Path path() { return {.shape = GetParam(), .direction = STEM_INBOUND}; }
};
INSTANTIATE_TEST_SUITE_P(Families, Blocks, testing::Values(Shape::v4, Shape::v6),
                         [](const auto& family) { return name_of(family.param); });

// Moves this thread from one CPU to the next: what is new in an LRU map belongs to its CPU for a while.
class EveryCpu {
  public:
    EveryCpu() {
        if (sched_getaffinity(0, sizeof(before_), &before_) != 0) {
            throw std::system_error(errno, std::generic_category(), "ask for this thread's CPUs");
        }
        for (std::size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            if (CPU_ISSET(cpu, &before_)) {
                cpus_.push_back(cpu);
            }
        }
    }
    ~EveryCpu() { (void)sched_setaffinity(0, sizeof(before_), &before_); }
    EveryCpu(const EveryCpu&) = delete;
    EveryCpu& operator=(const EveryCpu&) = delete;

    void take(int turn) const {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpus_[static_cast<std::size_t>(turn) % cpus_.size()], &one);
        if (sched_setaffinity(0, sizeof(one), &one) != 0) {
            throw std::system_error(errno, std::generic_category(), "move to a CPU");
        }
    }

  private:
    cpu_set_t before_{};
    std::vector<std::size_t> cpus_;
};

// One of four thousand million.
Address stranger(const Path& path, std::uint32_t number) {
    const auto octet = [&](unsigned shift) { return static_cast<std::uint8_t>(number >> shift); };
    if (path.is_v6()) {
        return Address::v6(
            {0x20, 0x01, 0x0d, 0xb9, octet(24), octet(16), octet(8), octet(0), 0, 0, 0, 0, 0, 0, 0, 1});
    }
    return Address::v4({100, static_cast<std::uint8_t>(64 + octet(16) % 64), octet(8), octet(0)});
}

// Sends from others, as many as it takes for the source's budget to be pushed out of its map. They are let
// through, so that each has an entry, and one that is in use.
void push_out_budget(const SteeringPlane& plane, const Path& path, const Address& source,
                     std::uint32_t prefix_length) {
    constexpr std::uint32_t at_once = 16384;
    constexpr int most = 64;
    const stem_thresholds limits = plane->thresholds();
    stem_thresholds wide = limits;
    wide.sip_unknown_registers = 10'000'000;
    wide.sip_unknown_bytes = 4'000'000'000;
    wide.sip_interval = 60'000;
    plane->set_thresholds(wide);
    const EveryCpu cpus;
    std::uint32_t number = 0;
    for (int round = 0; plane->has_budget(source, prefix_length); round++) {
        ASSERT_LT(round, most) << "it is still there";
        cpus.take(round);
        for (std::uint32_t i = 0; i < at_once; i++) {
            const Packet packet = from_address(path, stranger(path, number++), sip_of("REGISTER"));
            ASSERT_EQ(plane->run(STEM_INBOUND, packet.bytes()).action, XDP_REDIRECT);
        }
    }
    plane->set_thresholds(limits);
}

stem_sip_blocked denied_by_operator(const Path& path, std::uint64_t until_ns = STEM_FOR_EVER) {
    stem_sip_blocked entry{};
    entry.until_ns = until_ns;
    entry.src = path.src().raw();
    entry.dst = path.dst().raw();
    entry.sport = phone_port;
    entry.dport = sip_port;
    entry.protocol = 17;
    entry.origin = STEM_DENY_OPERATOR;
    std::string_view("toll fraud").copy(entry.note, sizeof(entry.note) - 1);
    return entry;
}

// Two phones behind one address, each with a call whose media carry the name of its signalling.
struct TwoPhones {
    TwoPhones(DataPlane& plane, const Path& from) : path(from) {
        stem_flow flow = wide_flow();
        flow.stream = stream_of(path);
        plane.set_flow(media_key(path), flow);
        stem_flow_key beside = media_key(path);
        beside.sport += 2;
        flow.stream = stream_of(path, phone_port + 1);
        plane.set_flow(beside, flow);
    }
    Path path;
    Packet audio = media(path, Rtp{});
    Packet other_audio = path / (Udp{.sport = media_sport + 2, .dport = media_dport} / Packet(Rtp{}));
    Packet request = from_phone(path, sip_of("OPTIONS"));
    Packet other_request = from_phone(path, sip_of("OPTIONS"), phone_port + 1);
};

TEST_P(Blocks, AStreamThatAnOperatorDeniedIsSilentAndItsNeighbourIsNot) {
    const SteeringPlane plane;
    const TwoPhones phones(*plane, path());
    expect(*plane, STEM_INBOUND, phones.audio, forwarded(STEM_FLOW));
    expect(*plane, STEM_INBOUND, phones.request, steered(STEM_STEER_SIP));
    plane->put_blocked(stream_of(path()), denied_by_operator(path()));
    expect(*plane, STEM_INBOUND, phones.audio, dropped(STEM_SIP_STREAM_BLOCKED));
    expect(*plane, STEM_INBOUND, phones.request, dropped(STEM_SIP_STREAM_BLOCKED));
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_response()), dropped(STEM_SIP_STREAM_BLOCKED));
    EXPECT_EQ(plane->blocked(stream_of(path()))->packets, 3U);
    expect(*plane, STEM_INBOUND, phones.other_audio, forwarded(STEM_FLOW));
    expect(*plane, STEM_INBOUND, phones.other_request, steered(STEM_STEER_SIP));
    plane->advance(400ULL * 24 * 3600 * seconds); // for ever
    expect(*plane, STEM_INBOUND, phones.request, dropped(STEM_SIP_STREAM_BLOCKED));
}

TEST_P(Blocks, AStreamMayBeAConnection) {
    const SteeringPlane plane;
    const stem_addr src = path().src().raw();
    const stem_addr dst = path().dst().raw();
    plane->put_blocked(stem_stream_id(0, &src, phone_port, &dst, sip_port, IPPROTO_TCP),
                       denied_by_operator(path()));
    const auto segment = [&](std::uint16_t sport, bool syn) {
        return path() / (Tcp{.sport = sport, .dport = sip_port, .syn = syn, .ack = !syn} /
                         Payload{Bytes(syn ? 0 : 40)});
    };
    expect(*plane, STEM_INBOUND, segment(phone_port, true), dropped(STEM_SIP_STREAM_BLOCKED));
    expect(*plane, STEM_INBOUND, segment(phone_port, false), dropped(STEM_SIP_STREAM_BLOCKED));
    expect(*plane, STEM_INBOUND, segment(phone_port + 1, false), steered(STEM_STEER_SIP));
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("OPTIONS")), steered(STEM_STEER_SIP)); // UDP's
}

// Trunks are never blocked for what they send; but an operator's word stands.
TEST_P(Blocks, AnOperatorMayDenyATrunksStream) {
    const SteeringPlane plane;
    plane->set_peer(path().src(), {.phones = 1, .kinds = STEM_PEER_TRUNK});
    plane->put_blocked(stream_of(path()), denied_by_operator(path()));
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("INVITE")), dropped(STEM_SIP_STREAM_BLOCKED));
}

TEST_P(Blocks, AnInviteFloodDoesNotShortenAnOperatorsDenial) {
    const SteeringPlane plane;
    const auto blocks = [&] { return plane->sip_count(STEM_SIP_KIND_INVITE, STEM_INBOUND).stream_blocks; };
    const std::uint64_t blocks_before = blocks();
    const std::uint64_t until = plane->now() + 7 * 24 * 3600 * seconds;
    plane->put_blocked(stream_of(path()), denied_by_operator(path(), until));
    EXPECT_EQ(plane.send(path(), from_phone(path(), sip_of("INVITE")), 200).reason, STEM_SIP_STREAM_BLOCKED);
    const auto entry = plane->blocked(stream_of(path()));
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->until_ns, until);
    EXPECT_EQ(entry->origin, STEM_DENY_OPERATOR);
    EXPECT_STREQ(entry->note, "toll fraud");
    EXPECT_EQ(entry->packets, 200U);
    EXPECT_EQ(blocks(), blocks_before);
    // Once it is over, the monitor's own block is the monitor's.
    plane->set_time(until);
    EXPECT_EQ(plane.send(path(), from_phone(path(), sip_of("INVITE")), 11).passed, 10);
    const auto after = plane->blocked(stream_of(path()));
    EXPECT_EQ(after->until_ns, until + 60 * seconds);
    EXPECT_EQ(after->origin, STEM_DENY_SIGNALLING_MONITOR);
    EXPECT_STREQ(after->note, "");
    EXPECT_EQ(blocks(), blocks_before + 1);
}

TEST_P(Blocks, AFullTableOfStreamsHoldsToTheBudgetAndCounts) {
    const SteeringPlane plane;
    const auto before = plane->sip_count(STEM_SIP_KIND_INVITE, STEM_INBOUND);
    plane->fill_blocked_streams();
    const Packet invite = from_phone(path(), sip_of("INVITE"));
    const auto sent = plane.send(path(), invite, 15);
    EXPECT_EQ(sent.passed, 10);
    EXPECT_EQ(sent.reason, STEM_SIP_INVITE_RATE);
    expect(*plane, STEM_INBOUND, invite, dropped(STEM_SIP_INVITE_RATE));
    EXPECT_FALSE(plane->blocked(stream_of(path())));
    const auto after = plane->sip_count(STEM_SIP_KIND_INVITE, STEM_INBOUND);
    EXPECT_EQ(after.streams_not_blocked - before.streams_not_blocked, 6U);
    EXPECT_EQ(after.stream_blocks, before.stream_blocks);
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("REGISTER")), steered(STEM_STEER_SIP));
}

// 65,536 other sources and more do not free one that is blocked.
TEST_P(Blocks, ABlockedSourceCannotPushItsBlockOut) {
    const SteeringPlane plane;
    const auto before = plane->sip_count(STEM_SIP_KIND_REGISTER, STEM_INBOUND);
    const Packet request = from_phone(path(), sip_of("REGISTER"));
    EXPECT_EQ(plane.send(path(), request, 300).passed, 30);
    expect(*plane, STEM_INBOUND, request, dropped(STEM_SIP_SOURCE_BLOCKED));
    const auto block = plane->blocked_source(path().src(), 128);
    ASSERT_TRUE(block);
    EXPECT_EQ(block->until_ns, plane->now() + 60 * seconds);
    EXPECT_EQ(block->since_ns, plane->now());
    EXPECT_EQ(block->strikes, 1U);
    const auto after = plane->sip_count(STEM_SIP_KIND_REGISTER, STEM_INBOUND);
    EXPECT_EQ(after.source_blocks - before.source_blocks, 1U);
    EXPECT_EQ(after.sources_not_kept, before.sources_not_kept);

    ASSERT_NO_FATAL_FAILURE(push_out_budget(plane, path(), path().src(), 128));
    expect(*plane, STEM_INBOUND, request, dropped(STEM_SIP_SOURCE_BLOCKED));
    expect(*plane, STEM_INBOUND, request, dropped(STEM_SIP_SOURCE_BLOCKED));
    EXPECT_EQ(plane->blocked_source(path().src(), 128)->packets, block->packets + 2);
    expect(*plane, STEM_INBOUND, from_address(path(), another(path(), 1), sip_of("REGISTER")),
           steered(STEM_STEER_SIP));
    // Its time is up; and if it begins again, the strikes are remembered, too.
    plane->advance(60 * seconds);
    ASSERT_NO_FATAL_FAILURE(push_out_budget(plane, path(), path().src(), 128));
    EXPECT_EQ(plane.send(path(), request, 300).passed, 30);
    expect(*plane, STEM_INBOUND, request, dropped(STEM_SIP_SOURCE_BLOCKED));
    EXPECT_EQ(plane->blocked_source(path().src(), 128)->until_ns, plane->now() + 120 * seconds);
    EXPECT_EQ(plane->blocked_source(path().src(), 128)->strikes, 2U);
}

TEST_P(Blocks, AFullTableOfSourcesStillBlocksAndCounts) {
    const SteeringPlane plane;
    const auto before = plane->sip_count(STEM_SIP_KIND_REGISTER, STEM_INBOUND);
    plane->fill_blocked_sources();
    const Packet request = from_phone(path(), sip_of("REGISTER"));
    EXPECT_EQ(plane.send(path(), request, 300).passed, 30);
    expect(*plane, STEM_INBOUND, request, dropped(STEM_SIP_SOURCE_BLOCKED));
    expect(*plane, STEM_INBOUND, request, dropped(STEM_SIP_SOURCE_BLOCKED));
    EXPECT_FALSE(plane->blocked_source(path().src(), 128));
    const auto after = plane->sip_count(STEM_SIP_KIND_REGISTER, STEM_INBOUND);
    EXPECT_EQ(after.source_blocks - before.source_blocks, 1U);
    EXPECT_EQ(after.sources_not_kept - before.sources_not_kept, 1U);
}

TEST(BlocksV6, ASlash64IsBlockedAndStaysSo) {
    stem_thresholds limits = small_budgets();
    limits.sip_prefix_factor = 2;
    limits.sip_block_multiple = 1;
    const SteeringPlane plane(limits);
    const Path path{.shape = Shape::v6, .direction = STEM_INBOUND};
    const auto neighbour = [](int number) { return ip("2001:db8:7::" + std::to_string(number)); };
    int passed = 0;
    for (int i = 1; i <= 61; i++) {
        passed += plane.send(path, from_address(path, neighbour(i), sip_of("REGISTER")), 1).passed;
    }
    EXPECT_EQ(passed, 60);
    ASSERT_TRUE(plane->blocked_source(neighbour(1), 64));
    EXPECT_FALSE(plane->blocked_source(neighbour(1), 128));
    ASSERT_NO_FATAL_FAILURE(push_out_budget(plane, path, neighbour(1), 64));
    expect(*plane, STEM_INBOUND, from_address(path, neighbour(77), sip_of("OPTIONS")),
           dropped(STEM_SIP_SOURCE_BLOCKED));
    EXPECT_EQ(plane->blocked_source(neighbour(1), 64)->packets, 1U);
    expect(*plane, STEM_INBOUND, from_address(path, ip("2001:db8:8::1"), sip_of("OPTIONS")),
           steered(STEM_STEER_SIP));
}

TEST_P(Blocks, ADeniedFlowIsSilentUntilItsTime) {
    DataPlane& plane = DataPlane::with();
    const Packet audio = media(path(), Rtp{});
    EXPECT_FALSE(plane.deny_flow(media_key(path()), STEM_FOR_EVER, STEM_DENY_OPERATOR, "x"));
    EXPECT_FALSE(plane.has_flow(media_key(path())));
    plane.set_flow(media_key(path()), wide_flow());
    stem_flow_key beside = media_key(path());
    beside.sport += 2;
    plane.set_flow(beside, wide_flow());
    expect(plane, STEM_INBOUND, audio, forwarded(STEM_FLOW));

    const std::uint64_t until = plane.now() + 10 * seconds;
    ASSERT_TRUE(plane.deny_flow(media_key(path()), until, STEM_DENY_OPERATOR, "listening in"));
    expect(plane, STEM_INBOUND, audio, dropped(STEM_FLOW_DENIED));
    expect(plane, STEM_INBOUND, audio, dropped(STEM_FLOW_DENIED));
    const stem_flow flow = plane.flow_of(media_key(path()));
    EXPECT_EQ(flow.denied_until_ns, until);
    EXPECT_EQ(flow.denied_by, STEM_DENY_OPERATOR);
    EXPECT_STREQ(flow.denied_note, "listening in");
    EXPECT_EQ(flow.faults[STEM_FAULT_DENIED], 2U);
    EXPECT_EQ(flow.packets, 1U) << "what the data plane keeps in the entry goes on";
    EXPECT_EQ(flow.payload_types[0], wide_flow().payload_types[0]);
    expect(plane, STEM_INBOUND,
           path() / (Udp{.sport = media_sport + 2, .dport = media_dport} / Packet(Rtp{})),
           forwarded(STEM_FLOW));
    plane.set_time(until - 1);
    expect(plane, STEM_INBOUND, audio, dropped(STEM_FLOW_DENIED));
    plane.set_time(until);
    expect(plane, STEM_INBOUND, audio, forwarded(STEM_FLOW));

    ASSERT_TRUE(plane.deny_flow(media_key(path()), STEM_FOR_EVER, STEM_DENY_OPERATOR, ""));
    plane.advance(400ULL * 24 * 3600 * seconds);
    expect(plane, STEM_INBOUND, audio, dropped(STEM_FLOW_DENIED));
    ASSERT_TRUE(plane.deny_flow(media_key(path()), 0, STEM_DENY_OPERATOR, ""));
    plane.advance(20 * milliseconds);
    expect(plane, STEM_INBOUND, media(path(), Rtp{.sequence = 2}), forwarded(STEM_FLOW));
}

} // namespace
} // namespace stem::test
