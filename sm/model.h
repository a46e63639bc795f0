// SPDX-License-Identifier: Apache-2.0
// What the Security Manager knows: users, where they are, how calls to them are treated, and spam callers.
#pragma once

#include "sm/pattern.h"
#include "sm/schedule.h"

#include <stem/address.h>
#include <stem/qvalue.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::sm {

using TimePoint = std::chrono::system_clock::time_point;

struct User {
    std::string name;              // 1..64 of letters, digits, '.', '_', '+', '-'; the key everywhere
    std::string display_name;      // UTF-8, at most 128 octets; may be empty
    std::string profile;           // "" = none: calls are accepted
    std::vector<std::string> uris; // addresses of record, as AddressOfRecord::to_string() spells them
    std::int64_t max_calls = 0;    // to the user, in progress at once; 0 = not bound
};

struct Location {
    enum class Origin : std::uint8_t { learned, set };

    std::string uri;     // the address of record that was registered; "" for a set one
    std::string contact; // contact URI; of a set one that names none: "sip:ADDRESS"
    Address address;
    Origin origin = Origin::set;
    std::optional<TimePoint> expires; // nullopt = never
    QValue q = {};

    [[nodiscard]] bool alive(TimePoint now) const { return !expires || *expires > now; }
};

// What is done with a call.
struct Treatment {
    enum class Action : std::uint8_t { accept, forward, reject, drop };

    Action action = Action::accept;
    std::string target; // of forward: a SIP URI; else ""
    int status = 0;     // of reject: 400..699; else 0
    // Of reject and drop: the caller's source is denied for so long; 0 = not.
    std::int64_t deny_seconds = 0;

    // Fails on a target, status or time that is missing, out of range or out of place.
    [[nodiscard]] Result<> check() const;
    [[nodiscard]] std::string to_string() const; // "forward to sip:bob@example.org", "reject 486"
    bool operator==(const Treatment&) const = default;
};

struct Rule {
    Pattern caller;
    std::optional<Schedule> when; // nullopt = always
    // Only while the user who is called has a living location, or has none; nullopt = in either case.
    std::optional<bool> registered = {};
    Treatment then;

    [[nodiscard]] std::string to_string() const; // "caller *@example.org, mon-fri 08:00-18:00 -> reject 486"
    bool operator==(const Rule&) const = default;
};

struct Profile {
    std::string name;           // as User::name
    Treatment fallback;         // where no rule matches
    std::vector<Rule> rules;    // the first that matches decides
    std::int64_t max_calls = 0; // to all its users together, in progress at once; 0 = not bound
};

// What a digest is verified by (RFC 7616 3.4.2, RFC 8760): hashes that are as secret as the password, which
// is nowhere.
struct Credentials {
    std::string username; // as a phone writes it: mostly the user's name
    std::string realm;
    std::string md5;    // 32 hexadecimal digits in lower case; "" = not known
    std::string sha256; // 64; "" = not known

    // Fails on a name or realm that no quoted string holds as it stands, and on hashes of another form.
    [[nodiscard]] Result<> check() const;
};

// Who may administer with a password instead of a certificate.
struct Administrator {
    std::string name;     // as User::name
    std::string password; // argon2id, in its encoded form: "$argon2id$v=19$..."
};

struct SpamEntry {
    Pattern caller;
    std::string user;              // "" = for all users
    std::string note;              // for people; UTF-8, at most 256 octets
    std::int64_t deny_seconds = 0; // the caller's source is denied for so long; 0 = not
};

// The most that User::max_calls and Profile::max_calls may be.
inline constexpr std::int64_t max_max_calls = 1'000'000;

// Numbers from which on something is told, and from which on it is refused; nullopt = never. What comes to a
// number is still within it: with critical 2 the third is refused.
struct Levels {
    std::optional<std::int64_t> warning;
    std::optional<std::int64_t> critical;

    [[nodiscard]] bool any() const noexcept { return warning || critical; }
    bool operator==(const Levels&) const = default;
};

// A limit of outgoing calls, against toll fraud. Of all that match a call, each must hold.
struct Limit {
    std::string name;               // as User::name
    std::string user;               // "" = of each user by himself
    std::string prefix;             // of the number that is called: "+881", "00"; "" = of all calls
    std::optional<Schedule> when;   // hours of the week in which it holds; nullopt = always
    Levels calls_per_minute;        // that are begun within 60 s
    Levels concurrent;              // in progress at once
    Levels duration;                // s; from critical on the firewall ends the call
    Levels sequential;              // in a row to one number
    int status = 403;               // of a call that is refused: 400..699
    std::int64_t block_seconds = 0; // all outgoing calls of the user are refused so long; 0 = not

    [[nodiscard]] Result<> check() const;
    bool operator==(const Limit&) const = default;
};

// A user whose outgoing calls are refused.
struct Block {
    std::string user; // any_caller = callers that no user has
    TimePoint until;
    std::string why;
};
inline constexpr std::string_view any_caller = "*";

// Firewalls that share thresholds.
struct FirewallGroup {
    std::string name; // as a firewall's
    std::vector<std::string> firewalls;
};

// How long a source may be denied: a year.
inline constexpr std::int64_t max_deny_seconds = 31'536'000;

// A change of a threshold (stem/abi/threshold.h), or the setting that it led to.
struct ThresholdChange {
    std::int64_t version = 0; // rises with every change of any threshold
    std::string firewall;     // "" = the default group
    std::string name;
    std::optional<std::int64_t> value; // nullopt = reset
    TimePoint at;
    std::string who;
};

std::string_view name_of(Treatment::Action action);
std::optional<Treatment::Action> action_from(std::string_view name);
std::string_view name_of(Location::Origin origin);
std::optional<Location::Origin> origin_from(std::string_view name);

// Fails on a time that is not within 0..max_deny_seconds.
Result<> check_deny_seconds(std::int64_t seconds);
Result<> check_max_calls(std::int64_t max_calls);
// `kind`: "user", "profile".
Result<> check_name(std::string_view kind, std::string_view name);
// Text for people: valid UTF-8, no control characters, at most `limit` octets. `field` is named in the error.
Result<> check_text(std::string_view field, std::string_view text, std::size_t limit);

} // namespace stem::sm
