// SPDX-License-Identifier: Apache-2.0
// Two streams cut into segments that overlap, come in any order, twice, or not at first; and what their ends
// acknowledge, and how wide their windows are, as the input says. What comes out at the other ends must be
// the messages that an oracle finds in the whole streams, byte for byte; and all of it, once everything was
// sent.
#include <ctl/tcp/table.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string>
#include <string_view>

namespace {

using namespace stem;
using namespace stem::tcp;

void require(bool holds, std::source_location where = std::source_location::current()) {
    if (!holds) {
        std::fprintf(stderr, "line %u does not hold\n", static_cast<unsigned>(where.line()));
        std::abort();
    }
}

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    [[nodiscard]] bool empty() const { return at_ >= size_; }
    std::uint8_t octet() { return at_ < size_ ? data_[at_++] : 0; }
    std::uint16_t word() { return static_cast<std::uint16_t>(octet() << 8U | octet()); }
    std::string text(std::size_t length) {
        length = std::min(length, size_ - at_);
        std::string taken(reinterpret_cast<const char*>(data_) + at_, length);
        at_ += length;
        return taken;
    }

  private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
};

// What one end has received: in order, as a TCP of its own would have it.
struct Receiver {
    explicit Receiver(Seq first) : in(first, 1U << 20U) {}
    Reassembly in;
    std::string all;
    bool reset = false;
    bool finished = false;
};

class NoPlaces : public Places {
  public:
    void put(const Pair&, const Place&) noexcept override {}
    void erase(const Pair&) noexcept override {}
    std::optional<Place> find(const Pair&) noexcept override { return std::nullopt; }
    void keep_only(const std::function<bool(const Pair&)>&) noexcept override {}
};

class World : public Wire, public Reader {
  public:
    explicit World(const Settings& settings) : table(settings, *this, *this, places_) {}

    void send(const Outgoing& outgoing) noexcept override {
        const auto& segment = outgoing.segment;
        auto& receiver = receivers[outgoing.to];
        require(segment.payload.size() <= 1460);
        if (segment.has(frame::tcp_rst)) {
            receiver.reset = true;
            return;
        }
        if (segment.has(frame::tcp_syn) || ++sent_ % lose_every == 0) {
            return;
        }
        if (!segment.payload.empty()) {
            // No octet is ever sent with two values: those that came before are compared.
            const auto back = static_cast<std::int64_t>(distance(first[outgoing.to] + 1, segment.sequence));
            require(back >= 0);
            for (std::size_t i = 0; i < segment.payload.size(); ++i) {
                const std::size_t at = static_cast<std::size_t>(back) + i;
                if (at < receiver.all.size()) {
                    require(receiver.all[at] == segment.payload[i]);
                }
            }
            receiver.in.take(segment.sequence, segment.payload);
            receiver.all += receiver.in.ready();
            receiver.in.consume(receiver.in.ready().size());
        }
        if (segment.has(frame::tcp_fin) && receiver.in.next() == segment.sequence + segment.payload.size()) {
            receiver.finished = true;
        }
    }
    std::uint64_t delay(const Endpoint&, std::string_view, bool, std::uint64_t) noexcept override {
        return 0;
    }
    void read(Message message, std::uint64_t now_ns) noexcept override {
        const bool written = table.write(message.connection, message.direction, message.text, now_ns);
        table.settle(message.connection, message.direction, message.text.size(), written, now_ns);
    }
    void ended(stem_direction direction, const Endpoint&, const Endpoint&, stem_reason,
               std::string_view) noexcept override {
        ended_by |= 1U << direction;
    }

    Table table;
    Receiver receivers[STEM_DIRECTIONS] = {Receiver(0), Receiver(0)};
    Seq first[STEM_DIRECTIONS] = {0, 0}; // of what the end is sent
    unsigned ended_by = 0;
    unsigned lose_every = 1000;

  private:
    NoPlaces places_;
    unsigned sent_ = 0;
};

// The oracle: the messages and keep-alives at the front of `stream`, looked at whole.
std::string followed_part(std::string_view stream, const FramingLimits& limits, bool& broken) {
    Framer framer(limits);
    std::string all;
    while (true) {
        const Step step = framer.look(stream);
        if (step.kind == Step::Kind::broken || step.kind == Step::Kind::more) {
            broken = step.kind == Step::Kind::broken;
            return all;
        }
        all += stream.substr(0, step.length);
        stream.remove_prefix(step.length);
    }
}

std::string make_stream(Input& input) {
    std::string stream;
    const unsigned pieces = input.octet() % 6;
    for (unsigned i = 0; i < pieces; ++i) {
        switch (input.octet() % 8) {
        case 0:
            stream += input.text(input.octet() % 32);
            break;
        case 1:
            stream += "\r\n\r\n";
            break;
        default: {
            const std::string body = input.text(input.word() % 3000);
            stream +=
                "MESSAGE sip:a SIP/2.0\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        }
        }
    }
    return stream;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    Settings settings;
    settings.buffer = 16384;
    settings.message_timeout = std::chrono::hours(1); // that nobody is too slow is not the question here
    settings.unacknowledged = std::chrono::hours(1);
    settings.linger = std::chrono::hours(1);
    World world(settings);
    world.lose_every = 2 + input.octet();
    const Endpoint client{.address = Address::v4({192, 0, 2, 1}), .port = 40000};
    const Endpoint server{.address = Address::v4({198, 51, 100, 2}), .port = 5060};
    const Seq first[STEM_DIRECTIONS] = {static_cast<Seq>(input.octet()) << 24U | 0xfff000U,
                                        static_cast<Seq>(input.octet()) << 24U | 0xfffff0U};
    std::uint64_t now = 1'000'000'000;
    const auto say = [&](stem_direction from, Seq sequence, std::string_view payload, std::uint8_t flags,
                         std::uint16_t window) {
        Arrival arrival;
        arrival.direction = from;
        arrival.source = from == STEM_INBOUND ? client : server;
        arrival.destination = from == STEM_INBOUND ? server : client;
        arrival.segment = {.sequence = sequence,
                           .acknowledgment =
                               world.receivers[from].in.next() + (world.receivers[from].finished ? 1 : 0),
                           .flags = flags,
                           .window = window,
                           .options = {},
                           .payload = payload};
        arrival.segment.options.mss = 1460;
        world.table.receive(arrival, now);
    };
    for (const stem_direction end : {STEM_INBOUND, STEM_OUTBOUND}) {
        const Seq sends = first[other(end)];
        world.first[end] = sends;
        world.receivers[end].in = Reassembly(sends + 1, 1U << 20U);
    }
    say(STEM_INBOUND, first[STEM_INBOUND], {}, frame::tcp_syn, 60000);
    say(STEM_OUTBOUND, first[STEM_OUTBOUND], {}, frame::tcp_syn | frame::tcp_ack, 60000);
    say(STEM_INBOUND, first[STEM_INBOUND] + 1, {}, frame::tcp_ack, 60000);
    const std::string stream[STEM_DIRECTIONS] = {make_stream(input), make_stream(input)};

    // Pieces as the input says.
    for (unsigned i = 0; i < 256 && !input.empty(); ++i) {
        const std::uint8_t how = input.octet();
        const auto from = static_cast<stem_direction>(how & 1U);
        const std::string_view all = stream[from];
        const std::size_t at = all.empty() ? 0 : input.word() % (all.size() + 1);
        const std::uint16_t window = (how & 2U) != 0 ? input.octet() : 60000;
        say(from, first[from] + 1 + static_cast<Seq>(at), all.substr(at, input.octet() * 6U), frame::tcp_ack,
            window);
        if ((how & 0x1cU) == 0) {
            now += 250'000'000;
            world.table.tick(now);
        }
    }
    // Then all of it, in order, until nothing is left to be sent; and nothing is lost any more.
    world.lose_every = ~0U;
    std::string expected[STEM_DIRECTIONS];
    bool broken[STEM_DIRECTIONS] = {false, false};
    for (const stem_direction from : {STEM_INBOUND, STEM_OUTBOUND}) {
        expected[from] = followed_part(stream[from], settings.framing, broken[from]);
        const auto& got = world.receivers[other(from)].all;
        require(expected[from].starts_with(got));
    }
    for (int round = 0; round < 200 && world.ended_by == 0; ++round) {
        bool all_there = true;
        for (const stem_direction from : {STEM_INBOUND, STEM_OUTBOUND}) {
            for (std::size_t at = 0; at < stream[from].size(); at += 1400) {
                say(from, first[from] + 1 + static_cast<Seq>(at),
                    std::string_view(stream[from]).substr(at, 1400), frame::tcp_ack, 60000);
            }
            say(from, first[from] + 1 + static_cast<Seq>(stream[from].size()), {}, frame::tcp_ack, 60000);
            all_there = all_there && world.receivers[other(from)].all == expected[from];
        }
        if (all_there && !broken[0] && !broken[1]) {
            break;
        }
        now += 400'000'000;
        world.table.tick(now);
    }
    for (const stem_direction from : {STEM_INBOUND, STEM_OUTBOUND}) {
        const auto& got = world.receivers[other(from)].all;
        require(expected[from].starts_with(got));
        require(world.ended_by != 0 || got == expected[from]);
        require((world.ended_by & (1U << from)) == 0 || broken[from] ||
                expected[from].size() != stream[from].size()); // nothing else ends a connection here
    }
    require(world.ended_by == 0 || (world.receivers[0].reset && world.receivers[1].reset));
    return 0;
}
