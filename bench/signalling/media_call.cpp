// SPDX-License-Identifier: Apache-2.0
#include "signalling/media_call.h"

#include "lab/sip_agent.h"

#include <fmt/format.h>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;

constexpr unsigned ports_of_a_call = 4;
constexpr unsigned caller_base = 24000;
constexpr unsigned callee_base = 34000;
// Fewer than the token bucket of a G.711 pinhole holds (ctl/call/pinholes.cpp).
constexpr unsigned most_tries = 12;
constexpr auto arrival_limit = 50ms;

// RFC 3550 5.1, PCMA, 20 ms of silence.
std::string rtp(std::uint16_t number) {
    std::string packet(12 + 160, '\xd5');
    packet[0] = '\x80';
    packet[1] = 8;
    packet[2] = static_cast<char>(number >> 8U);
    packet[3] = static_cast<char>(number & 0xffU);
    packet.replace(4, 8, std::string_view("\0\0\0\1stem", 8));
    return packet;
}

} // namespace

Result<MediaCall> MediaCall::open(const CallPath& path, unsigned slot) {
    const auto port = [&](unsigned base) {
        return static_cast<std::uint16_t>(base + slot * ports_of_a_call);
    };
    auto caller =
        TimedSocket::open(path.outside, {.address = path.caller.local().address, .port = port(caller_base)});
    if (!caller) {
        return std::unexpected(caller.error());
    }
    auto callee =
        TimedSocket::open(path.inside, {.address = path.phone.local().address, .port = port(callee_base)});
    if (!callee) {
        return std::unexpected(callee.error());
    }
    return MediaCall(path, std::move(*caller), std::move(*callee));
}

Result<MediaCall::Opening> MediaCall::establish() {
    invite_ = path_->invite(lab::sdp(caller_.local()));
    if (const auto sent = path_->caller.send(path_->phone.local(), invite_.text()); !sent) {
        return std::unexpected(sent.error());
    }
    const auto offered = path_->phone.receive_request("INVITE");
    if (!offered) {
        return std::unexpected(offered.error());
    }
    const auto answer = lab::response_text(offered->text, 200, "OK", lab::unique_token(),
                                           path_->phone.local(), lab::sdp(callee_.local()));
    if (const auto sent = path_->phone.send(offered->from, answer); !sent) {
        return std::unexpected(sent.error());
    }
    const auto ok = path_->caller.receive_final("INVITE");
    if (!ok) {
        return std::unexpected(ok.error());
    }
    std::optional<Heard> first;
    const auto first_number = static_cast<std::uint16_t>(number_ + 1);
    for (unsigned i = 0; i < most_tries && !first; ++i) {
        if (const auto sent = send_rtp(Way::inward); !sent) {
            return std::unexpected(sent.error());
        }
        first = hear(callee_, 0ms);
    }
    if (!first) {
        first = hear(callee_, arrival_limit);
    }
    if (!first || lab::status_of(ok->text) != 200) {
        return fail("open a pinhole", first
                                          ? fmt::format("the call was answered {}", lab::status_of(ok->text))
                                          : fmt::format("none of {} RTP packets came through", most_tries));
    }
    ok_ = ok->text;
    const auto ack = lab::in_dialog(invite_, ok_, "ACK", lab::unique_branch());
    if (const auto sent = path_->caller.send(path_->phone.local(), ack.text()); !sent) {
        return std::unexpected(sent.error());
    }
    if (const auto ended = path_->phone.receive_request("ACK"); !ended) {
        return std::unexpected(ended.error());
    }
    const auto later = send_rtp(Way::inward);
    auto arrived = hear(callee_, arrival_limit);
    while (arrived && arrived->number != number_) { // sent while the first was on its way
        arrived = hear(callee_, arrival_limit);
    }
    if (!later || !arrived) {
        return fail("send RTP through an open pinhole", "it did not arrive");
    }
    return Opening{.answered = ok->at,
                   .first = first->at,
                   .lost = static_cast<std::uint16_t>(first->number - first_number),
                   .transit = std::chrono::duration<double, std::micro>(arrived->at - *later).count()};
}

Result<Moment> MediaCall::hang_up() {
    const auto bye = lab::in_dialog(invite_, ok_, "BYE", lab::unique_branch());
    if (const auto sent = path_->caller.send(path_->phone.local(), bye.text()); !sent) {
        return std::unexpected(sent.error());
    }
    const auto received = path_->phone.receive_request("BYE");
    if (!received) {
        return std::unexpected(received.error());
    }
    if (const auto sent = path_->phone.send(received->from, lab::response_text(received->text, 200, "OK"));
        !sent) {
        return std::unexpected(sent.error());
    }
    const auto ok = path_->caller.receive_final("BYE");
    if (!ok) {
        return std::unexpected(ok.error());
    }
    first_probe_ = static_cast<std::uint16_t>(number_ + 1);
    probes_.clear();
    return ok->at;
}

Result<> MediaCall::probe(Way way) {
    const auto sent = send_rtp(way);
    if (!sent) {
        return std::unexpected(sent.error());
    }
    probes_.push_back({.sent = *sent});
    return {};
}

std::vector<MediaCall::Probe> MediaCall::probes() {
    for (const auto* socket : {&caller_, &callee_}) {
        while (const auto heard = hear(*socket, 0ms)) {
            const auto index = static_cast<std::uint16_t>(heard->number - first_probe_);
            if (index < probes_.size()) {
                probes_[index].passed = true;
            }
        }
    }
    return std::move(probes_);
}

Result<Moment> MediaCall::send_rtp(Way way) {
    ++number_;
    return way == Way::inward ? caller_.send(callee_.local(), rtp(number_))
                              : callee_.send(caller_.local(), rtp(number_));
}

std::optional<MediaCall::Heard> MediaCall::hear(const TimedSocket& socket,
                                                std::chrono::milliseconds timeout) {
    const auto arrival = socket.receive(timeout);
    if (!arrival || arrival->text.size() < 12) {
        return std::nullopt;
    }
    const auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(arrival->text[i]); };
    return Heard{.number = static_cast<std::uint16_t>(octet(2) << 8U | octet(3)), .at = arrival->at};
}

} // namespace stem::bench
