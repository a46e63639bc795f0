// SPDX-License-Identifier: Apache-2.0
// AF_XDP between two veth ports:  outside/out0 ── box/ext0  (Ports)  box/int0 ── inside/in0
#include "packet_socket.h"

#include <ctl/xsk/ports.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <redirect_all.skel.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <poll.h>
#include <thread>

namespace stem::xsk {
namespace {

using namespace std::chrono_literals;
using test::PacketSocket;
using Octets = std::vector<std::uint8_t>;

// UDP datagrams of 192.0.2.1 or 2001:db8::1, 60 to 1500 octets, each different: the test compares every
// octet.
Octets make_frame(stem_port from, std::uint32_t number, bool described = true) {
    const bool v4 = number % 2 == 0;
    Octets frame(60 + number * 37 % 1441);
    for (std::size_t i = 0; i < frame.size(); ++i) {
        frame[i] = static_cast<std::uint8_t>(i * 7 + number);
    }
    const Octets head = v4 ? Octets{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0}
                           : Octets{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60, 0};
    std::copy(head.begin(), head.end(), frame.begin());
    frame[10] = static_cast<std::uint8_t>(0xa0 + from); // by which the sink knows ours
    frame[11] = described ? 0 : 0xff;
    const std::size_t ip = frame.size() - 14;
    const std::size_t length = v4 ? ip : ip - 40;
    const std::size_t length_at = v4 ? 16 : 18;
    frame[length_at] = static_cast<std::uint8_t>(length >> 8U);
    frame[length_at + 1] = static_cast<std::uint8_t>(length);
    frame[v4 ? 23 : 20] = 17;
    std::memcpy(frame.data() + 54, &number, sizeof(number));
    return frame;
}

std::uint32_t number_of(std::span<const std::uint8_t> frame) {
    std::uint32_t number = 0;
    std::memcpy(&number, frame.data() + 54, sizeof(number));
    return number;
}

bool is_ours(std::span<const std::uint8_t> frame) {
    return frame.size() >= 60 && frame[6] == 2 && (frame[10] & 0xf0U) == 0xa0;
}

stem_port other(stem_port port) {
    return port == STEM_PORT_EXTERNAL ? STEM_PORT_INTERNAL : STEM_PORT_EXTERNAL;
}

struct Unload {
    void operator()(redirect_all_bpf* skeleton) const { redirect_all_bpf::destroy(skeleton); }
};

class Xsk : public testing::Test {
  protected:
    void SetUp() override {
        for (const char* name : {"box", "outside", "inside"}) {
            auto netns = lab::Netns::create(name);
            ASSERT_TRUE(netns) << netns.error().message();
            netns_.push_back(std::move(*netns));
        }
        const auto& [box, outside, inside] = std::tie(netns_[0], netns_[1], netns_[2]);
        for (const auto& made :
             {lab::connect({outside, "out0"}, {box, "ext0"}), lab::connect({inside, "in0"}, {box, "int0"})}) {
            ASSERT_TRUE(made) << made.error().message();
        }
        for (const auto& up :
             {outside.ip("link set out0 mtu 1500 up\n"), inside.ip("link set in0 mtu 1500 up\n"),
              box.ip("link set ext0 up\nlink set int0 up\n")}) {
            ASSERT_TRUE(up) << up.error().message();
        }
        const auto attached = box.run([this] { return attach(); });
        ASSERT_TRUE(attached) << attached.error().message();
        for (const auto& [far, name] : {std::pair(&outside, "out0"), std::pair(&inside, "in0")}) {
            auto cable = PacketSocket::open(*far, name);
            ASSERT_TRUE(cable) << cable.error().message();
            cables_.push_back(std::move(*cable));
        }
    }

    void TearDown() override { detach(); }

    void detach() {
        for (bpf_link* link : links_) {
            bpf_link__destroy(link);
        }
        links_.clear();
    }

    Result<> attach() {
        config_.ports = {PortConfig{.ifindex = ::if_nametoindex("ext0")},
                         PortConfig{.ifindex = ::if_nametoindex("int0")}};
        config_.chunks = 2048;
        config_.ring_size = 512;
        skeleton_.reset(redirect_all_bpf::open());
        if (!skeleton_) {
            return fail_errno("open the program");
        }
        skeleton_->rodata->external_ifindex = config_.ports[STEM_PORT_EXTERNAL].ifindex;
        if (const int status = redirect_all_bpf::load(skeleton_.get()); status != 0) {
            return fail_errno("load the program", -status);
        }
        for (const PortConfig& port : config_.ports) {
            links_.push_back(
                bpf_program__attach_xdp(skeleton_->progs.redirect_all, static_cast<int>(port.ifindex)));
            if (links_.back() == nullptr) {
                links_.pop_back();
                return fail_errno("attach the program");
            }
        }
        config_.xskmap_fd = bpf_map__fd(skeleton_->maps.xsks);
        return {};
    }

    Result<std::unique_ptr<Ports>> open() {
        return netns_[0].run([this] { return Ports::open(config_); });
    }

    // Forwards what waits, until nothing does. Counts frames with metadata that does not fit, or that lack
    // it.
    std::size_t forward(Ports& ports) {
        std::size_t total = 0;
        while (const std::size_t count = ports.receive([&](std::span<Received> batch) noexcept {
            largest_batch_ = std::max(largest_batch_, batch.size());
            for (Received& received : batch) {
                if (is_ours(received.frame.bytes())) {
                    ++ours_;
                }
                ++by_queue_[received.frame.queue() % by_queue_.size()];
                const bool undescribed = received.frame.bytes()[11] == 0xff;
                if (undescribed ? received.steer.has_value()
                                : !received.steer || received.steer->direction != received.port ||
                                      received.steer->flags != STEM_STEER_READY) {
                    ++wrong_meta_;
                }
                if (!ports.send(std::move(received.frame), other(received.port))) {
                    ++refused_;
                }
            }
        })) {
            total += count;
            ports.flush();
        }
        ports.flush();
        return total;
    }

    // Until the program has seen so many frames, and the batch that they came in is through.
    void await_marked(std::uint64_t count) const {
        const auto deadline = std::chrono::steady_clock::now() + 5s;
        const volatile __u64& seen = skeleton_->bss->marked_frames;
        while (seen < count && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(1ms);
        }
        std::this_thread::sleep_for(20ms);
        ASSERT_EQ(seen, count);
    }

    // Where frames may have gone, for a failure's message.
    static std::string describe(const Ports& ports) {
        const Census census = ports.census();
        std::string text = "free " + std::to_string(census.free) + " held " + std::to_string(census.held) +
                           " filling " + std::to_string(census.filling) + " sending " +
                           std::to_string(census.sending);
        for (const stem_port port : {STEM_PORT_EXTERNAL, STEM_PORT_INTERNAL}) {
            const SocketStatistics of = ports.statistics(port);
            text += "\nport " + std::to_string(port);
            for (const auto& [name, value] : {std::pair{"received", of.received},
                                              {"sent", of.sent},
                                              {"completed", of.completed},
                                              {"send_refused", of.send_refused},
                                              {"send_errors", of.send_errors},
                                              {"rx_dropped", of.rx_dropped},
                                              {"rx_ring_full", of.rx_ring_full},
                                              {"fill_ring_empty", of.fill_ring_empty},
                                              {"tx_invalid", of.tx_invalid}}) {
                text += std::string(" ") + name + " " + std::to_string(value);
            }
        }
        return text;
    }

    // Sends `count` frames each way and checks that each comes out of the other port as it was, in order
    // unless there are several queues.
    void carry(Ports& ports, std::uint32_t count, bool ordered = true) {
        constexpr std::uint32_t window = 256;
        std::array<std::uint32_t, STEM_PORTS> sent{};
        std::array<std::uint32_t, STEM_PORTS> arrived{};
        std::array<std::vector<bool>, STEM_PORTS> seen{std::vector<bool>(count), std::vector<bool>(count)};
        const auto described = [](std::uint32_t number) { return number % 3 != 0; };
        auto last_progress = std::chrono::steady_clock::now();
        while (arrived[0] < count || arrived[1] < count) {
            for (const stem_port port : {STEM_PORT_EXTERNAL, STEM_PORT_INTERNAL}) {
                while (sent[port] < count && sent[port] - arrived[port] < window &&
                       cables_[port].send(make_frame(port, sent[port], described(sent[port])))) {
                    ++sent[port];
                }
            }
            forward(ports);
            ASSERT_TRUE(ports.census().whole());
            for (const stem_port port : {STEM_PORT_EXTERNAL, STEM_PORT_INTERNAL}) {
                for (Octets frame = cables_[other(port)].receive(); !frame.empty();
                     frame = cables_[other(port)].receive()) {
                    if (!is_ours(frame)) {
                        continue; // the far ends' own neighbour discovery
                    }
                    const std::uint32_t number = number_of(frame);
                    ASSERT_LT(number, count);
                    ASSERT_EQ(frame, make_frame(port, number, described(number)));
                    ASSERT_FALSE(seen[port][number]) << "frame " << number << " came twice";
                    if (ordered) {
                        ASSERT_EQ(number, arrived[port]);
                    }
                    seen[port][number] = true;
                    ++arrived[port];
                    last_progress = std::chrono::steady_clock::now();
                }
            }
            ASSERT_LT(std::chrono::steady_clock::now() - last_progress, 5s)
                << "lost: " << arrived[0] << " and " << arrived[1] << " of " << sent[0] << " and " << sent[1]
                << '\n'
                << describe(ports);
        }
    }

    std::vector<lab::Netns> netns_; // box, outside, inside
    std::vector<PacketSocket> cables_;
    std::unique_ptr<redirect_all_bpf, Unload> skeleton_;
    std::vector<bpf_link*> links_;
    PortsConfig config_;
    std::size_t largest_batch_ = 0;
    std::uint64_t wrong_meta_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t ours_ = 0; // forwarded, without the far ends' neighbour discovery
    std::array<std::uint64_t, 2> by_queue_{};
};

TEST_F(Xsk, Carries100000FramesEachWayUnchanged) {
    auto ports = open();
    ASSERT_TRUE(ports) << ports.error().message();
    EXPECT_EQ((*ports)->descriptors().size(), 2U);
    EXPECT_FALSE((*ports)->zero_copy());
    EXPECT_EQ((*ports)->census().filling, 1024U);
    ASSERT_NO_FATAL_FAILURE(carry(**ports, 100000));
    EXPECT_TRUE((*ports)->drain(1s));
    EXPECT_EQ(wrong_meta_, 0U);
    EXPECT_EQ(refused_, 0U);
    EXPECT_LE(largest_batch_, Ports::burst);
    const Census census = (*ports)->census();
    EXPECT_TRUE(census.whole());
    EXPECT_EQ(census.held, 0U);
    EXPECT_EQ(census.sending, 0U);
    for (const stem_port port : {STEM_PORT_EXTERNAL, STEM_PORT_INTERNAL}) {
        const SocketStatistics statistics = (*ports)->statistics(port);
        EXPECT_GE(statistics.received, 100000U);
        EXPECT_EQ(statistics.sent, statistics.completed);
        EXPECT_EQ(statistics.tx_invalid + statistics.rx_invalid + statistics.rx_dropped, 0U);
        EXPECT_EQ(statistics.send_refused, 0U);
    }
}

// Two rx queues on both ports, two tx queues on one only.
TEST_F(Xsk, OpensASocketOnEveryQueue) {
    const std::array<std::pair<std::size_t, const char*>, 4> commands{{{0, "ethtool -L ext0 rx 2 tx 2"},
                                                                       {0, "ethtool -L int0 rx 2 tx 1"},
                                                                       {1, "ethtool -L out0 rx 2 tx 2"},
                                                                       {2, "ethtool -L in0 rx 2 tx 2"}}};
    for (const auto& [where, command] : commands) {
        const auto done = netns_[where].run([text = command]() -> Result<> {
            // NOLINTNEXTLINE(bugprone-command-processor): fixed words
            return std::system(text) == 0 ? Result<>{} : fail(text, "a veth has one queue for each CPU");
        });
        if (!done) {
            GTEST_SKIP() << done.error().message();
        }
    }
    // veth gives the program only to the queues that it has when the program is attached (seen on
    // Linux 6.18).
    detach();
    const auto attached = netns_[0].run([this] { return attach(); });
    ASSERT_TRUE(attached) << attached.error().message();
    auto ports = open();
    ASSERT_TRUE(ports) << ports.error().message();
    EXPECT_EQ((*ports)->interface(STEM_PORT_EXTERNAL).rx_queues, 2U);
    EXPECT_EQ((*ports)->interface(STEM_PORT_EXTERNAL).tx_queues, 2U);
    EXPECT_EQ((*ports)->interface(STEM_PORT_INTERNAL).rx_queues, 2U);
    EXPECT_EQ((*ports)->interface(STEM_PORT_INTERNAL).tx_queues, 1U);
    EXPECT_EQ((*ports)->descriptors().size(), 4U);
    ASSERT_NO_FATAL_FAILURE(carry(**ports, 5000, false));
    EXPECT_GT(by_queue_[0], 0U);
    EXPECT_GT(by_queue_[1], 0U);
    EXPECT_EQ(wrong_meta_, 0U);
    EXPECT_TRUE((*ports)->census().whole());
}

// The descriptors wake a loop, and a turn is bounded: 200 frames that wait take at least four turns.
TEST_F(Xsk, GivesEachPortItsTurn) {
    auto ports = open();
    ASSERT_TRUE(ports) << ports.error().message();
    for (std::uint32_t number = 0; number < 200; ++number) {
        ASSERT_TRUE(cables_[STEM_PORT_EXTERNAL].send(make_frame(STEM_PORT_EXTERNAL, number)));
    }
    ASSERT_TRUE(cables_[STEM_PORT_INTERNAL].send(make_frame(STEM_PORT_INTERNAL, 0)));
    for (const int fd : (*ports)->descriptors()) {
        pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
        EXPECT_EQ(::poll(&waiting, 1, 1000), 1);
        EXPECT_NE(waiting.revents & POLLIN, 0);
    }
    await_marked(201);
    std::array<std::size_t, STEM_PORTS> first_turn{};
    (*ports)->receive([&](std::span<Received> batch) noexcept { first_turn[batch[0].port] += batch.size(); });
    EXPECT_EQ(first_turn[STEM_PORT_EXTERNAL], Ports::burst);
    EXPECT_GE(first_turn[STEM_PORT_INTERNAL], 1U);
    std::size_t turns = 1;
    while ((*ports)->receive([](std::span<Received>) noexcept {}) > 0) {
        ++turns;
    }
    EXPECT_GE(turns, 4U);
    EXPECT_EQ((*ports)->census().held, 0U);
    EXPECT_TRUE((*ports)->census().whole());
}

TEST_F(Xsk, RecoversFromAnExhaustedPool) {
    auto ports = open();
    ASSERT_TRUE(ports) << ports.error().message();
    std::vector<Frame> held;
    held.reserve(config_.chunks);
    for (std::uint32_t number = 0; number < 10 * config_.chunks; ++number) {
        ASSERT_TRUE(cables_[number % 2].send(make_frame(static_cast<stem_port>(number % 2), number)));
        if (number % 32 == 0) {
            (*ports)->receive([&held](std::span<Received> batch) noexcept {
                for (Received& received : batch) {
                    held.push_back(std::move(received.frame));
                }
            });
            (*ports)->flush();
        }
    }
    while ((*ports)->receive([&held](std::span<Received> batch) noexcept {
        for (Received& received : batch) {
            held.push_back(std::move(received.frame));
        }
    }) > 0) {
    }
    EXPECT_EQ(held.size(), config_.chunks);
    EXPECT_FALSE((*ports)->allocate());
    EXPECT_TRUE((*ports)->census().whole());
    const auto empty = (*ports)->statistics(STEM_PORT_EXTERNAL).fill_ring_empty +
                       (*ports)->statistics(STEM_PORT_INTERNAL).fill_ring_empty +
                       (*ports)->statistics(STEM_PORT_EXTERNAL).rx_dropped +
                       (*ports)->statistics(STEM_PORT_INTERNAL).rx_dropped;
    EXPECT_GT(empty, 0U);
    held.clear();
    (*ports)->flush();
    ASSERT_NO_FATAL_FAILURE(carry(**ports, 1000));
    EXPECT_TRUE((*ports)->census().whole());
}

TEST_F(Xsk, SendsFramesOfItsOwn) {
    auto ports = open();
    ASSERT_TRUE(ports) << ports.error().message();
    const Octets wanted = make_frame(STEM_PORT_EXTERNAL, 4711);
    Frame frame = (*ports)->allocate();
    ASSERT_TRUE(frame.resize(wanted.size()));
    std::copy(wanted.begin(), wanted.end(), frame.bytes().begin());
    ASSERT_TRUE((*ports)->send(std::move(frame), STEM_PORT_INTERNAL));
    (*ports)->flush();
    Octets got;
    do {
        got = cables_[STEM_PORT_INTERNAL].await();
    } while (!got.empty() && !is_ours(got));
    EXPECT_EQ(got, wanted);
    EXPECT_FALSE((*ports)->send(Frame{}, STEM_PORT_INTERNAL));
}

TEST_F(Xsk, RefusesASecondSocketOnAQueue) {
    auto ports = open();
    ASSERT_TRUE(ports) << ports.error().message();
    config_.busy_patience = 0ms;
    const auto second = open();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, EBUSY);
    EXPECT_NE(second.error().message().find("queue 0 of ext0"), std::string::npos)
        << second.error().message();
    EXPECT_NE(second.error().message().find("stop it first"), std::string::npos) << second.error().message();
    ASSERT_NO_FATAL_FAILURE(carry(**ports, 1000)); // and the first goes on
}

// The kernel would let two sockets of one UMEM share a queue.
TEST_F(Xsk, RefusesAQueueTwiceInOneUmem) {
    const auto opened = netns_[0].run([this]() -> Result<> {
        auto umem = Umem::create(512, 256);
        if (!umem) {
            return std::unexpected(umem.error());
        }
        auto interface = read_interface(config_.ports[0].ifindex);
        if (!interface) {
            return std::unexpected(interface.error());
        }
        EXPECT_TRUE(interface->is_virtual);
        const SocketConfig socket{.interface = *interface, .fill_target = 64, .copy = Copy::always};
        const auto first = Socket::open(**umem, socket);
        EXPECT_TRUE(first) << first.error().message();
        const auto second = Socket::open(**umem, socket);
        EXPECT_FALSE(second);
        if (!second) {
            EXPECT_NE(second.error().message().find("has a socket there already"), std::string::npos);
        }
        return {};
    });
    EXPECT_TRUE(opened) << opened.error().message();
}

TEST_F(Xsk, ClosesCleanlyAndOpensAgain) {
    for (int round = 0; round < 3; ++round) {
        auto ports = open();
        ASSERT_TRUE(ports) << ports.error().message();
        ASSERT_NO_FATAL_FAILURE(carry(**ports, 500));
        const std::uint64_t steered = skeleton_->bss->marked_frames;
        ours_ = 0;
        for (std::uint32_t number = 0; number < 100; ++number) {
            ASSERT_TRUE(cables_[STEM_PORT_EXTERNAL].send(make_frame(STEM_PORT_EXTERNAL, number)));
        }
        await_marked(steered + 100);
        (*ports)->detach();
        forward(**ports);
        EXPECT_EQ(ours_, 100U); // what was steered before is still there to be carried
        ASSERT_TRUE(cables_[STEM_PORT_EXTERNAL].send(make_frame(STEM_PORT_EXTERNAL, 0)));
        await_marked(steered + 101);
        forward(**ports);
        EXPECT_EQ(ours_, 100U); // and nothing came after
        EXPECT_TRUE((*ports)->census().whole());
        ports->reset();
        while (!cables_[STEM_PORT_INTERNAL].receive().empty()) {
        }
    }
}

TEST_F(Xsk, SaysWhatIsWrong) {
    PortsConfig wrong = config_;
    wrong.xskmap_fd = -1;
    auto ports = netns_[0].run([&wrong] { return Ports::open(wrong); });
    ASSERT_FALSE(ports);
    EXPECT_NE(ports.error().message().find("stemctl attach"), std::string::npos) << ports.error().message();
    wrong.xskmap_fd = bpf_map__fd(skeleton_->maps.rodata);
    ports = netns_[0].run([&wrong] { return Ports::open(wrong); });
    ASSERT_FALSE(ports);
    EXPECT_NE(ports.error().message().find("not an XSKMAP"), std::string::npos) << ports.error().message();
    wrong = config_;
    wrong.ports[1].ifindex = 4242;
    ports = netns_[0].run([&wrong] { return Ports::open(wrong); });
    ASSERT_FALSE(ports);
    EXPECT_NE(ports.error().message().find("4242"), std::string::npos) << ports.error().message();
    wrong = config_;
    wrong.chunks = 100;
    ports = netns_[0].run([&wrong] { return Ports::open(wrong); });
    ASSERT_FALSE(ports);
    EXPECT_NE(ports.error().message().find("configure at least"), std::string::npos)
        << ports.error().message();
    wrong = config_;
    wrong.ring_size = 1000;
    ports = netns_[0].run([&wrong] { return Ports::open(wrong); });
    ASSERT_FALSE(ports);
    EXPECT_NE(ports.error().message().find("power of two"), std::string::npos) << ports.error().message();
}

} // namespace
} // namespace stem::xsk
