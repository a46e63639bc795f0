// SPDX-License-Identifier: Apache-2.0
// Requests that went through and wait for their responses (RFC 3261 17.1.3). A response that answers none of
// them is nobody's.
#pragma once

#include <stem/abi/dialog.h>
#include <stem/address.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "ctl/call/deadlines.h"
#include "ctl/call/imprint.h"
#include "ctl/sip/message.h"

namespace stem::call {

struct Transaction {
    sip::Method method = sip::Method::other;
    std::uint32_t cseq = 0;
    std::uint64_t call = 0;                       // id of the call; 0 = of none
    stem_party party = STEM_CALLER;               // who asked
    std::string callee_tag;                       // names the dialog; "" = none yet
    std::optional<std::vector<stem_media>> offer; // the request's SDP, if it was an offer
    bool heard = false;                           // a provisional response went by
    int final_status = 0;                         // the first final response; 0 = none yet
    bool cancelled = false;                       // a CANCEL for it went by
    std::string from_tag;                         // its responses have the same
    std::string to_tag;                           // and this one, where it is not ""
    std::string request_uri;
    std::optional<sip::ReliableAck> rack; // of a PRACK
    Endpoint source;                      // of its packet
    Endpoint destination;                 // where its responses have to come from
    std::optional<Imprint> imprint;       // what its repetitions have to be; nothing: adopted, and not known
    unsigned repeats = 0;                 // of its request, that went on
    // REGISTER: what a 2xx will make known.
    std::string address_of_record;
    std::vector<sip::Contact> contacts;
    std::optional<std::uint32_t> expires;
    Address registrant;
    stem_direction direction = STEM_INBOUND;

    std::uint64_t expires_ns = 0;
};

class Transactions {
  public:
    explicit Transactions(std::size_t limit) : limit_(limit) {}

    // The key of a request that travels in `direction`, or of a response that travels against it.
    static std::string key_of(const sip::Message& message, stem_direction request_direction);
    // That of the INVITE which a CANCEL names: the same but for the method (9.1).
    static std::string key_of_invite(const sip::Message& cancel, stem_direction request_direction);

    Transaction* find(const std::string& key);
    // Null when there is no room.
    Transaction* insert(const std::string& key, Transaction transaction, std::uint64_t expires_ns);
    // A final response went by: only its repetitions are waited for now.
    void finish(const std::string& key, std::uint64_t expires_ns);
    void erase_expired(std::uint64_t now_ns);
    [[nodiscard]] std::size_t size() const { return table_.size(); }
    // Requests outside calls may not take the last quarter: a flood of them must leave room for calls.
    [[nodiscard]] bool has_room_outside_calls() const { return table_.size() < limit_ - limit_ / 4; }

  private:
    std::size_t limit_;
    std::unordered_map<std::string, Transaction> table_;
    Deadlines<std::string> due_; // keys
};

} // namespace stem::call
