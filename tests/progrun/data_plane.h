// SPDX-License-Identifier: Apache-2.0
// The data plane, loaded but attached to nothing: packets are put through it with BPF_PROG_TEST_RUN.
#pragma once

#include <ctl/kernel/mapped_array.h>
#include <ctl/kernel/rules.h>
#include <packet/bytes.h>
#include <stem/abi/deny.h>
#include <stem/abi/event.h>
#include <stem/abi/flow.h>
#include <stem/abi/fragment.h>
#include <stem/abi/learning.h>
#include <stem/abi/meta.h>
#include <stem/abi/monitored.h>
#include <stem/abi/neighbour.h>
#include <stem/abi/peer.h>
#include <stem/abi/proxy.h>
#include <stem/abi/reason.h>
#include <stem/abi/ruleset.h>
#include <stem/abi/signalling.h>
#include <stem/abi/state.h>
#include <stem/abi/steer.h>
#include <stem/abi/syn.h>
#include <stem/abi/threshold.h>
#include <stem/address.h>
#include <stem/unique_fd.h>

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

struct bpf_map;
struct ring_buffer;
struct stem_bpf;

namespace stem::test {

// The program's constants (bpf/settings.h). One object is loaded for each set of them that a test asks for.
struct Settings {
    stem_mode mode = STEM_MODE_BRIDGE;
    std::uint32_t modules = STEM_MODULES_INITIAL;
    bool fallback_open = false;
    bool failsafe_udp = false;
    std::uint32_t event_rate = 1000; // per second and CPU
    std::uint32_t states_max = 65536;

    auto operator<=>(const Settings&) const = default;
};

using Counters = std::array<stem_counter, STEM_COUNTER_SLOTS>; // summed over the CPUs
using StateCounters = std::array<std::uint64_t, STEM_STATE_COUNTERS>;
using EventCounters = std::array<std::uint64_t, STEM_EVENT_COUNTERS>;

struct Outcome {
    std::uint32_t action = 0; // XDP_*
    Bytes output;             // from the metadata on, where there is any
    std::uint32_t duration_ns = 0;
};

// Everything here throws std::system_error when the kernel refuses: in a test that is a defect.
class DataPlane {
  public:
    // The plane with these settings, emptied: SIP on 5060, policy drop both ways, no rules, both ports there,
    // every threshold at its default, no known peers, the clock at `start_ns`. Lives until the process ends.
    static DataPlane& with(const Settings& settings = {});
    static constexpr std::uint64_t start_ns = 1'000'000'000'000;

    ~DataPlane();
    DataPlane(const DataPlane&) = delete;
    DataPlane& operator=(const DataPlane&) = delete;

    [[nodiscard]] const Settings& settings() const { return settings_; }

    // Runs the program of the port that `direction` comes in by. `metadata` octets at the front of `frame`
    // are XDP metadata, not packet.
    Outcome run(stem_direction direction, std::span<const std::uint8_t> frame, std::uint32_t queue = 0,
                std::uint32_t metadata = 0, int repeat = 1);

    void set_time(std::uint64_t ns);
    void advance(std::uint64_t ns) { set_time(now() + ns); }
    [[nodiscard]] std::uint64_t now() const;

    [[nodiscard]] Counters counters() const;
    [[nodiscard]] EventCounters event_counters() const;
    std::vector<stem_event> take_events();
    void refill_event_budget();

    void add_deny(const Address& source, std::uint64_t expires_ns = 0, bool set_filter = true);
    void add_deny(const Cidr& network, std::uint64_t expires_ns = 0, bool set_filter = true);
    [[nodiscard]] stem_deny deny_of(const Address& source) const;
    [[nodiscard]] stem_deny deny_of(const Cidr& network) const;

    void add_failsafe(const Cidr& client, std::uint16_t port, std::uint8_t protocol, stem_direction way);
    [[nodiscard]] std::uint64_t failsafe_packets(const Cidr& client, std::uint16_t port,
                                                 std::uint8_t protocol, stem_direction way) const;

    void set_flow(const stem_flow_key& key, const stem_flow& flow);
    [[nodiscard]] stem_flow flow_of(const stem_flow_key& key) const;
    [[nodiscard]] bool has_flow(const stem_flow_key& key) const;
    void set_learning(const stem_learning_key& key, const stem_learning& entry);
    [[nodiscard]] stem_learning learning_of(const stem_learning_key& key) const;
    std::vector<stem_notice> take_notices();

    void set_rules(const std::vector<stem_rule>& rules, stem_rule_action inbound = STEM_ACTION_DROP,
                   stem_rule_action outbound = STEM_ACTION_DROP);
    // Of the rules of set_rules(): how often rule `index` matched.
    [[nodiscard]] stem_counter hits(std::size_t index) const;
    // A new generation in an inner map of its own, as `stemctl rules load` makes it: not in force yet.
    [[nodiscard]] UniqueFd make_generation(const kernel::Rules& rules, std::uint64_t number) const;
    void flip_rules(const UniqueFd& generation);
    void remove_rules(); // leaves the outer slot empty, which must never happen

    // Until the next with(): set_thresholds({.keepalive_rate = 10}) would leave the others at 0, so begin
    // with the defaults.
    void set_thresholds(const stem_thresholds& thresholds);
    [[nodiscard]] stem_thresholds thresholds() const; // in force
    [[nodiscard]] static stem_thresholds default_thresholds();
    void set_peer(const Address& source, const stem_peer& peer);
    void set_posture(std::uint32_t bits);
    void set_monitored(const Cidr& peers);
    // What would have been dropped since with().
    [[nodiscard]] stem_counter would_drops(stem_reason reason, stem_direction direction) const;

    [[nodiscard]] std::array<std::uint64_t, STEM_SYN_COUNT_SLOTS> syn_counts() const; // since with()
    // Of an address: IPv6 ones are blocked as their /64.
    [[nodiscard]] std::optional<stem_syn_blocked> syn_blocked(const Address& source) const;
    void fill_syn_blocked();
    // Kept connections, and who was steered to the SIP proxy.
    [[nodiscard]] std::optional<stem_state> state_of(const stem_state_key& key) const;
    [[nodiscard]] std::optional<stem_steered> steered_of(const stem_state_key& key) const;
    [[nodiscard]] std::size_t count_states() const;
    [[nodiscard]] stem_state_usage state_usage() const;
    [[nodiscard]] StateCounters state_counters() const;
    void put_state(const stem_state_key& key, const stem_state& state); // counted as in use
    std::uint32_t sweep(bool all = false);                              // how many went
    void set_proxy(stem_proxy_family family, const stem_proxy& proxy);
    [[nodiscard]] stem_proxy proxy_of(stem_proxy_family family) const;
    [[nodiscard]] stem_sip_count sip_count(stem_sip_kind kind, stem_direction direction) const;
    // Of a stream that was ever blocked.
    [[nodiscard]] std::optional<stem_sip_blocked> blocked(std::uint64_t stream) const;
    void set_stream_seed(std::uint64_t seed);
    void put_blocked(std::uint64_t stream, const stem_sip_blocked& entry); // with its bit in the filter
    void fill_blocked_streams();
    // A source that was ever blocked; `prefix_length` 128, or 64.
    [[nodiscard]] std::optional<stem_sip_blocked_source> blocked_source(const Address& source,
                                                                        std::uint32_t prefix_length) const;
    void fill_blocked_sources();
    // Is the source's own budget there? Looking does not make it one that is in use.
    [[nodiscard]] bool has_budget(const Address& source, std::uint32_t prefix_length) const;
    // Whether there was such a flow.
    bool deny_flow(const stem_flow_key& key, std::uint64_t until_ns, stem_deny_origin origin,
                   std::string_view note);

    void add_sip_port(std::uint16_t port, std::uint8_t parser = 1); // 1: SIP
    void remove_sip_port(std::uint16_t port);
    void set_port(stem_port port, std::uint32_t ifindex);
    void remove_port(stem_port port);
    void set_socket(std::uint32_t slot, int fd);
    void remove_socket(std::uint32_t slot);

  private:
    explicit DataPlane(const Settings& settings);
    void reset();
    void reset_syn_monitor();
    void reset_blocks();

    Settings settings_;
    stem_bpf* skeleton_ = nullptr;
    std::optional<kernel::MappedArray<stem_ruleset>> first_generation_; // map `ruleset`
    ring_buffer* ring_ = nullptr;
    ring_buffer* notice_ring_ = nullptr;
    std::vector<stem_event> events_;
    std::vector<stem_notice> notices_;
    bool flipped_ = true; // `rules` holds another generation than `ruleset`, or none
};

} // namespace stem::test
