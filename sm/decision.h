// SPDX-License-Identifier: Apache-2.0
// What is asked of the Security Manager for each new call, and what it answers.
#pragma once

#include <stem/abi/address.h>
#include <stem/address.h>
#include <stem/qvalue.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stem::sm {

struct Query {
    std::string caller; // From URI, as it stood
    std::string callee; // request URI, as it stood
    std::string call_id;
    stem_direction direction = STEM_INBOUND;
    std::chrono::system_clock::time_point at;
    // The firewall's name of the call, by which it tells what becomes of it (Link::follow()); "" = it will
    // not.
    std::string call = {};
    // For calls whose sender must say who it is (sm/auth).
    std::optional<Address> source = {};          // where the INVITE came from
    std::string method = "INVITE";               // what a digest is made of (RFC 7616 3.4.3)
    std::vector<std::string> authorization = {}; // values of Proxy-Authorization, as they stood; no more than
                                                 // max_authorizations, each of max_authorization octets
    // Who has shown to be calling: found by the Security Manager, never told by a firewall.
    std::string user = {};
};

inline constexpr std::size_t max_authorizations = 8;
inline constexpr std::size_t max_authorization = 2048;

// Let the call in. `terminals`: where the callee's media may be, the most preferred first; empty = not bound
// to an address.
struct Accept {
    std::vector<Address> terminals;
};

// Let it in with a new request URI.
struct Forward {
    std::string target; // a SIP URI
    std::vector<Address> terminals;
};

struct Reject {
    int status = 403;                    // 400..699
    std::string phrase;                  // "" = RFC 3261's
    std::chrono::seconds retry_after{0}; // for the header Retry-After (RFC 3261 20.33); 0 = without
};

struct Drop {
    bool spam = false; // matched a spam list
};

// Ask the sender who it is: 407, and decide anew when the INVITE comes back with an answer (RFC 3261 22.3).
// Without values nobody is there who could judge an answer: the call is refused with 503.
struct Challenge {
    std::vector<std::string> values; // of Proxy-Authenticate, one header each; the best first (RFC 8760 2.3)
    bool stale = false;              // what was answered was right once: for people; the values say it, too
};

struct Decision {
    std::variant<Accept, Forward, Reject, Drop, Challenge> action;
    std::string user; // the user whose profile decided; "" = none
    std::string why;  // for people: "rule 2 of profile office: caller *@example.org"
    // Of Reject and Drop: the source that the INVITE came from is to be denied for so long; 0 = not.
    std::chrono::seconds deny{0};
    std::string deny_note = {}; // for the deny list: what was matched, in a few words
    // Of Accept and Forward: so long after its answer the firewall ends the call; 0 = not bound.
    std::chrono::seconds max_duration{0};
};

// The way to a Security Manager: in this process, or over TLS (ctl/smlink). `done` is called exactly once,
// from the event loop of the caller, at once or later, unless the link is destroyed first.
class Link {
  public:
    Link() = default;
    virtual ~Link() = default;
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    virtual void decide(const Query& query, std::function<void(Decision)> done) = 0;

    // A binding that a REGISTER and its 200 have made known (RFC 3261 10.3).
    struct Binding {
        std::string address_of_record; // "sip:alice@example.org"
        std::string contact;           // contact URI
        Address address;               // where the terminal is: the source of the REGISTER as STEM saw it
        std::chrono::seconds lifetime; // 0 = removed
        bool all = false;              // "Contact: *" with Expires 0: remove each one
        QValue q = {};
    };
    virtual void learn(const Binding& binding) = 0;

    // A media stream that was ended, because it went on sending more than its call had negotiated.
    struct StreamEnd {
        std::string caller; // URIs
        std::string callee;
        std::string call_id;
        Endpoint source;
        Endpoint destination;
        std::string cause;       // label of the reason: "flow_byte_rate"
        bool call_ended = false; // and its call with it
    };
    virtual void report(const StreamEnd& /*end*/) {}

    // What becomes of a call that was let in. Each call that is told of as going or answered is told of as
    // ended.
    struct CallEvent {
        enum class State : std::uint8_t { going, answered, ended };

        std::string call; // Query::call
        std::string call_id;
        std::string caller; // From URI
        std::string callee; // request URI
        stem_direction direction = STEM_INBOUND;
        std::string user; // Decision::user; "" = none, or not known any more (adopted after a restart)
        State state = State::going;
        std::chrono::system_clock::time_point at; // when it came to this
        std::string cause = {};                   // of ended, for people: "ended by BYE", "failed with 486"
    };
    virtual void follow(const CallEvent& /*event*/) {}
};

} // namespace stem::sm
