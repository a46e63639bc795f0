// SPDX-License-Identifier: Apache-2.0
// The call monitor's settings, with their defaults. stemd reads them from [sip], [calls] and [media].
#pragma once

#include <stem/address.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "ctl/sdp/session.h"
#include "ctl/sip/message.h"

namespace stem::call {

// Is a peer outside behind NAT, so that where its media come from must be learned?
enum class Nat : std::uint8_t {
    never,     // its media come from where its session description says
    automatic, // when that is a private address, and its signalling comes from a public one
    always,
};

// May the media of a peer outside be on another host than its signalling comes from?
enum class Elsewhere : std::uint8_t {
    allow,
    refuse, // only at a relay, or where it is learned (Nat)
};

struct Settings {
    sip::Limits sip;
    sdp::Limits sdp;
    std::vector<std::string> refused_methods;    // dropped as sip_method
    std::vector<std::string> refused_outgoing;   // the same of what belongs to no call, from inside alone
    std::vector<Cidr> outgoing_hosts;            // inside, and may send those
    std::size_t max_calls = 32768;               // calls followed at once, lingering ones too
    std::size_t max_held = 1024;                 // INVITEs held at once
    std::size_t max_transactions = 131072;       // requests that wait for responses
    std::chrono::milliseconds trying_after{150}; // 100 Trying when the decision takes longer (17.2.1)
    std::chrono::milliseconds decision_timeout{5000}; // then the INVITE is refused with 503
    std::chrono::milliseconds linger{32000};          // 64*T1: a dead call absorbs retransmissions
    std::chrono::milliseconds ring_timeout{180000};   // Timer C (16.6), refreshed by each 1xx
    std::chrono::milliseconds close_grace{200};       // media after the 200 to BYE
    std::chrono::milliseconds change_grace{2000};     // old media after a re-INVITE
    std::chrono::milliseconds silence{60000};         // no media in both directions: the call is over
    std::chrono::milliseconds idle{14400000};      // on hold, or without media: no sign of life for so long
    std::chrono::milliseconds cut_memory{7200000}; // how long the BYE of a call that we ended may come
    std::uint64_t stream_seed = 0;                 // the instance's (map stream_seed)
    std::vector<Cidr> forbidden_media;             // beside loopback, link-local, multicast
    std::vector<Cidr> media_relays;                // may carry anybody's media (rtpengine, SBC)
    std::function<bool(const Address&)> is_own;    // an address of this very host; empty: none is
    Elsewhere elsewhere = Elsewhere::allow;
    std::chrono::milliseconds unanswered{20000}; // media that nobody answers for so long are cut; 0: never
    Nat nat = Nat::automatic;
    std::vector<Cidr> nat_networks; // NATs that send signalling and media from several addresses
    std::chrono::milliseconds learning_window{20000}; // from the answer on
    bool end_call_on_excess = false;                  // when the data plane ended one of its streams
    // Networks whose hosts signal for one another, beside nat_networks: an SBC or a PBX of several machines.
    std::vector<Cidr> clusters;
    // A BYE from elsewhere than its leg waits until no media came from that leg for so long.
    std::chrono::milliseconds bye_quiet{2000};
    bool monitor_only = false;         // nothing is dropped, everything is reported
    std::vector<Cidr> monitored_peers; // the same of calls with these, outside
};

} // namespace stem::call
