// SPDX-License-Identifier: Apache-2.0
// Who showed himself to be somebody, and by which stream each party signals: for the data plane's budgets
// (docs/flood.md).
#include <netinet/in.h>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

constexpr int status_ringing = 180;
constexpr int status_redirect = 300;
constexpr int status_unauthorized = 401;
constexpr int status_proxy_authentication = 407;

// Somebody was reached: rings, answers, is busy, away, or does not want. 404 and the like are a server's.
bool is_somebodys(int status) {
    switch (status) {
    case 480:
    case 486:
    case 487:
    case 600:
    case 603:
        return true;
    default:
        return status >= status_ringing && status < status_redirect;
    }
}

} // namespace

std::uint64_t Monitor::Machine::stream_of(const Packet& packet) const {
    const stem_addr source = packet.source.address.raw();
    const stem_addr destination = packet.destination.address.raw();
    return stem_stream_id(settings_.stream_seed, &source, packet.source.port, &destination,
                          packet.destination.port,
                          packet.transport == Transport::tcp ? IPPROTO_TCP : IPPROTO_UDP);
}

// Those that nobody knows leave a quarter of the room to those that somebody does.
std::size_t Monitor::Machine::room_for_calls(const Packet& packet) const {
    return packet.lane == STEM_LANE_KNOWN ? settings_.max_calls
                                          : settings_.max_calls - settings_.max_calls / 4;
}

// The peer is the one outside: a phone that a registrar inside took in, or the registrar that took in a phone
// of ours, and will call it.
void Monitor::Machine::tell_registered(const Packet& response, const Transaction& transaction,
                                       const sip::Contact& asked, std::uint32_t lifetime_s) {
    const Address peer =
        transaction.direction == STEM_INBOUND ? transaction.source.address : response.source.address;
    observer_->registered(peer, transaction.address_of_record + ' ' + asked.uri.text,
                          std::chrono::seconds(lifetime_s), now_ns_);
}

// Of calls from outside: the detector of floods compares them with their answers.
void Monitor::Machine::tell_answer(Call& call, int status) {
    call.challenged = status == status_unauthorized || status == status_proxy_authentication;
    if (call.direction == STEM_INBOUND && !call.answer_told && is_somebodys(status)) {
        call.answer_told = true;
        observer_->invite_answered();
    }
}

void Monitor::Machine::tell_up(const Call& call, const Dialog& dialog) {
    const stem_party outside = call.direction == STEM_INBOUND ? STEM_CALLER : STEM_CALLEE;
    observer_->call_up(dialog.id, call.leg[outside].source().address, now_ns_);
}

} // namespace stem::call
