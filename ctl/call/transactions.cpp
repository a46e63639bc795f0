// SPDX-License-Identifier: Apache-2.0
#include "ctl/call/transactions.h"

#include <utility>

namespace stem::call {
namespace {

std::string key_with(const sip::Message& message, stem_direction request_direction, std::string_view method) {
    // A branch is unique over space and time (8.1.1.7). Elements older than RFC 3261 have none: Call-ID and
    // CSeq then tell their requests apart. CANCEL shares its INVITE's branch, so the method counts (17.2.3).
    std::string key = message.vias.front().branch;
    key += '\n';
    key += message.call_id;
    key += '\n';
    key += std::to_string(message.cseq);
    key += request_direction == STEM_INBOUND ? '>' : '<';
    key += method;
    return key;
}

} // namespace

std::string Transactions::key_of(const sip::Message& message, stem_direction request_direction) {
    return key_with(message, request_direction, message.method_name);
}

std::string Transactions::key_of_invite(const sip::Message& cancel, stem_direction request_direction) {
    return key_with(cancel, request_direction, sip::name_of(sip::Method::invite));
}

Transaction* Transactions::find(const std::string& key) {
    const auto found = table_.find(key);
    return found == table_.end() ? nullptr : &found->second;
}

Transaction* Transactions::insert(const std::string& key, Transaction transaction, std::uint64_t expires_ns) {
    if (table_.size() >= limit_) {
        return nullptr;
    }
    transaction.expires_ns = expires_ns;
    auto& there = table_[key] = std::move(transaction);
    due_.add(expires_ns, key);
    return &there;
}

void Transactions::finish(const std::string& key, std::uint64_t expires_ns) {
    if (Transaction* transaction = find(key);
        transaction != nullptr && transaction->expires_ns > expires_ns) {
        transaction->expires_ns = expires_ns;
        due_.add(expires_ns, key);
    }
}

void Transactions::erase_expired(std::uint64_t now_ns) {
    while (auto key = due_.take_due(now_ns)) {
        const auto found = table_.find(*key);
        if (found == table_.end()) {
            continue;
        }
        if (found->second.expires_ns > now_ns) { // was given more time
            due_.add(found->second.expires_ns, std::move(*key));
            continue;
        }
        table_.erase(found);
    }
}

} // namespace stem::call
