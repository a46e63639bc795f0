// SPDX-License-Identifier: Apache-2.0
// MGCP as a protocol parser (RFC 3435): gateways at the edge, whose calls somebody else's call agent makes.
// Each response must answer a command that went by; a connection's pinholes open when its gateway has
// answered CRCX or MDCX, before the answer leaves, and close on DLCX, RSIP, or when its media stay away (then
// until its next MDCX).
//
// What it knows is lost with stemd: connections of an earlier one have no pinholes until their next MDCX.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "ctl/call/media_policy.h"
#include "ctl/call/pinholes.h"
#include "ctl/call/settings.h"
#include "ctl/mgcp/message.h"
#include "ctl/parser/protocol_parser.h"

namespace stem::mgcp {

struct Settings {
    Limits limits;
    std::size_t transactions = 8192; // commands that wait for responses, or for being repeated
    std::size_t connections = 8192;
    std::chrono::milliseconds transaction_time{30000}; // RFC 3435 3.5.1: T-HIST
};

class MgcpParser final : public parser::ProtocolParser {
  public:
    // `media`: the call monitor's own rules for addresses and times. Both stores must outlive it.
    MgcpParser(const Settings& settings, const call::Settings& media, call::Egress& egress,
               call::FlowStore& flows);

    [[nodiscard]] std::string_view name() const noexcept override { return "mgcp"; }
    void receive(call::Packet packet, std::uint64_t now_ns) override;
    void tick(std::uint64_t now_ns) override;

    [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }
    [[nodiscard]] std::size_t transactions() const noexcept { return transactions_.size(); }

  private:
    // Of the command: which way it went, between whom, and its number.
    struct TransactionKey {
        stem_direction direction;
        stem_addr from;
        stem_addr to;
        std::uint32_t number;

        bool operator<(const TransactionKey& other) const;
    };
    // What the final response said of a connection.
    struct Answer {
        bool success = false;
        std::string endpoint; // the specific one
        std::string connection;

        bool operator==(const Answer&) const = default;
    };
    struct Transaction {
        Verb verb = Verb::other;
        std::string endpoint;
        std::string call;
        std::string connection;
        std::string mode;
        std::vector<stem_media> remote; // what the command's description says; empty = none
        std::optional<Answer> answer;   // the first that is final
        std::uint64_t expires_ns = 0;
    };
    // Connection identifiers are unique in an endpoint, endpoints in a gateway.
    struct ConnectionKey {
        std::string gateway; // its address
        std::string endpoint;
        std::string id;

        auto operator<=>(const ConnectionKey&) const = default;
    };
    struct Connection {
        std::uint64_t dialog = 0; // its number among the flows
        std::string call;
        stem_direction to_gateway = STEM_INBOUND;
        std::string mode;
        std::vector<stem_media> remote; // where the gateway sends to
        std::vector<stem_media> local;  // where the gateway is
        bool gateway_offered = false;   // else it answered (RFC 3264): `remote` was there first
        std::uint64_t sign_ns = 0;      // of life, beside its media: answered, or silent since
    };
    // Why a message may not go on.
    struct Fault {
        stem_reason reason;
        std::string what;
    };
    using Verdict = std::optional<Fault>;

    Verdict judge(const call::Packet& packet, const Message& message);
    Verdict judge_command(const call::Packet& packet, const Message& message);
    Verdict judge_response(const call::Packet& packet, const Message& message);
    std::optional<std::vector<stem_media>> describe(const call::Packet& packet, const Message& message,
                                                    std::string& fault) const;
    Verdict judge_final(const call::Packet& packet, const Message& message, Transaction& transaction);
    Verdict answered(const call::Packet& packet, const Message& message, const Transaction& transaction);
    Verdict agree(const call::Packet& packet, const Message& message, const Transaction& transaction);
    void open(const ConnectionKey& key, Connection& connection);
    void erase(const std::string& gateway, const std::string& endpoint, const std::string& call,
               const std::string& id);
    bool expects_media(const Connection& connection);
    void close_silent();
    void erase_idle();

    Settings settings_;
    call::Settings media_;
    call::Egress& egress_;
    call::FlowStore& flows_;
    call::Pinholes pinholes_;
    std::map<TransactionKey, Transaction> transactions_;
    std::map<ConnectionKey, Connection> connections_;
    std::uint64_t next_dialog_;
    std::uint64_t now_ns_ = 0;
    std::uint64_t swept_ns_ = 0;
};

} // namespace stem::mgcp
