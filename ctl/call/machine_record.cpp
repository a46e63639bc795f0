// SPDX-License-Identifier: Apache-2.0
// What of a call survives stemd: one record a dialog, in a map of the kernel's.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

template<std::size_t N>
void write_text(char (&to)[N], std::string_view text) {
    const std::size_t length = std::min(text.size(), N - 1);
    std::copy_n(text.begin(), length, to);
    to[length] = '\0';
}

template<std::size_t N>
std::string read_text(const char (&from)[N]) {
    return {from, strnlen(from, N)};
}

template<std::size_t N>
std::uint32_t write_media(stem_media (&to)[N], const std::vector<stem_media>& media) {
    const std::size_t count = std::min(media.size(), N);
    std::copy_n(media.begin(), count, to);
    return static_cast<std::uint32_t>(count);
}

template<std::size_t N>
std::vector<stem_media> read_media(const stem_media (&from)[N], std::uint32_t count) {
    return {from, from + std::min<std::size_t>(count, N)};
}

bool is_unanswered(std::uint32_t state) {
    return state == STEM_DIALOG_CALLING || state == STEM_DIALOG_EARLY;
}

} // namespace

void Monitor::Machine::remember(const Call& call, const Dialog& dialog) {
    if (dialog.state == STEM_DIALOG_DEAD) {
        return;
    }
    stem_dialog record{};
    record.state = dialog.state;
    record.direction = static_cast<std::uint8_t>(call.direction);
    record.invite_cseq = call.cseq;
    record.started_ns = call.started_ns;
    record.answered_ns = dialog.answered_ns;
    record.changed_ns = dialog.changed_ns;
    record.terminal_count = static_cast<std::uint8_t>(call.terminals.size());
    std::ranges::transform(call.terminals, record.terminal, &Address::raw);
    for (const auto party : {STEM_CALLER, STEM_CALLEE}) {
        record.cseq[party] = dialog.cseq[party];
        const LegFlow& leg = call.leg[party];
        record.signalling[party] = leg.source().address.raw();
        record.signalling_port[party] = leg.source().port;
        record.hop_count[party] = static_cast<std::uint32_t>(leg.hops().size());
        std::ranges::transform(leg.hops(), record.hop[party], &Address::raw);
        record.last_invite[party] = dialog.last_invite[party];
        record.media_count[party] = write_media(record.media[party], dialog.media[party]);
    }
    record.session_seconds = dialog.session_seconds;
    record.refreshed_ns = dialog.refreshed_ns;
    record.ends_ns = dialog.ends_ns;
    if (is_unanswered(dialog.state) && call.max_duration.count() > 0) {
        record.ends_ns = STEM_DIALOG_LASTS | ns_of(call.max_duration);
    }
    record.offerer = STEM_PARTIES;
    if (dialog.response_offer) {
        record.offerer = static_cast<std::uint8_t>(dialog.response_offer->by);
        record.offer_count = write_media(record.offer, dialog.response_offer->media);
    } else if (call.offer && (dialog.state == STEM_DIALOG_CALLING || dialog.state == STEM_DIALOG_EARLY)) {
        record.offerer = STEM_CALLER;
        record.offer_count = write_media(record.offer, *call.offer);
    }
    write_text(record.call_id, call.call_id);
    write_text(record.tag[STEM_CALLER], call.caller_tag);
    write_text(record.tag[STEM_CALLEE], dialog.tag);
    write_text(record.invite_branch, call.branch);
    write_text(record.uri[STEM_CALLER], call.caller);
    write_text(record.uri[STEM_CALLEE], call.callee);
    write_text(record.target, call.target);
    if (auto written = records_.put(dialog.id, record); !written) {
        spdlog::warn("call {:x} would not survive a restart: {}", dialog.id, written.error().message());
    }
}

// The transaction of an adopted call's INVITE.
void Monitor::Machine::await_answer(Call& call) {
    sip::Message invite;
    invite.vias.push_back({.transport = {}, .host = {}, .port = 0, .branch = call.branch});
    invite.call_id = call.call_id;
    invite.cseq = call.cseq;
    invite.method = sip::Method::invite;
    invite.method_name = sip::name_of(sip::Method::invite);
    invite.from_tag = call.caller_tag;
    Packet packet; // only where it went and came from
    packet.direction = call.direction;
    packet.source = call.leg[STEM_CALLER].source();
    packet.destination = call.leg[STEM_CALLEE].source();
    Place place;
    place.call = &call;
    if (Transaction* transaction = begin_transaction(packet, invite, place); transaction != nullptr) {
        transaction->offer = call.offer;
        transaction->imprint.reset();
    }
}

std::size_t Monitor::Machine::adopt(std::uint64_t now_ns) {
    now_ns_ = now_ns;
    std::size_t adopted = 0;
    records_.for_each([&](std::uint64_t id, const stem_dialog& record) {
        const auto direction = static_cast<stem_direction>(record.direction);
        const std::string call_id = read_text(record.call_id);
        const std::string caller_tag = read_text(record.tag[STEM_CALLER]);
        const std::string key = call_key(direction, call_id, caller_tag);
        const std::string branch = read_text(record.invite_branch);
        const auto [first, last] = calls_.equal_range(key);
        auto place =
            std::find_if(first, last, [&](const auto& entry) { return entry.second->branch == branch; });
        if (place == last) {
            place = calls_.emplace(key, std::make_unique<Call>());
            const auto& slot = place->second;
            slot->id = id;
            slot->key = key;
            slot->direction = direction;
            slot->call_id = call_id;
            slot->caller_tag = caller_tag;
            slot->caller = read_text(record.uri[STEM_CALLER]);
            slot->callee = read_text(record.uri[STEM_CALLEE]);
            slot->state = CallState::going;
            slot->branch = branch;
            slot->legs = {slot->branch};
            slot->cseq = record.invite_cseq;
            slot->target = read_text(record.target);
            slot->why = "adopted after a restart";
            slot->started_ns = record.started_ns;
            for (std::size_t i = 0; i < std::min<std::size_t>(record.terminal_count, STEM_TERMINALS_MAX);
                 i++) {
                slot->terminals.emplace_back(record.terminal[i]);
            }
            for (const auto party : {STEM_CALLER, STEM_CALLEE}) {
                slot->leg[party] = LegFlow(
                    {.address = Address(record.signalling[party]), .port = record.signalling_port[party]});
                for (std::size_t i = 0; i < std::min<std::size_t>(record.hop_count[party], STEM_HOPS_MAX);
                     i++) {
                    slot->leg[party].learn_hop(Address(record.hop[party][i]));
                }
                const auto uri = sip::parse_uri(read_text(record.uri[party]));
                slot->address_of_record[party] = uri ? uri->address_of_record() : std::string();
            }
            by_id_[id] = slot.get();
        }
        Call& call = *place->second;
        Dialog dialog{.id = id,
                      .tag = read_text(record.tag[STEM_CALLEE]),
                      .state = static_cast<stem_dialog_state>(record.state),
                      .answered_ns = record.answered_ns,
                      .changed_ns = record.changed_ns};
        for (const auto party : {STEM_CALLER, STEM_CALLEE}) {
            dialog.cseq[party] = record.cseq[party];
            dialog.may_repeat[party] = true;
            dialog.last_invite[party] = record.last_invite[party];
            dialog.media[party] = read_media(record.media[party], record.media_count[party]);
        }
        dialog.adopted = true;
        dialog.session_seconds = record.session_seconds;
        dialog.refreshed_ns = record.refreshed_ns;
        const bool unanswered = is_unanswered(dialog.state);
        if (unanswered) { // it counts from the answer on
            call.max_duration = std::chrono::duration_cast<std::chrono::seconds>(
                std::chrono::nanoseconds(record.ends_ns & ~STEM_DIALOG_LASTS));
        } else {
            dialog.ends_ns = record.ends_ns;
        }
        if (dialog.ends_ns != 0) {
            set_timer(std::chrono::nanoseconds(dialog.ends_ns > now_ns ? dialog.ends_ns - now_ns : 0),
                      Alarm::duration, call.id, id);
        }
        if (record.offerer == STEM_CALLER && unanswered) {
            call.offer = read_media(record.offer, record.offer_count);
        } else if (record.offerer < STEM_PARTIES) {
            dialog.response_offer = {.by = static_cast<stem_party>(record.offerer),
                                     .media = read_media(record.offer, record.offer_count)};
        }
        (void)catch_up(call, dialog);
        pinholes_.adopt(
            id, flows_between(dialog.media[STEM_CALLER], dialog.media[STEM_CALLEE], direction, id, now_ns));
        pinholes_.replace(id, learnings_between(dialog.media[STEM_CALLER], dialog.media[STEM_CALLEE],
                                                direction, id, now_ns, ns_of(settings_.learning_window),
                                                settings_.nat_networks));
        // Its 200 may still come, or come again: the ACK may have been lost with the stemd before.
        if (unanswered || dialog.answered_ns + ns_of(settings_.linger) > now_ns) {
            await_answer(call);
        }
        switch (dialog.state) {
        case STEM_DIALOG_CALLING:
        case STEM_DIALOG_EARLY:
            call.ring_until_ns = now_ns + ns_of(settings_.ring_timeout);
            set_timer(settings_.ring_timeout, Alarm::ringing, call.id, call.serial);
            break;
        case STEM_DIALOG_ANSWERED:
            set_timer(settings_.linger, Alarm::unacknowledged, call.id, id);
            break;
        case STEM_DIALOG_CLOSING:
            set_timer(settings_.linger, Alarm::closing, call.id, id);
            break;
        default:
            watch_silence(call, dialog, settings_.silence);
        }
        watch_answers(call, dialog, unanswered ? now_ns : dialog.answered_ns);
        if (dialog.state == STEM_DIALOG_UP) {
            tell_up(call, dialog);
        }
        watch_session(call, dialog);
        call.dialogs.push_back(std::move(dialog));
        adopted++;
    });
    tell_adopted();
    const std::size_t orphans = pinholes_.sweep_orphans();
    if (adopted + orphans > 0) {
        spdlog::info("adopted {} dialogs with {} pinholes, closed {} pinholes that no call holds", adopted,
                     pinholes_.size(), orphans);
    }
    return adopted;
}

} // namespace stem::call
