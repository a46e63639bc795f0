// SPDX-License-Identifier: Apache-2.0
// Slows down who guesses passwords: failures are counted for each source, and for each pair of source and
// user. Never for a user alone: who fails from one place does not lock the user out from another.
//
// One IPv6 host has a whole /64 of addresses, and so have all phones of a LAN together: there failures are
// counted for the network, too, which has ten times as many free. Bounded: what failed longest ago is
// forgotten first.
//
// What is being judged elsewhere may fail: many guesses at once would all be looked at before the first has
// failed. So each counts like a failure meanwhile. Of a pair that has not failed as many may be judged at
// once as are free for a source: a trunk makes many calls at once, with one name.
#pragma once

#include <stem/address.h>

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace stem::auth {

class Throttle {
  public:
    using Clock = std::chrono::steady_clock;

    struct Settings {
        std::uint32_t free_of_pair = 3;      // failures that cost nothing
        std::uint32_t free_of_source = 20;   // of all its users together
        std::chrono::seconds first_delay{2}; // after one more; doubles with each
        std::chrono::seconds max_delay{300};
        std::chrono::seconds memory{900}; // without a failure for so long all is forgotten
        std::size_t entries = 65536;      // of sources, and of pairs
    };

    explicit Throttle(Settings settings) : settings_(settings) {}

    // How long that source may not try that user; 0 = it may, by begin() and end() around it.
    [[nodiscard]] std::chrono::seconds wait(const Address& source, std::string_view user,
                                            Clock::time_point now);
    void begin(const Address& source, std::string_view user, Clock::time_point now);
    void end(const Address& source, std::string_view user);
    void failed(const Address& source, std::string_view user, Clock::time_point now);
    // The pair starts anew; the source does not: it may have a password of its own and guess at others.
    void succeeded(const Address& source, std::string_view user);

    void set(Settings settings) { settings_ = settings; }
    [[nodiscard]] std::size_t sources() const noexcept { return sources_.entries.size(); }
    [[nodiscard]] std::size_t pairs() const noexcept { return pairs_.entries.size(); }

    static constexpr std::uint32_t free_of_network = 10; // times those of an address

  private:
    struct Entry {
        std::string key;
        std::uint32_t failures = 0;
        std::uint32_t pending = 0; // begun, and not ended
        Clock::time_point last;
        Clock::time_point until;
    };
    struct Table { // the one that failed last stands first
        std::list<Entry> entries;
        std::unordered_map<std::string, std::list<Entry>::iterator> by_key;
    };
    // What an attempt counts for.
    struct Place {
        Table* table;
        std::string key;
        std::uint32_t free;            // failures that cost nothing
        std::uint32_t free_of_pending; // while nothing has failed
    };
    [[nodiscard]] std::vector<Place> places(const Address& source, std::string_view user);
    Entry& entry(Table& table, const std::string& key, Clock::time_point now) const;
    [[nodiscard]] std::chrono::seconds wait(const Place& place, Clock::time_point now) const;
    void count(const Place& place, Clock::time_point now) const;

    Settings settings_;
    Table sources_; // addresses and networks
    Table pairs_;
};

} // namespace stem::auth
