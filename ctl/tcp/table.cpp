// SPDX-License-Identifier: Apache-2.0
#include <ctl/tcp/table.h>

#include <ctl/tcp/budget.h>

#include <algorithm>
#include <limits>

namespace stem::tcp {
namespace {

constexpr std::uint64_t ns_per_second = 1'000'000'000;

// Charged to its source. Who speaks first after a restart says nothing of it: the earlier stemd does.
bool is_unknown(const Arrival& arrival, const std::optional<Place>& earlier) {
    return arrival.direction == STEM_INBOUND ? !arrival.known : earlier && !earlier->known;
}

bool is_transient(Phase phase) {
    return phase != Phase::open;
}

} // namespace

Connection* Table::find(std::uint64_t id) const {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : found->second.get();
}

Connection* Table::find(const Pair& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : find(found->second);
}

stem_reason Table::receive(const Arrival& arrival, std::uint64_t now_ns) {
    const bool inbound = arrival.direction == STEM_INBOUND;
    const Pair key{.outside = inbound ? arrival.source : arrival.destination,
                   .inside = inbound ? arrival.destination : arrival.source};
    Connection* connection = find(key);
    if (connection != nullptr && arrival.segment.is_syn() &&
        (connection->phase() == Phase::closed || connection->phase() == Phase::reset ||
         connection->phase() == Phase::over)) { // the same ports, anew
        if (depth_ > 0) {
            return STEM_TCP_WINDOW;
        }
        forget(connection->id());
        connection = nullptr;
    }
    if (connection == nullptr) {
        return begin(arrival, key, now_ns);
    }
    if (inbound && arrival.known && !connection->known()) { // its source has become somebody
        connection->become_known();
        forget_idle_source(key.outside.address);
    }
    // Made ready for whom? Not for who serves the connection, if the proxy has changed since.
    const Endpoint& reached = arrival.proxy ? *arrival.proxy : arrival.destination;
    const bool right_path = !inbound || reached == connection->ends().served_by;
    depth_++;
    const stem_reason reason =
        connection->receive(arrival.direction, arrival.segment, right_path ? &arrival.path : nullptr, now_ns);
    depth_--;
    after(*connection, now_ns);
    return reason;
}

stem_reason Table::begin(const Arrival& arrival, const Pair& key, std::uint64_t now_ns) {
    const Segment& segment = arrival.segment;
    const bool syn = segment.is_syn();
    if (segment.options.is_signed || segment.has(frame::tcp_rst) ||
        (!syn && (segment.has(frame::tcp_syn) || !segment.has(frame::tcp_ack)))) {
        return STEM_TCP_WINDOW;
    }
    Connection::Ends ends{.outside = key.outside, .inside = key.inside, .served_by = key.inside};
    if (arrival.proxy && arrival.direction == STEM_INBOUND) {
        ends.served_by = *arrival.proxy;
        // The proxy could not tell two connections apart that come from one port of the client.
        if (by_key_.contains({.outside = key.outside, .inside = ends.served_by})) {
            return STEM_PROXY_REFUSED;
        }
    }
    if (!syn && (!arrival.may_resume || !has_time_to_resume(is_unknown(arrival, {}), now_ns))) {
        return STEM_TCP_UNKNOWN;
    }
    std::optional<Place> earlier;
    if (!syn) {
        earlier = context_.places.find(key);
        if (!earlier) {
            refuse_to_resume(arrival);
            return STEM_TCP_UNKNOWN;
        }
    }
    const bool unknown = is_unknown(arrival, earlier);
    if (!has_room_for(key.outside.address, unknown)) {
        context_.counts.refused++;
        return STEM_TCP_LIMIT;
    }
    const std::uint64_t id = ++next_id_;
    Share* share = unknown ? &by_source_[charged_source(key.outside.address)] : nullptr;
    auto made = std::make_unique<Connection>(context_, id, ends, share, now_ns);
    Connection& connection = *made;
    connections_.emplace(id, std::move(made));
    by_key_[key] = id;
    by_key_[{.outside = key.outside, .inside = ends.served_by}] = id;
    connection.begin(arrival.direction, segment, arrival.path, earlier, now_ns);
    after(connection, now_ns);
    return syn ? STEM_TCP_TAKEN : STEM_TCP_UNKNOWN;
}

// Nobody knows where its messages begin (places.h). Who speaks is told that the connection is no more, as by
// the other end (RFC 9293 3.10.7.1), and the other end when it speaks.
void Table::refuse_to_resume(const Arrival& arrival) {
    Outgoing outgoing;
    outgoing.to = arrival.direction;
    outgoing.source = arrival.destination;
    outgoing.destination = arrival.source;
    outgoing.segment.flags = frame::tcp_rst;
    outgoing.segment.sequence = arrival.segment.acknowledgment;
    outgoing.back = &arrival.path;
    context_.counts.segments_out++;
    context_.counts.reset++;
    context_.wire.send(outgoing);
    context_.reader.ended(arrival.direction, arrival.source, arrival.destination, STEM_TCP_UNKNOWN,
                          "no stemd has followed it from its beginning");
}

// Unknown sources leave a quarter to known ones, and each has a limit.
bool Table::has_room_for(const Address& outside, bool unknown) {
    const Settings& settings = context_.settings;
    static constexpr Share unused;
    const Share* share = nullptr;
    if (unknown) {
        const auto found = by_source_.find(charged_source(outside));
        share = found != by_source_.end() ? &found->second : &unused;
        if (share->connections >= settings.max_per_source) {
            return false;
        }
    }
    if (context_.is_full(share)) {
        return false;
    }
    const std::size_t room =
        unknown ? settings.max_connections - settings.max_connections / 4 : settings.max_connections;
    return connections_.size() < room || make_room(unknown);
}

// The oldest that is only begun, or only remembered, goes: to who is not known nobody's who is.
bool Table::make_room(bool for_unknown) {
    if (depth_ > 0) {
        return false;
    }
    return forget_oldest_transient(true) || (!for_unknown && forget_oldest_transient(false));
}

bool Table::forget_oldest_transient(bool unknown) {
    const Connection* connection = first_transient(unknown);
    if (connection == nullptr) {
        return false;
    }
    transient_[unknown ? 1 : 0].pop_front();
    forget(connection->id());
    return true;
}

void Table::list_transient(Connection& connection) {
    if (is_transient(connection.phase()) && !connection.transient_listed) {
        connection.transient_listed = true;
        transient_[connection.known() ? 0 : 1].push_back(connection.id());
    }
}

// Takes out what is forgotten, or open by now, and moves who has become known. None is transient for long, so
// the lists stay short.
Connection* Table::first_transient(bool unknown) {
    auto& list = transient_[unknown ? 1 : 0];
    while (!list.empty()) {
        Connection* connection = find(list.front());
        if (connection != nullptr && is_transient(connection->phase()) && connection->known() != unknown) {
            return connection;
        }
        list.pop_front();
        if (connection != nullptr) {
            connection->transient_listed = false;
            list_transient(*connection);
        }
    }
    return nullptr;
}

void Table::trim_transient() {
    first_transient(true);
    first_transient(false);
}

bool Table::has_time_to_resume(bool unknown, std::uint64_t now_ns) {
    if (now_ns / ns_per_second != resumption_second_) {
        resumption_second_ = now_ns / ns_per_second;
        resumptions_ = {};
    }
    return resumptions_[unknown ? 1 : 0]++ < resumptions_per_second;
}

void Table::forget(std::uint64_t id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) {
        return;
    }
    const Connection& connection = *found->second;
    const auto& ends = connection.ends();
    for (const Endpoint& inside : {ends.inside, ends.served_by}) {
        const auto key = by_key_.find({.outside = ends.outside, .inside = inside});
        if (key != by_key_.end() && key->second == id) {
            by_key_.erase(key);
        }
    }
    const Address source = ends.outside.address;
    connections_.erase(found);
    forget_idle_source(source);
}

void Table::forget_idle_source(const Address& address) {
    const auto source = by_source_.find(charged_source(address));
    if (source != by_source_.end() && source->second.connections == 0) {
        by_source_.erase(source);
    }
}

// Whatever happened in it: when it wants to be looked at next.
void Table::after(Connection& connection, std::uint64_t now_ns) {
    if (connection.phase() == Phase::over) {
        over_.push_back(connection.id());
        bury();
        return;
    }
    const std::uint64_t deadline = connection.deadline();
    if (deadline != 0 && (connection.scheduled_ns == 0 || deadline < connection.scheduled_ns ||
                          connection.scheduled_ns <= now_ns)) {
        connection.scheduled_ns = deadline;
        deadlines_.add(deadline, connection.id());
    }
    list_transient(connection);
}

void Table::bury() {
    if (depth_ > 0) {
        return;
    }
    for (const std::uint64_t id : over_) {
        forget(id);
    }
    over_.clear();
}

bool Table::write(std::uint64_t id, stem_direction direction, std::string_view octets, std::uint64_t now_ns) {
    Connection* connection = find(id);
    if (connection == nullptr) {
        return false;
    }
    depth_++;
    const bool written = connection->write(direction, octets, now_ns);
    depth_--;
    after(*connection, now_ns);
    return written;
}

void Table::settle(std::uint64_t id, stem_direction direction, std::size_t octets, bool went_on,
                   std::uint64_t now_ns) {
    if (Connection* connection = find(id); connection != nullptr) {
        depth_++;
        connection->settle(direction, octets, went_on, now_ns);
        depth_--;
        after(*connection, now_ns);
    }
}

// Of connections that ended while no stemd was there, once.
void Table::forget_stale_places(std::uint64_t now_ns) {
    if (stale_at_ns_ == 0) {
        stale_at_ns_ =
            now_ns + static_cast<std::uint64_t>(std::chrono::nanoseconds(context_.settings.idle).count());
    }
    if (now_ns >= stale_at_ns_) {
        stale_at_ns_ = std::numeric_limits<std::uint64_t>::max();
        context_.places.keep_only([this](const Pair& pair) {
            const Connection* connection = find(pair);
            return connection != nullptr && connection->phase() == Phase::open;
        });
    }
}

void Table::tick(std::uint64_t now_ns) {
    forget_stale_places(now_ns);
    while (const auto due = deadlines_.take_due(now_ns)) {
        Connection* connection = find(*due);
        if (connection == nullptr) {
            continue;
        }
        if (connection->scheduled_ns > now_ns) {
            continue; // there is a later entry for it
        }
        connection->scheduled_ns = 0;
        const std::uint64_t deadline = connection->deadline();
        if (deadline != 0 && deadline <= now_ns) {
            depth_++;
            connection->tick(now_ns);
            depth_--;
        }
        after(*connection, now_ns);
    }
    bury();
    trim_transient();
}

void Table::leave(std::uint64_t now_ns) {
    for (const auto& [id, connection] : connections_) {
        if (connection->phase() == Phase::open && !connection->is_transparent()) {
            connection->fail(connection->origin(), STEM_TCP_ENDED, "stemd stops, and had octets of it",
                             now_ns);
        }
    }
}

bool Table::reset(std::uint64_t id, std::string_view what, std::uint64_t now_ns) {
    Connection* connection = find(id);
    if (connection == nullptr || connection->phase() != Phase::open) {
        return false;
    }
    depth_++;
    connection->fail(connection->origin(), STEM_TCP_ENDED, what, now_ns);
    depth_--;
    after(*connection, now_ns);
    return true;
}

std::size_t Table::open() const noexcept {
    return static_cast<std::size_t>(std::ranges::count_if(
        connections_, [](const auto& each) { return each.second->phase() == Phase::open; }));
}

std::vector<ConnectionInfo> Table::list() const {
    std::vector<ConnectionInfo> all;
    all.reserve(connections_.size());
    for (const auto& [id, connection] : connections_) {
        ConnectionInfo info{.id = id,
                            .phase = to_string(connection->phase()),
                            .origin = connection->origin(),
                            .ends = connection->ends(),
                            .known = connection->known(),
                            .since_ns = connection->since(),
                            .heard_ns = connection->heard(),
                            .stream = {}};
        for (const stem_direction from : {STEM_INBOUND, STEM_OUTBOUND}) {
            const End& end = connection->end(from);
            const End& receiver = connection->end(other(from));
            info.stream[from] = {.octets = end.octets,
                                 .messages = end.messages,
                                 .discarded = end.discarded,
                                 .waiting = end.in ? end.in->stored() : 0,
                                 .held = end.held,
                                 .unsent = receiver.out ? receiver.out->buffered() : 0,
                                 .repeated = receiver.out ? receiver.out->repeated() : 0};
        }
        all.push_back(info);
    }
    std::ranges::sort(all, {}, &ConnectionInfo::id);
    return all;
}

} // namespace stem::tcp
