// SPDX-License-Identifier: Apache-2.0
#include "flood/probe.h"

#include "lab/sip_agent.h"

#include <functional>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto again_after = 500ms;
constexpr unsigned most_sendings = 6;

struct Journey {
    Arrival arrival;
    Moment first_sent;
};

// Sends until `wanted` arrives.
std::optional<Journey> carry(const TimedSocket& from, const TimedSocket& to, const Endpoint& next_hop,
                             const std::string& text, const std::function<bool(std::string_view)>& wanted) {
    std::optional<Moment> first_sent;
    for (unsigned sending = 0; sending < most_sendings; ++sending) {
        const auto sent = from.send(next_hop, text);
        if (!sent) {
            return std::nullopt;
        }
        first_sent = first_sent.value_or(*sent);
        const auto deadline = Clock::now() + again_after;
        for (auto now = Clock::now(); now < deadline; now = Clock::now()) {
            auto arrival = to.receive(std::chrono::ceil<std::chrono::milliseconds>(deadline - now));
            if (arrival && wanted(arrival->text)) {
                return Journey{.arrival = std::move(*arrival), .first_sent = *first_sent};
            }
        }
    }
    return std::nullopt;
}

double microseconds(const Journey& journey) {
    return std::chrono::duration<double, std::micro>(journey.arrival.at - journey.first_sent).count();
}

} // namespace

void Probe::call() {
    ++calls_;
    const auto invite = path_->invite(lab::sdp({.address = path_->caller.local().address, .port = 22000}));
    const auto request = [&](std::string_view method) {
        return [&call_id = invite.call_id, method](std::string_view text) {
            return lab::status_of(text) == 0 && lab::method_of(text) == method &&
                   lab::header_of(text, "Call-ID") == call_id;
        };
    };
    const auto success_of = [&](std::string_view method) {
        return [&call_id = invite.call_id, method](std::string_view text) {
            return lab::status_of(text) == 200 && lab::method_of(text) == method &&
                   lab::header_of(text, "Call-ID") == call_id;
        };
    };
    const auto in =
        carry(path_->caller, path_->phone, path_->phone.local(), invite.text(), request("INVITE"));
    if (!in) {
        return;
    }
    const auto answer =
        lab::response_text(in->arrival.text, 200, "OK", lab::unique_token(), path_->phone.local(),
                           lab::sdp({.address = path_->phone.local().address, .port = 32000}));
    const auto out = carry(path_->phone, path_->caller, in->arrival.from, answer, success_of("INVITE"));
    if (!out) {
        return;
    }
    delays_.push_back(microseconds(*in) + microseconds(*out));
    const auto next = [&](const char* method) {
        return lab::in_dialog(invite, out->arrival.text, method, lab::unique_branch()).text();
    };
    carry(path_->caller, path_->phone, path_->phone.local(), next("ACK"), request("ACK"));
    const auto bye = carry(path_->caller, path_->phone, path_->phone.local(), next("BYE"), request("BYE"));
    if (bye) {
        carry(path_->phone, path_->caller, bye->arrival.from,
              lab::response_text(bye->arrival.text, 200, "OK"), success_of("BYE"));
    }
}

} // namespace stem::bench
