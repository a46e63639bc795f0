// SPDX-License-Identifier: Apache-2.0
#include "ctl/mgcp/mgcp_parser.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "ctl/sdp/bundle.h"
#include "ctl/sdp/session.h"

namespace stem::mgcp {
namespace {

constexpr std::uint64_t sweep_every_ns = 1'000'000'000;
constexpr std::uint64_t ours = 1ULL << 63; // SIP's dialogs have 48 bits: the two never meet

stem_direction opposite(stem_direction direction) {
    return direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND;
}

std::uint64_t ns_of(std::chrono::nanoseconds duration) {
    return static_cast<std::uint64_t>(duration.count());
}

std::uint64_t random_start() {
    std::random_device device;
    return ours | (std::uint64_t{device()} << 16U ^ device());
}

// RFC 3435 2.4; 000 acknowledges a response.
bool is_provisional(int code) {
    return code >= 100 && code < 200;
}
bool is_success(int code) {
    return code >= 200 && code < 300;
}
bool is_final(int code) {
    return code >= 200;
}

// Nothing is learned here: [media] elsewhere lets no address off because it would be.
call::Settings without_learning(call::Settings settings) {
    settings.nat = call::Nat::never;
    return settings;
}

bool connects(Verb verb) {
    return verb == Verb::create || verb == Verb::modify;
}

// RFC 3435 3.2.2.6: what the gateway does with its connection, beside what the descriptions say.
void apply_mode(const std::string& mode, std::vector<stem_media>& local) {
    unsigned away = 0;
    if (mode == "sendonly") {
        away = STEM_MEDIA_RECEIVES;
    } else if (mode == "recvonly") {
        away = STEM_MEDIA_SENDS;
    } else if (mode == "inactive") {
        away = STEM_MEDIA_RECEIVES | STEM_MEDIA_SENDS;
    }
    for (auto& line : local) {
        line.flags = static_cast<std::uint16_t>(line.flags & ~away);
    }
}

} // namespace

bool MgcpParser::TransactionKey::operator<(const TransactionKey& other) const {
    if (const int order = std::memcmp(&from, &other.from, sizeof(from)); order != 0) {
        return order < 0;
    }
    if (const int order = std::memcmp(&to, &other.to, sizeof(to)); order != 0) {
        return order < 0;
    }
    return std::pair(direction, number) < std::pair(other.direction, other.number);
}

MgcpParser::MgcpParser(const Settings& settings, const call::Settings& media, call::Egress& egress,
                       call::FlowStore& flows)
    : settings_(settings), media_(without_learning(media)), egress_(egress), flows_(flows),
      pinholes_(flows, egress), next_dialog_(random_start()) {
}

void MgcpParser::receive(call::Packet packet, std::uint64_t now_ns) {
    now_ns_ = now_ns;
    const auto messages = parse(packet.payload, settings_.limits);
    if (!messages) {
        egress_.drop(std::move(packet), STEM_SIP_MALFORMED, "MGCP: " + messages.error());
        return;
    }
    // One that may not go on takes those beside it with it: the datagram is not cut up.
    for (const Message& message : *messages) {
        if (auto fault = judge(packet, message)) {
            egress_.drop(std::move(packet), fault->reason, "MGCP: " + fault->what);
            return;
        }
    }
    pinholes_.run(now_ns_);
    egress_.release(std::move(packet));
}

MgcpParser::Verdict MgcpParser::judge(const call::Packet& packet, const Message& message) {
    return message.command ? judge_command(packet, message) : judge_response(packet, message);
}

// The description's lines; nothing where there is none. `fault`: why it may not be.
std::optional<std::vector<stem_media>>
MgcpParser::describe(const call::Packet& packet, const Message& message, std::string& fault) const {
    if (message.description.find_first_not_of("\r\n \t") == std::string_view::npos) {
        return std::nullopt;
    }
    auto session = sdp::parse(message.description, media_.sdp);
    if (!session) {
        fault = session.error().what;
        return std::nullopt;
    }
    // A command says where others are, a response where its sender is.
    call::MediaBounds bounds;
    if (!message.command && packet.direction == STEM_INBOUND) {
        bounds.signalled = &packet.source.address;
    }
    if (auto refusal = call::refuse_media(*session, bounds, media_)) {
        fault = *refusal;
        return std::nullopt;
    }
    call::drop_candidates(*session, bounds, media_);
    return call::media_of(*session);
}

MgcpParser::Verdict MgcpParser::judge_command(const call::Packet& packet, const Message& message) {
    const TransactionKey key{.direction = packet.direction,
                             .from = packet.source.address.raw(),
                             .to = packet.destination.address.raw(),
                             .number = message.transaction};
    if (transactions_.contains(key)) {
        return std::nullopt; // repeated; what counts is what came first
    }
    if (transactions_.size() >= settings_.transactions) {
        return Fault{STEM_CALL_LIMIT, "as many commands as [parsers] mgcp_transactions allows"};
    }
    Transaction transaction{.verb = message.verb,
                            .endpoint = message.endpoint,
                            .call = message.call,
                            .connection = message.connection,
                            .mode = message.mode,
                            .remote = {},
                            .answer = {},
                            .expires_ns = now_ns_ + ns_of(settings_.transaction_time)};
    std::string fault;
    if (connects(message.verb)) {
        if (message.call.empty() || (message.verb == Verb::modify && message.connection.empty())) {
            return Fault{STEM_SIP_MALFORMED, "a connection without C, or a change of one without I"};
        }
        if (message.verb == Verb::create && connections_.size() >= settings_.connections) {
            return Fault{STEM_CALL_LIMIT, "as many connections as [parsers] mgcp_connections allows"};
        }
        transaction.remote = describe(packet, message, fault).value_or(std::vector<stem_media>{});
        if (!fault.empty()) {
            return Fault{STEM_MEDIA_ADDRESS, fault};
        }
    }
    // A gateway that starts anew, or goes out of service, has no connections any more.
    if (message.verb == Verb::restart &&
        (message.restart_method == "restart" || message.restart_method == "forced")) {
        erase(packet.source.address.to_string(), message.endpoint, {}, {});
    }
    transactions_.emplace(key, std::move(transaction));
    return std::nullopt;
}

MgcpParser::Verdict MgcpParser::judge_response(const call::Packet& packet, const Message& message) {
    const TransactionKey key{.direction = opposite(packet.direction),
                             .from = packet.destination.address.raw(),
                             .to = packet.source.address.raw(),
                             .number = message.transaction};
    if (message.code == 0) { // an acknowledgement of a response goes the command's way (RFC 3435 3.5.6)
        const TransactionKey forward{.direction = packet.direction,
                                     .from = packet.source.address.raw(),
                                     .to = packet.destination.address.raw(),
                                     .number = message.transaction};
        if (transactions_.contains(forward)) {
            return std::nullopt;
        }
    }
    const auto found = transactions_.find(key);
    if (found == transactions_.end()) {
        return Fault{STEM_SIP_NO_TRANSACTION,
                     fmt::format("{} {} answers no command seen", message.code, message.transaction)};
    }
    Transaction& transaction = found->second;
    if (is_final(message.code)) {
        return judge_final(packet, message, transaction);
    }
    if (is_provisional(message.code) && !transaction.answer) {
        transaction.expires_ns = now_ns_ + ns_of(settings_.transaction_time);
    }
    return std::nullopt;
}

// A command has one final response, and what follows is that one again (RFC 3435 3.5.1): it passes, changes
// nothing, and makes nothing last longer. Else its answerer could have any number of connections.
MgcpParser::Verdict MgcpParser::judge_final(const call::Packet& packet, const Message& message,
                                            Transaction& transaction) {
    const bool success = is_success(message.code);
    Answer answer{
        .success = success, .endpoint = message.specific_endpoint, .connection = message.connection};
    if (transaction.answer) {
        if (success && connects(transaction.verb) && *transaction.answer != answer) {
            return Fault{STEM_SIP_NO_TRANSACTION, fmt::format("{} {} answers otherwise than before",
                                                              message.code, message.transaction)};
        }
        return std::nullopt;
    }
    if (success) {
        if (auto fault = answered(packet, message, transaction)) {
            return fault;
        }
    }
    transaction.answer = std::move(answer);
    transaction.expires_ns = now_ns_ + ns_of(settings_.transaction_time); // for as long as it may be repeated
    return std::nullopt;
}

MgcpParser::Verdict MgcpParser::answered(const call::Packet& packet, const Message& message,
                                         const Transaction& transaction) {
    if (connects(transaction.verb)) {
        return agree(packet, message, transaction);
    }
    if (transaction.verb == Verb::erase) { // by the call agent; or by the gateway, which sent the command
        for (const Address& gateway : {packet.source.address, packet.destination.address}) {
            erase(gateway.to_string(), transaction.endpoint, transaction.call, transaction.connection);
        }
    }
    return std::nullopt;
}

MgcpParser::Verdict MgcpParser::agree(const call::Packet& packet, const Message& message,
                                      const Transaction& transaction) {
    ConnectionKey key{.gateway = packet.source.address.to_string(),
                      .endpoint = transaction.endpoint,
                      .id = transaction.connection};
    if (transaction.verb == Verb::create) { // only this one's answer names anything (RFC 3435 2.3.5, 2.3.6)
        key.endpoint = message.specific_endpoint.empty() ? key.endpoint : message.specific_endpoint;
        key.id = message.connection.empty() ? key.id : message.connection;
    } else if (!message.connection.empty() && message.connection != key.id) {
        return Fault{STEM_SIP_NO_TRANSACTION,
                     fmt::format("{} {} is of connection {}, and the command of {}", message.code,
                                 message.transaction, message.connection, key.id)};
    }
    auto place = connections_.find(key);
    if (key.id.empty() ||
        (place == connections_.end() && transaction.verb == Verb::modify && message.description.empty())) {
        return std::nullopt; // nothing that could be opened
    }
    if (place == connections_.end()) {
        if (connections_.size() >= settings_.connections) { // since the command went by
            return Fault{STEM_CALL_LIMIT, "as many connections as [parsers] mgcp_connections allows"};
        }
        place = connections_.try_emplace(key).first;
        place->second.dialog = ++next_dialog_ | ours;
    }
    Connection& connection = place->second;
    connection.call = transaction.call;
    connection.to_gateway = opposite(packet.direction);
    connection.sign_ns = now_ns_;
    if (!transaction.mode.empty()) {
        connection.mode = transaction.mode;
    }
    if (!transaction.remote.empty()) {
        connection.remote = transaction.remote;
        connection.gateway_offered = true; // unless it describes anew
    }
    std::string fault;
    if (auto local = describe(packet, message, fault); local) {
        connection.local = std::move(*local);
        connection.gateway_offered = false;
    } else if (!fault.empty()) {
        connection.local.clear();
        egress_.count(STEM_MEDIA_ADDRESS, packet.direction);
        spdlog::warn("MGCP connection {} of {}: no pinhole: {}", key.id, key.endpoint, fault);
    }
    open(key, connection);
    return std::nullopt;
}

void MgcpParser::open(const ConnectionKey& key, Connection& connection) {
    auto remote = connection.remote;
    auto local = connection.local;
    if (connection.gateway_offered) {
        sdp::share_bundles(local, remote);
    } else {
        sdp::share_bundles(remote, local);
    }
    apply_mode(connection.mode, local);
    const auto flows = call::flows_between(remote, local, connection.to_gateway, connection.dialog, now_ns_);
    pinholes_.replace(connection.dialog, flows, now_ns_ + ns_of(media_.change_grace));
    spdlog::info("MGCP connection {} of {}: {} pinholes", key.id, key.endpoint, flows.size());
}

void MgcpParser::erase(const std::string& gateway, const std::string& endpoint, const std::string& call,
                       const std::string& id) {
    std::erase_if(connections_, [&](const auto& entry) {
        const auto& [key, connection] = entry;
        const bool meant = key.gateway == gateway && covers(endpoint, key.endpoint) &&
                           (call.empty() || connection.call == call) && (id.empty() || key.id == id);
        if (meant) {
            pinholes_.close(connection.dialog, now_ns_ + ns_of(media_.close_grace));
        }
        return meant;
    });
}

// Are media to come? On hold, and before the far end is known, neither end need send.
bool MgcpParser::expects_media(const Connection& connection) {
    bool open[STEM_DIRECTIONS] = {false, false};
    for (const auto& key : pinholes_.keys_of(connection.dialog)) {
        const auto flow = flows_.get(key);
        open[key.direction] = open[key.direction] || (flow && flow->kind != STEM_FLOW_RTCP);
    }
    return open[STEM_INBOUND] && open[STEM_OUTBOUND];
}

// No media for the interval: the call may be over, its DLCX lost or its call agent. But the gateway may have
// its connection still, and a later MDCX opens the pinholes again.
void MgcpParser::close_silent() {
    for (auto& [key, connection] : connections_) {
        const auto last = std::max(pinholes_.last_seen_ns(connection.dialog), connection.sign_ns);
        if (last + ns_of(media_.silence) <= now_ns_ && expects_media(connection)) {
            connection.sign_ns = last; // the pinholes will not tell any more
            pinholes_.replace(connection.dialog, call::Flows{}, now_ns_);
            spdlog::info("MGCP connection {} of {}: no media for the silence interval", key.id, key.endpoint);
        }
    }
}

void MgcpParser::erase_idle() {
    std::erase_if(connections_, [&](const auto& entry) {
        const auto& [key, connection] = entry;
        const std::uint64_t idle_ns = ns_of(media_.idle);
        const bool idle = connection.sign_ns + idle_ns <= now_ns_ &&
                          pinholes_.last_seen_ns(connection.dialog) + idle_ns <= now_ns_ &&
                          !expects_media(connection);
        if (idle) {
            pinholes_.close(connection.dialog, now_ns_);
            spdlog::info("MGCP connection {} of {}: no sign of life for the idle interval", key.id,
                         key.endpoint);
        }
        return idle;
    });
}

void MgcpParser::tick(std::uint64_t now_ns) {
    now_ns_ = now_ns;
    if (now_ns >= swept_ns_ + sweep_every_ns) {
        swept_ns_ = now_ns;
        std::erase_if(transactions_, [&](const auto& entry) { return entry.second.expires_ns <= now_ns; });
        close_silent();
        erase_idle();
    }
    pinholes_.run(now_ns);
}

} // namespace stem::mgcp
