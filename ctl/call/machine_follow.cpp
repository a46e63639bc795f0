// SPDX-License-Identifier: Apache-2.0
// What the Security Manager is told of the calls that it let in, so that it can count them; and the end that
// it has set for them.
#include <fmt/format.h>

#include <algorithm>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

using State = sm::Link::CallEvent::State;

// What was decided of: the request URI, which is the first line of identity. Of an adopted call it is not
// known any more, but to whom it went is.
std::string callee_of(const Call& call) {
    return call.identity ? call.identity->substr(0, call.identity->find('\n')) : call.callee;
}

} // namespace

void Monitor::Machine::tell(Call& call, State state, std::uint64_t since_ns) {
    const auto ago = std::chrono::nanoseconds(since_ns == 0 || since_ns > now_ns_ ? 0 : now_ns_ - since_ns);
    call.followed = state != State::ended;
    sm_.follow({.call = fmt::format("{:x}", call.id),
                .call_id = call.call_id,
                .caller = call.caller,
                .callee = callee_of(call),
                .direction = call.direction,
                .user = call.user,
                .state = state,
                .at = std::chrono::system_clock::now() -
                      std::chrono::duration_cast<std::chrono::system_clock::duration>(ago),
                .cause = state == State::ended ? std::exchange(call.end_cause, {}) : std::string()});
}

void Monitor::Machine::tell_end(Call& call) {
    if (call.followed) {
        tell(call, State::ended);
    }
}

void Monitor::Machine::tell_adopted() {
    for (auto& [key, call] : calls_) {
        const auto answered = std::ranges::max(call->dialogs, {}, &Dialog::answered_ns).answered_ns;
        tell(*call, answered != 0 ? State::answered : State::going,
             answered != 0 ? answered : call->started_ns);
    }
}

// From the answer on; alarms are never taken back, so that a dialog that ends before finds its own dead.
void Monitor::Machine::bound_duration(const Call& call, Dialog& dialog) {
    if (call.max_duration.count() > 0) {
        dialog.ends_ns = now_ns_ + ns_of(call.max_duration);
        set_timer(call.max_duration, Alarm::duration, call.id, dialog.id);
    }
}

} // namespace stem::call
