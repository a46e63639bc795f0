// SPDX-License-Identifier: Apache-2.0
// Media that nobody answers are cut: an address in a session description is a stranger's word, and a stream
// towards somebody who never asked for it is an attack on him ("voice hammer", RFC 8445 19.5.1).
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ctl/call/machine.h"
#include "ctl/call/media_policy.h"

namespace stem::call {
namespace {

// How soon one who speaks after all is heard.
constexpr std::chrono::seconds second_look{1};

bool speaks(const stem_media& from, const stem_media& to) {
    return (from.flags & STEM_MEDIA_SENDS) != 0 && (to.flags & STEM_MEDIA_RECEIVES) != 0;
}

} // namespace

// `since_ns`: when the time began.
void Monitor::Machine::watch_answers(const Call& call, Dialog& dialog, std::uint64_t since_ns) {
    if (settings_.unanswered.count() == 0 || dialog.answer_due_ns > now_ns_) {
        return;
    }
    dialog.answer_due_ns = std::max(since_ns + ns_of(settings_.unanswered), now_ns_);
    set_timer(std::chrono::nanoseconds(dialog.answer_due_ns - now_ns_), Alarm::answers, call.id, dialog.id);
}

// What went to and fro on each line and those that share its pinholes, and since when it might.
std::vector<Monitor::Machine::Exchange> Monitor::Machine::exchanges(const Call& call, const Dialog& dialog) {
    std::vector<Exchange> lines(std::min(dialog.media[STEM_CALLER].size(), dialog.media[STEM_CALLEE].size()));
    for (const auto& key : pinholes_.keys_of(dialog.id)) {
        const auto flow = flows_.get(key);
        if (!flow || flow->media_index >= lines.size()) {
            continue;
        }
        Exchange& line = lines[flow->media_index];
        const auto sender = key.direction == call.direction ? STEM_CALLER : STEM_CALLEE;
        line.packets[sender] += flow->packets;
        if (flow->kind != STEM_FLOW_RTCP) {
            line.open_since_ns[sender] = std::max<std::uint64_t>(line.open_since_ns[sender], flow->opened_ns);
        }
    }
    auto together = lines;
    for (std::size_t line = 0; line < lines.size(); line++) {
        for (std::size_t other = 0; other < lines.size(); other++) {
            if (other == line ||
                !share_pinhole(dialog.media[STEM_CALLER], dialog.media[STEM_CALLEE], line, other)) {
                continue;
            }
            for (const auto party : {STEM_CALLER, STEM_CALLEE}) {
                together[line].packets[party] += lines[other].packets[party];
                together[line].open_since_ns[party] =
                    std::max(together[line].open_since_ns[party], lines[other].open_since_ns[party]);
            }
        }
    }
    return together;
}

// A line is one-way by its attributes, or nothing was sent, or something came back: all is well. Gives when
// to look again while the answer is awaited. Lines that share a pinhole are judged as one, at the first of
// them.
std::optional<std::uint64_t> Monitor::Machine::judge_answer(const Call& call, Dialog& dialog,
                                                            std::size_t line, stem_party receiver,
                                                            const Exchange& exchange) {
    const stem_party sender = other_party(receiver);
    const stem_media& to = dialog.media[receiver][line];
    const stem_media& from = dialog.media[sender][line];
    std::vector<std::size_t> lines;
    for (std::size_t each = 0; each < std::min(dialog.media[sender].size(), dialog.media[receiver].size());
         each++) {
        if (share_pinhole(dialog.media[STEM_CALLER], dialog.media[STEM_CALLEE], line, each)) {
            lines.push_back(each);
        }
    }
    if (lines.front() != line) {
        return std::nullopt;
    }
    const auto any_speaks = [&](stem_party who) {
        return std::ranges::any_of(lines, [&](std::size_t each) {
            return speaks(dialog.media[who][each], dialog.media[other_party(who)][each]);
        });
    };
    if (to.rtp_port == 0 || from.rtp_port == 0 || !any_speaks(sender) || !any_speaks(receiver) ||
        exchange.packets[receiver] > 0 || (from.flags & STEM_MEDIA_CUT) != 0 /* it did send: that is why */) {
        for (const std::size_t each : lines) {
            dialog.media[receiver][each].flags &= static_cast<std::uint16_t>(~STEM_MEDIA_CUT);
        }
        return std::nullopt;
    }
    const std::uint64_t soon = now_ns_ + ns_of(second_look);
    if ((to.flags & STEM_MEDIA_CUT) != 0) {
        return soon;
    }
    if (dialog.answered_ns == 0 || exchange.packets[sender] == 0) {
        return now_ns_ + ns_of(settings_.unanswered);
    }
    const std::uint64_t since = std::max(exchange.open_since_ns[sender], dialog.answered_ns);
    if (const std::uint64_t due = since + ns_of(settings_.unanswered); now_ns_ < due) {
        return due;
    }
    if (dialog.state != STEM_DIALOG_UP) {
        return soon;
    }
    const auto direction = receiver == STEM_CALLEE ? call.direction : opposite(call.direction);
    egress_.count(STEM_MEDIA_UNANSWERED, direction);
    spdlog::warn("call {:x} {} -> {}: media to {} cut: nothing ever came from there", dialog.id, call.caller,
                 call.callee, Endpoint{.address = Address(to.address), .port = to.rtp_port}.to_string());
    for (const std::size_t each : lines) {
        dialog.media[receiver][each].flags |= STEM_MEDIA_CUT;
    }
    return soon;
}

void Monitor::Machine::check_answers(Call& call, Dialog& dialog) {
    if (dialog.state == STEM_DIALOG_DEAD || dialog.answer_due_ns > now_ns_) {
        return;
    }
    const auto lines = exchanges(call, dialog);
    const auto is_cut = [](const stem_media& line) { return (line.flags & STEM_MEDIA_CUT) != 0; };
    const auto cut_lines = [&] {
        return std::ranges::count_if(dialog.media[STEM_CALLER], is_cut) +
               std::ranges::count_if(dialog.media[STEM_CALLEE], is_cut);
    };
    const auto before = cut_lines();
    std::optional<std::uint64_t> next;
    for (std::size_t line = 0; line < lines.size(); line++) {
        for (const auto receiver : {STEM_CALLER, STEM_CALLEE}) {
            if (const auto due = judge_answer(call, dialog, line, receiver, lines[line]); due) {
                next = std::min(next.value_or(*due), *due);
            }
        }
    }
    if (before != cut_lines()) {
        open_media(call, dialog, now_ns_);
        remember(call, dialog);
    }
    dialog.answer_due_ns = next.value_or(0);
    if (next) {
        set_timer(std::chrono::nanoseconds(*next - now_ns_), Alarm::answers, call.id, dialog.id);
    }
}

} // namespace stem::call
