// SPDX-License-Identifier: Apache-2.0
#include "flood/talks.h"

#include "flood/cpus.h"

#include "lab/sip_agent.h"

#include <algorithm>
#include <thread>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;

constexpr unsigned caller_base = 24000;
constexpr unsigned callee_base = 34000;
constexpr unsigned ports_of_a_talk = 4;
constexpr std::uint16_t first_caller_port = 5070;
constexpr std::uint32_t first_ssrc = 0x57454d00;

std::uint16_t port_of(unsigned base, unsigned talk) {
    return static_cast<std::uint16_t>(base + talk * ports_of_a_talk);
}

} // namespace

Endpoint Talks::caller_end(unsigned talk) const {
    return {.address = path_->caller.local().address, .port = port_of(caller_base, talk)};
}

Endpoint Talks::callee_end(unsigned talk) const {
    return {.address = path_->phone.local().address, .port = port_of(callee_base, talk)};
}

Result<> Talks::begin() {
    std::vector<lab::RtpStream> outside;
    std::vector<lab::RtpStream> inside;
    for (unsigned talk = 0; talk < count; ++talk) {
        if (auto up = establish(talk); !up) {
            return up;
        }
        const std::uint32_t ssrc = first_ssrc + talk;
        outside.push_back(
            {.local = caller_end(talk), .remote = callee_end(talk), .ssrc = ssrc, .remote_ssrc = ssrc});
        inside.push_back(
            {.local = callee_end(talk), .remote = caller_end(talk), .ssrc = ssrc, .remote_ssrc = ssrc});
    }
    auto at_callers = [&] {
        const KeepTo last(Cpus::last);
        return lab::RtpEndpoint::open(path_->outside, outside);
    }();
    auto at_callees = lab::RtpEndpoint::open(path_->inside, inside);
    if (!at_callers || !at_callees) {
        return std::unexpected(at_callers ? at_callees.error() : at_callers.error());
    }
    outside_.emplace(std::move(*at_callers));
    inside_.emplace(std::move(*at_callees));
    outside_->send_all();
    inside_->send_all();
    return {};
}

Result<> Talks::establish(unsigned talk) {
    auto caller =
        TimedSocket::open(path_->outside, {.address = path_->caller.local().address,
                                           .port = static_cast<std::uint16_t>(first_caller_port + talk)});
    if (!caller) {
        return std::unexpected(caller.error());
    }
    auto invite = path_->invite(lab::sdp(caller_end(talk)));
    invite.via = caller->local();
    if (auto sent = caller->send(path_->phone.local(), invite.text()); !sent) {
        return std::unexpected(sent.error());
    }
    const auto offered = path_->phone.receive_request("INVITE");
    if (!offered) {
        return std::unexpected(offered.error());
    }
    const auto answer = lab::response_text(offered->text, 200, "OK", lab::unique_token(),
                                           path_->phone.local(), lab::sdp(callee_end(talk)));
    if (auto sent = path_->phone.send(offered->from, answer); !sent) {
        return std::unexpected(sent.error());
    }
    auto ok = caller->receive_final("INVITE");
    if (!ok || lab::status_of(ok->text) != 200) {
        return ok ? fail("set up a call with media", ok->text) : std::unexpected(ok.error());
    }
    const auto ack = lab::in_dialog(invite, ok->text, "ACK", lab::unique_branch());
    if (auto sent = caller->send(path_->phone.local(), ack.text()); !sent) {
        return std::unexpected(sent.error());
    }
    dialogs_.push_back(
        {.caller = std::move(*caller), .invite = std::move(invite), .ok = std::move(ok->text)});
    return {};
}

void Talks::fall_silent() {
    outside_->pause_all();
    inside_->pause_all();
    std::this_thread::sleep_for(300ms);
}

RtpLoss Talks::loss(unsigned first, unsigned last) const {
    RtpLoss loss;
    for (unsigned talk = first; talk < last; ++talk) {
        for (const auto& [from, to] : {std::pair(&*outside_, &*inside_), {&*inside_, &*outside_}}) {
            const auto sender = from->counts(talk);
            const auto receiver = to->counts(talk);
            loss.sent += sender.sent;
            loss.received += std::min(receiver.received, sender.sent);
            loss.longest_gap = std::max<std::chrono::nanoseconds>(loss.longest_gap, receiver.longest_gap);
        }
    }
    return loss;
}

void Talks::hang_up() {
    for (const auto& [caller, invite, ok] : dialogs_) {
        const auto bye = lab::in_dialog(invite, ok, "BYE", lab::unique_branch());
        if (!caller.send(path_->phone.local(), bye.text())) {
            continue;
        }
        if (const auto received = path_->phone.receive_request("BYE")) {
            static_cast<void>(
                path_->phone.send(received->from, lab::response_text(received->text, 200, "OK")));
        }
    }
    dialogs_.clear();
}

} // namespace stem::bench
