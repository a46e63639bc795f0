// SPDX-License-Identifier: Apache-2.0
// All SIP connections over TCP: found by their addresses, bounded in number and octets, looked at when one of
// their timers is due. One thread; time comes in with every call (nanoseconds of CLOCK_MONOTONIC).
#pragma once

#include <ctl/tcp/connection.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "ctl/call/deadlines.h"

namespace stem::tcp {

struct Arrival {
    stem_direction direction = STEM_INBOUND;
    Endpoint source; // as it came
    Endpoint destination;
    Segment segment;
    Path path;
    bool known = false;            // by the known lane
    bool may_resume = true;        // if it is not known: is it to be looked into?
    std::optional<Endpoint> proxy; // who is to serve it, instead of its destination; the path leads there
};

// For people.
struct ConnectionInfo {
    std::uint64_t id = 0;
    std::string_view phase;
    stem_direction origin = STEM_INBOUND;
    Connection::Ends ends;
    bool known = false;
    std::uint64_t since_ns = 0;
    std::uint64_t heard_ns = 0;
    struct Stream { // by the direction of what it carries
        std::uint64_t octets = 0;
        std::uint64_t messages = 0;
        std::uint64_t discarded = 0; // octets
        std::size_t waiting = 0;     // octets that came, and are no whole message yet
        std::size_t held = 0;        // octets of messages that are being decided
        std::size_t unsent = 0;      // octets that the other end has not acknowledged
        std::uint64_t repeated = 0;  // segments to the other end
    };
    std::array<Stream, STEM_DIRECTIONS> stream;
};

class Table {
  public:
    // `wire`, `reader` and `places` must outlive it.
    Table(const Settings& settings, Wire& wire, Reader& reader, Places& places)
        : context_{.settings = settings, .wire = wire, .reader = reader, .places = places, .counts = {}} {}

    // Gives what became of the segment: TCP_TAKEN, TCP_WINDOW, TCP_UNKNOWN, TCP_LIMIT.
    stem_reason receive(const Arrival& arrival, std::uint64_t now_ns);
    // Into the stream of `direction`. False: the connection is no longer there.
    bool write(std::uint64_t connection, stem_direction direction, std::string_view octets,
               std::uint64_t now_ns);
    // A message that the reader had has been judged.
    void settle(std::uint64_t connection, stem_direction direction, std::size_t octets, bool went_on,
                std::uint64_t now_ns);
    void tick(std::uint64_t now_ns);
    // stemd stops: ends the connections that the next one could not take over, as their ends' numbers differ
    // or something of them is here.
    void leave(std::uint64_t now_ns);
    // RST to both ends, for a connection that stands. False: there is none.
    bool reset(std::uint64_t connection, std::string_view what, std::uint64_t now_ns);

    [[nodiscard]] std::vector<ConnectionInfo> list() const;
    [[nodiscard]] const Counts& counts() const noexcept { return context_.counts; }
    [[nodiscard]] std::size_t size() const noexcept { return connections_.size(); }
    [[nodiscard]] std::size_t open() const noexcept;                              // of these
    [[nodiscard]] std::size_t stored() const noexcept { return context_.stored; } // octets

    // Segments of connections that are not known are looked into so often in a second, those of known sources
    // and those of others each; more wait.
    static constexpr unsigned resumptions_per_second = 200;

  private:
    struct PairHash {
        std::size_t operator()(const Pair& pair) const noexcept {
            return std::hash<Endpoint>{}(pair.outside) * 31 + std::hash<Endpoint>{}(pair.inside);
        }
    };

    Connection* find(const Pair& key) const;
    Connection* find(std::uint64_t id) const;
    stem_reason begin(const Arrival& arrival, const Pair& key, std::uint64_t now_ns);
    void refuse_to_resume(const Arrival& arrival);
    bool has_room_for(const Address& outside, bool unknown);
    void forget_stale_places(std::uint64_t now_ns);
    bool make_room(bool for_unknown);
    bool forget_oldest_transient(bool unknown);
    void list_transient(Connection& connection);
    Connection* first_transient(bool unknown);
    void trim_transient();
    bool has_time_to_resume(bool unknown, std::uint64_t now_ns);
    void forget(std::uint64_t id);
    void forget_idle_source(const Address& address);
    void after(Connection& connection, std::uint64_t now_ns);
    void bury();

    Context context_;
    std::unordered_map<Address, Share> by_source_; // of sources that nobody knows; outlives their connections
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::unordered_map<Pair, std::uint64_t, PairHash> by_key_; // as each end has its addresses
    // Begun, or over: the oldest go when there is no room. Those of known sources and those of others.
    std::array<std::deque<std::uint64_t>, 2> transient_;
    std::vector<std::uint64_t> over_; // to be forgotten once nobody is at work in them
    call::Deadlines<std::uint64_t> deadlines_;
    unsigned depth_ = 0; // calls under way, as a reader calls back
    std::uint64_t next_id_ = 0;
    std::uint64_t resumption_second_ = 0;
    std::array<unsigned, 2> resumptions_{}; // of known sources and of others, in that second
    std::uint64_t stale_at_ns_ = 0;         // of places that nobody has taken over; 0: not ticked yet
};

} // namespace stem::tcp
