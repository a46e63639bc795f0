// SPDX-License-Identifier: Apache-2.0
// A table with everything around it in the test's hands: time, the ends' segments, and what becomes of
// messages.
#pragma once

#include <ctl/tcp/table.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace stem::tcp::test {

inline constexpr std::uint64_t ms = 1'000'000;

inline Endpoint endpoint(std::string_view address, std::uint16_t port) {
    return {.address = Address::parse(address).value(), .port = port};
}

inline std::string sip(std::string_view method, std::string_view call, std::string_view body = {},
                       std::string_view extra = {}) {
    std::string text(method);
    text += " sip:bob@example.net SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK";
    text += call;
    text += "\r\nCall-ID: ";
    text += call;
    text += "\r\n";
    text += extra;
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    text += body;
    return text;
}

// What was sent, with its octets.
struct Sent {
    stem_direction to;
    Endpoint source;
    Endpoint destination;
    Segment segment; // its payload is a view of `octets`
    Options options;
    std::string octets;
};

// As a pinned map, that outlives a table.
class KeptPlaces : public Places {
  public:
    void put(const Pair& pair, const Place& place) noexcept override {
        erase(pair);
        all.emplace_back(pair, place);
    }
    void erase(const Pair& pair) noexcept override {
        std::erase_if(all, [&](const auto& each) { return each.first == pair; });
    }
    std::optional<Place> find(const Pair& pair) noexcept override {
        const auto found = std::ranges::find(all, pair, [](const auto& each) { return each.first; });
        return found == all.end() ? std::nullopt : std::optional(found->second);
    }
    void keep_only(const std::function<bool(const Pair&)>& is_there) noexcept override {
        std::erase_if(all, [&](const auto& each) { return !is_there(each.first); });
    }

    std::vector<std::pair<Pair, Place>> all;
};

class Bench : public Wire, public Reader {
  public:
    explicit Bench(Settings settings = {}) : table_(settings, *this, *this, places_) {}

    // Wire
    void send(const Outgoing& outgoing) noexcept override {
        Sent& kept = sent_.emplace_back();
        kept = {.to = outgoing.to,
                .source = outgoing.source,
                .destination = outgoing.destination,
                .segment = outgoing.segment,
                .options = read_options(outgoing.options.octets()),
                .octets = std::string(outgoing.segment.payload)};
        kept.segment.payload = {};
        kept.segment.options = kept.options;
    }
    // Reader
    std::uint64_t delay(const Endpoint&, std::string_view, bool, std::uint64_t) noexcept override {
        return std::exchange(delay_once, 0);
    }
    void read(Message message, std::uint64_t now_ns) noexcept override {
        messages_.push_back(message);
        if (holds) {
            held_.push_back(std::move(message));
            return;
        }
        release(message, now_ns);
    }
    void ended(stem_direction direction, const Endpoint&, const Endpoint&, stem_reason reason,
               std::string_view what) noexcept override {
        ended_.emplace_back(direction, reason);
        ended_why_ = what;
    }

    void release(const Message& message, std::uint64_t now_ns) {
        const bool written = table_.write(message.connection, message.direction, message.text, now_ns);
        table_.settle(message.connection, message.direction, message.text.size(), written, now_ns);
    }
    void advance(std::uint64_t by_ns) {
        now += by_ns;
        table_.tick(now);
    }
    std::vector<Sent> take_sent() { return std::exchange(sent_, {}); }
    // Of the last that was sent to this end.
    [[nodiscard]] const Sent* last_to(stem_direction end) const {
        for (auto at = sent_.rbegin(); at != sent_.rend(); ++at) {
            if (at->to == end) {
                return &*at;
            }
        }
        return nullptr;
    }

    KeptPlaces places_;
    Table table_;
    std::uint64_t now = 1'000'000'000'000;
    std::uint64_t delay_once = 0;
    bool holds = false;
    std::vector<Sent> sent_;
    std::vector<Message> messages_;
    std::deque<Message> held_;
    std::vector<std::pair<stem_direction, stem_reason>> ended_;
    std::string ended_why_;
};

// A client outside and a server inside, of which the test writes each segment.
class Talk {
  public:
    struct Form {
        bool v4 = true;
        Seq client_first = 1000;
        Seq server_first = 900000;
        bool timestamps = false;
        std::uint16_t mss = 1460;
        std::uint16_t window = 60000;
        bool known = true;
        std::optional<Endpoint> proxy = {};
        std::uint16_t port = 40000;
    };
    Talk(Bench& bench, Form form) : bench_(&bench), form_(std::move(form)) {
        client_ = endpoint(form_.v4 ? "192.0.2.1" : "2001:db8::1", form_.port);
        called_ = endpoint(form_.v4 ? "198.51.100.2" : "2001:db8:1::2", 5060);
        server_ = form_.proxy.value_or(called_);
        next_[STEM_INBOUND] = form_.client_first;
        next_[STEM_OUTBOUND] = form_.server_first;
    }
    explicit Talk(Bench& bench) : Talk(bench, Form{}) {}

    // A segment of `from` at `sequence`, acknowledging all that it was sent in order.
    stem_reason say_at(stem_direction from, Seq sequence, std::string_view octets, std::uint8_t flags,
                       std::optional<Seq> ack = {}) {
        Arrival arrival;
        arrival.direction = from;
        arrival.source = from == STEM_INBOUND ? client_ : server_;
        arrival.destination = from == STEM_INBOUND ? called_ : client_;
        arrival.known = form_.known;
        arrival.proxy = form_.proxy;
        arrival.segment.sequence = sequence;
        arrival.segment.acknowledgment = ack.value_or(received_[from]);
        arrival.segment.flags = flags;
        arrival.segment.window = form_.window;
        arrival.segment.payload = octets;
        if ((flags & frame::tcp_syn) != 0) {
            arrival.segment.options.mss = form_.mss;
        }
        if (form_.timestamps) {
            arrival.segment.options.timestamps =
                Timestamps{.value = ++clock_[from], .echo = clock_[other(from)]};
        }
        return bench_->table_.receive(arrival, bench_->now);
    }
    stem_reason say(stem_direction from, std::string_view octets) {
        const Seq sequence = next_[from];
        next_[from] += static_cast<Seq>(octets.size());
        return say_at(from, sequence, octets, frame::tcp_ack | frame::tcp_psh);
    }
    stem_reason acknowledge(stem_direction from) { return say_at(from, next_[from], {}, frame::tcp_ack); }
    stem_reason finish(stem_direction from) {
        return say_at(from, next_[from]++, {}, frame::tcp_ack | frame::tcp_fin);
    }
    // Takes what was sent to `end`, in order, and gives its octets.
    std::string hear(stem_direction end) {
        std::string octets;
        for (const Sent& each : bench_->sent_) {
            if (each.to != end) {
                continue;
            }
            if (each.segment.sequence == received_[end] && (each.segment.flags & frame::tcp_rst) == 0) {
                octets += each.octets;
                received_[end] += static_cast<Seq>(each.octets.size());
                if ((each.segment.flags & (frame::tcp_fin | frame::tcp_syn)) != 0) {
                    received_[end]++;
                }
            }
        }
        std::erase_if(bench_->sent_, [end](const Sent& each) { return each.to == end; });
        return octets;
    }
    void shake() {
        say_at(STEM_INBOUND, next_[STEM_INBOUND]++, {}, frame::tcp_syn, 0);
        received_[STEM_OUTBOUND] = form_.client_first;
        hear(STEM_OUTBOUND);
        say_at(STEM_OUTBOUND, next_[STEM_OUTBOUND]++, {}, frame::tcp_syn | frame::tcp_ack);
        received_[STEM_INBOUND] = form_.server_first;
        hear(STEM_INBOUND);
        acknowledge(STEM_INBOUND);
        hear(STEM_OUTBOUND);
        bench_->take_sent();
    }

    Bench* bench_; // another one after a restart
    Form form_;
    Endpoint client_;
    Endpoint called_;
    Endpoint server_;
    Seq next_[STEM_DIRECTIONS] = {0, 0};
    Seq received_[STEM_DIRECTIONS] = {0, 0}; // by end: behind what it was sent in order
    std::uint32_t clock_[STEM_DIRECTIONS] = {100, 7000};
};

} // namespace stem::tcp::test
