// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/packet_stages.h"

#include "ctl/kernel/clock.h"

#include <netinet/in.h>

#include <algorithm>

namespace stem::kernel {
namespace {

using Found = Result<std::optional<StageHit>>;

Result<bool> listed(const FailsafeMap& list, const Address& client, std::uint16_t port, std::uint8_t protocol,
                    stem_direction direction) {
    stem_failsafe_key key{.prefix_length = STEM_FAILSAFE_PREFIX_BASE + 128,
                          .port = port,
                          .protocol = protocol,
                          .direction = static_cast<std::uint8_t>(direction),
                          .client = {}};
    std::ranges::copy(client.octets(), key.client);
    const auto entry = list.get(key);
    if (!entry) {
        return std::unexpected(entry.error());
    }
    return entry->has_value();
}

Found failsafe(const Instance& instance, const PacketDescription& packet) {
    const auto& fields = packet.fields;
    if (!fields.has_ports()) {
        return std::nullopt;
    }
    const auto list = instance.failsafe();
    if (!list) {
        return std::unexpected(list.error());
    }
    const auto there =
        listed(*list, fields.source, fields.destination_port, fields.protocol, fields.direction);
    if (!there) {
        return std::unexpected(there.error());
    }
    if (*there) {
        return StageHit{.reason = STEM_FAILSAFE, .detail = "the fail-safe list lets such clients in"};
    }
    if (fields.protocol == IPPROTO_TCP && !packet.tcp_ack) {
        return std::nullopt;
    }
    const auto back = fields.direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND;
    const auto answer = listed(*list, fields.destination, fields.source_port, fields.protocol, back);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    return *answer ? std::optional<StageHit>(
                         {.reason = STEM_FAILSAFE, .detail = "the fail-safe list lets such services answer"})
                   : std::nullopt;
}

std::string deny_text(const stem_deny& entry) {
    const std::string note(entry.note, strnlen(entry.note, sizeof(entry.note)));
    return note.empty() ? "the source is on the deny list" : "the source is on the deny list: " + note;
}

Found denied(const Instance& instance, const PacketFields& fields) {
    const std::uint64_t now = monotonic_ns();
    const auto in_force = [&](const std::optional<stem_deny>& entry) {
        return entry && (entry->expires_ns == 0 || entry->expires_ns > now);
    };
    const auto exact = DenyMap::open(instance.pin("deny"));
    const auto networks = DenyCidrMap::open(instance.pin("deny_cidr"));
    if (!exact || !networks) {
        return std::unexpected(exact ? networks.error() : exact.error());
    }
    const auto host = exact->get({.source = fields.source.raw()});
    if (!host) {
        return std::unexpected(host.error());
    }
    if (in_force(*host)) {
        return StageHit{.reason = STEM_DENY, .detail = deny_text(**host)};
    }
    stem_deny_cidr_key key{.prefix_length = 128, .source = {}};
    std::ranges::copy(fields.source.octets(), key.source);
    const auto network = networks->get(key);
    if (!network) {
        return std::unexpected(network.error());
    }
    return in_force(*network)
               ? std::optional<StageHit>({.reason = STEM_DENY_CIDR, .detail = deny_text(**network)})
               : std::nullopt;
}

Found pinhole(const Instance& instance, const PacketFields& fields) {
    if (fields.protocol != IPPROTO_UDP || fields.fragment) {
        return std::nullopt;
    }
    const auto flows = instance.flows();
    if (!flows) {
        return std::unexpected(flows.error());
    }
    stem_flow_key key{};
    key.src = fields.source.raw();
    key.dst = fields.destination.raw();
    key.sport = fields.source_port;
    key.dport = fields.destination_port;
    key.direction = static_cast<std::uint8_t>(fields.direction);
    key.protocol = fields.protocol;
    const auto flow = flows->get(key);
    if (!flow) {
        return std::unexpected(flow.error());
    }
    return *flow ? std::optional<StageHit>(
                       {.reason = STEM_FLOW,
                        .detail = "a call's pinhole is open for it: the flow monitor judges it"})
                 : std::nullopt;
}

} // namespace

Found stage_before_rules(const Instance& instance, const PacketDescription& packet) {
    auto found = failsafe(instance, packet);
    if (found && !*found) {
        found = denied(instance, packet.fields);
    }
    if (found && !*found) {
        found = pinhole(instance, packet.fields);
    }
    return found;
}

Result<stem_reason> stage_after_rules(const Instance& instance, const PacketDescription& packet,
                                      const std::array<std::uint8_t, STEM_DIRECTIONS>& policy) {
    const PacketFields& fields = packet.fields;
    const bool tcp = fields.protocol == IPPROTO_TCP;
    if ((tcp || fields.protocol == IPPROTO_UDP) && !fields.fragment) {
        const auto ports = instance.sip_ports();
        if (!ports) {
            return std::unexpected(ports.error());
        }
        // Who begins a connection from a SIP port to another port does not talk SIP.
        const bool either = !tcp || packet.tcp_ack;
        for (const std::uint16_t port :
             {fields.destination_port, either ? fields.source_port : fields.destination_port}) {
            const auto sip = ports->get(port);
            if (!sip) {
                return std::unexpected(sip.error());
            }
            if (*sip) {
                return STEM_STEER_SIP;
            }
        }
    }
    return policy_verdict(fields, policy);
}

stem_reason policy_verdict(const PacketFields& packet,
                           const std::array<std::uint8_t, STEM_DIRECTIONS>& policy) noexcept {
    if (policy.at(packet.direction) == STEM_ACTION_PASS) {
        return STEM_POLICY_PASS;
    }
    if (packet.fragment) {
        return STEM_FRAGMENT;
    }
    return packet.protocol == IPPROTO_UDP ? STEM_NO_PINHOLE : STEM_POLICY_DROP;
}

} // namespace stem::kernel
