// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/proxied_calls.h"

#include <ctl/sip/header_name.h>

namespace stem::stemd {
namespace {

constexpr std::uint64_t minute_ns = 60'000'000'000;
constexpr std::uint64_t transaction_ns =
    4 * minute_ns;                                 // an INVITE may ring for three (RFC 3261 16.6, timer C)
constexpr std::uint64_t call_ns = 120 * minute_ns; // since its last message, once the proxy has answered
constexpr std::size_t key_part_max = 256;

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
        text.remove_suffix(1);
    }
    return text;
}

std::string_view take_line(std::string_view& text) noexcept {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return trimmed(line);
}

std::string key_of_call(const Endpoint& client, const CallMarks& marks) {
    return client.to_string() + '\n' + std::string(marks.call_id);
}

std::string key_of_transaction(const Endpoint& client, const CallMarks& marks) {
    return key_of_call(client, marks) + '\n' + std::string(marks.cseq);
}

bool usable(const CallMarks& marks) noexcept {
    return !marks.call_id.empty() && marks.call_id.size() <= key_part_max && !marks.cseq.empty() &&
           marks.cseq.size() <= key_part_max;
}

} // namespace

CallMarks CallMarks::read(std::string_view message) noexcept {
    CallMarks marks;
    marks.response = message.starts_with("SIP/2.0 ");
    (void)take_line(message);
    while (!message.empty()) {
        const std::string_view line = take_line(message);
        if (line.empty()) {
            break; // the body follows
        }
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) {
            continue;
        }
        const std::string_view value = trimmed(line.substr(colon + 1));
        switch (sip::kind_of(trimmed(line.substr(0, colon)))) {
        case sip::HeaderKind::call_id:
            marks.call_id = value;
            break;
        case sip::HeaderKind::cseq:
            marks.cseq = value;
            break;
        case sip::HeaderKind::to:
            marks.has_to_tag = value.find(";tag=") != std::string_view::npos;
            break;
        default:
            break;
        }
    }
    return marks;
}

ProxiedCalls::Entry* ProxiedCalls::find(const std::string& key, std::uint64_t now_ns) {
    const auto found = table_.find(key);
    return found == table_.end() || found->second.expires_ns <= now_ns ? nullptr : &found->second;
}

void ProxiedCalls::put(std::string key, const Entry& entry) {
    if (const auto found = table_.find(key); found != table_.end()) {
        found->second = entry;
    } else if (table_.size() < limit_) {
        table_.emplace(std::move(key), entry);
    }
}

void ProxiedCalls::steered(const Endpoint& client, const Endpoint& called, const CallMarks& marks,
                           std::uint64_t now_ns) {
    if (!usable(marks)) {
        return;
    }
    std::string call = key_of_call(client, marks);
    if (find(call, now_ns) == nullptr) { // the address that the call began with stays its address
        put(std::move(call), {.called = called, .expires_ns = now_ns + transaction_ns});
    }
    put(key_of_transaction(client, marks), {.called = called, .expires_ns = now_ns + transaction_ns});
}

void ProxiedCalls::direct(const Endpoint& client, const CallMarks& marks, std::uint64_t now_ns) {
    if (!usable(marks)) {
        return;
    }
    std::string call = key_of_call(client, marks);
    if (find(call, now_ns) == nullptr) {
        if (table_.size() >= limit_ / 2) {
            return; // the rest is for calls that were steered: it is them who need it
        }
        put(std::move(call), {.called = {}, .expires_ns = now_ns + transaction_ns});
    }
    put(key_of_transaction(client, marks), {.called = {}, .expires_ns = now_ns + transaction_ns});
}

std::optional<ProxiedCalls::Origin> ProxiedCalls::origin_of(const Endpoint& client, const CallMarks& marks,
                                                            std::uint64_t now_ns) {
    if (!usable(marks)) {
        return std::nullopt;
    }
    Entry* call = find(key_of_call(client, marks), now_ns);
    if (call != nullptr) {
        call->expires_ns = now_ns + call_ns;
    }
    if (marks.response) {
        if (const Entry* transaction = find(key_of_transaction(client, marks), now_ns)) {
            return Origin{transaction->called};
        }
    }
    return call != nullptr ? std::optional(Origin{call->called}) : std::nullopt;
}

void ProxiedCalls::expire(std::uint64_t now_ns) {
    std::erase_if(table_, [now_ns](const auto& each) { return each.second.expires_ns <= now_ns; });
}

} // namespace stem::stemd
