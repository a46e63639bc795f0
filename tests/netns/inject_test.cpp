// SPDX-License-Identifier: Apache-2.0
// Packets handed to the kernel's stack leave where its routes say:  box/ext0 ── outside/out0
#include "../unit/frame_samples.h"
#include "packet_socket.h"

#include <ctl/frame/build.h>
#include <ctl/frame/inject.h>

#include <gtest/gtest.h>

#include <optional>

namespace stem::frame {
namespace {

using test::Octets;
using test::PacketSocket;
using test::Sample;

class Inject : public testing::Test {
  protected:
    void SetUp() override {
        for (const char* name : {"box", "outside"}) {
            auto netns = lab::Netns::create(name);
            ASSERT_TRUE(netns) << netns.error().message();
            netns_.push_back(std::move(*netns));
        }
        const auto made = lab::connect({netns_[1], "out0"}, {netns_[0], "ext0"});
        ASSERT_TRUE(made) << made.error().message();
        // The gateway does not exist, so that nothing but the injector makes it seen.
        const auto box =
            netns_[0].ip("link set ext0 up\n"
                         "addr add 203.0.113.1/24 dev ext0\n"
                         "addr add 2001:db8:113::1/64 dev ext0\n"
                         "neigh add 203.0.113.9 lladdr 02:00:00:00:00:09 dev ext0 nud permanent\n"
                         "neigh add 2001:db8:113::9 lladdr 02:00:00:00:00:09 dev ext0 nud permanent\n"
                         "route add 198.51.100.0/24 via 203.0.113.9\n"
                         "route add 2001:db8:1::/64 via 2001:db8:113::9\n");
        ASSERT_TRUE(box) << box.error().message();
        const auto outside = netns_[1].ip("link set out0 up\n");
        ASSERT_TRUE(outside) << outside.error().message();
        auto cable = PacketSocket::open(netns_[1], "out0");
        ASSERT_TRUE(cable) << cable.error().message();
        cable_.emplace(std::move(*cable));
        auto injector = netns_[0].run([] { return RawInjector::open(7); });
        ASSERT_TRUE(injector) << injector.error().message();
        injector_.emplace(std::move(*injector));
    }

    // A packet with a right UDP checksum, as replace_payload leaves it.
    static Octets packet_of(const Sample& sample) {
        Octets frame = sample.frame();
        const auto view = parse_frame(frame);
        frame.resize(4096);
        const auto length = replace_payload(*view, frame, {0, 0}, {}, 4000);
        EXPECT_TRUE(length);
        const auto packet = view->packet(frame);
        return {packet.begin(), packet.end()};
    }

    // The next UDP frame for port 5062 on the cable.
    std::optional<FrameView> next(Octets& frame) const {
        for (frame = cable_->await(); !frame.empty(); frame = cable_->await()) {
            if (const auto view = parse_frame(frame); view && view->destination.port == 5062) {
                return view;
            }
        }
        return std::nullopt;
    }

    std::vector<lab::Netns> netns_;
    std::optional<PacketSocket> cable_;
    std::optional<RawInjector> injector_;
};

TEST_F(Inject, RoutesAWholePacketWithOneOffItsTtl) {
    for (const bool v4 : {true, false}) {
        Octets packet = packet_of({.v4 = v4});
        const auto sent = injector_->send(packet);
        ASSERT_TRUE(sent) << to_string(sent.error().kind) << ' ' << sent.error().code;
        Octets frame;
        const auto view = next(frame);
        ASSERT_TRUE(view);
        EXPECT_EQ(frame[5], 9) << "to the next hop of the route";
        EXPECT_EQ(view->ttl, 56);
        EXPECT_EQ(view->source.to_string(), v4 ? "192.0.2.1:5060" : "[2001:db8::1]:5060");
        EXPECT_EQ(view->destination.to_string(), v4 ? "198.51.100.2:5062" : "[2001:db8:1::2]:5062");
        EXPECT_EQ(view->traffic_class, 0x61);
        EXPECT_EQ(test::text_of(view->payload_of(frame)), Sample{}.payload);
        EXPECT_EQ(test::udp_residue(frame, view->l3, view->l4), 0U);
        if (v4) {
            EXPECT_EQ(test::plain_checksum(Bytes(frame).subspan(view->l3, 20)), 0U);
        }
    }
}

TEST_F(Inject, DropsWhatARouterDrops) {
    for (const bool v4 : {true, false}) {
        Octets packet = packet_of({.v4 = v4});
        packet[v4 ? 8 : 7] = 1;
        EXPECT_EQ(injector_->send(packet).error().kind, InjectError::Kind::ttl_expired);
        packet[v4 ? 8 : 7] = 64;
        packet.pop_back();
        EXPECT_EQ(injector_->send(packet).error().kind, InjectError::Kind::not_ip);
        Octets unroutable = packet_of({.v4 = v4});
        unroutable[v4 ? 16 : 24] = v4 ? 100 : 0x2a;
        EXPECT_EQ(injector_->send(unroutable).error().kind, InjectError::Kind::no_route);
        const std::string large(2000, 'x');
        Octets too_big = packet_of({.v4 = v4, .payload = large});
        EXPECT_EQ(injector_->send(too_big).error().kind, InjectError::Kind::too_big);
    }
    EXPECT_EQ(injector_->send({}).error().kind, InjectError::Kind::not_ip);
}

} // namespace
} // namespace stem::frame
