// SPDX-License-Identifier: Apache-2.0
// All that is denied, whoever denied it, behind one interface: addresses and networks (the deny list),
// signalling streams, media flows, and the sources that the SYN and the signalling monitor blocked.
#pragma once

#include "ctl/kernel/blocked_sources.h"
#include "ctl/kernel/blocked_streams.h"
#include "ctl/kernel/deny_list.h"
#include "ctl/kernel/deny_target.h"
#include "ctl/kernel/flow_denial.h"
#include "ctl/kernel/signalling_counts.h"
#include "ctl/kernel/syn_monitor.h"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::kernel {

struct Denial {
    DenyTarget target;
    stem_deny_origin by = STEM_DENY_OPERATOR;
    std::uint64_t added_ns = 0; // 0: not known (flows)
    std::uint64_t until_ns = STEM_FOR_EVER;
    std::uint64_t packets = 0;          // dropped by it
    std::optional<std::uint64_t> bytes; // where they are counted
    std::uint32_t strikes = 0;          // of a monitor's block: times in a row; else 0
    std::string note;

    // `now_ns`: monotonic_ns().
    [[nodiscard]] bool expired(std::uint64_t now_ns) const noexcept { return until_ns <= now_ns; }
    // What it is for: the note; of a monitor's block "flood of SYNs", with its strikes.
    [[nodiscard]] std::string reason() const;
    // Label of the table that it is in; "flows" of a flow.
    [[nodiscard]] std::string_view where() const;
};

struct DenialRequest {
    DenyTarget target;
    std::optional<std::chrono::nanoseconds> lifetime; // nothing: for ever
    stem_deny_origin origin = STEM_DENY_OPERATOR;
    std::string_view note; // fails if it is longer than there is room for: 35 octets, 23 of a flow
};

// How full a table is.
struct DenyTableUse {
    stem_deny_table table = STEM_DENY_TABLE_ADDRESSES;
    std::uint32_t used = 0; // what has expired and was not swept yet counts
    std::uint32_t capacity = 0;
    std::uint64_t refused = 0; // additions refused, and blocks not made or not kept, as it was full

    [[nodiscard]] bool is_full() const noexcept { return used >= capacity; }
};

std::string_view label_of(stem_deny_table table); // "syn_sources": of --json and the metrics
std::string_view text_of(stem_deny_table table);  // "sources of SYN floods"

using DenyUse = std::array<DenyTableUse, 5>; // by enum stem_deny_table

// Changes take the instance's lock, each for as long as it needs.
class Denials {
  public:
    static Result<Denials> open(const Instance& instance);

    // True: new; false: it was denied, and has the new end, origin and note; counters go on. A full table is
    // an error with code E2BIG, and is counted.
    [[nodiscard]] Result<bool> add(const DenialRequest& request);
    // Out of every table. False: it was in none.
    [[nodiscard]] Result<bool> remove(const DenyTarget& target);
    // By kind and value. What has expired and was not swept yet is in it, of addresses and networks.
    [[nodiscard]] Result<std::vector<Denial>> list() const;
    // What else denies `source` at `now_ns`: networks that it is in, its /64.
    [[nodiscard]] Result<std::vector<Denial>> covering(const Cidr& source, std::uint64_t now_ns) const;
    // Forgets what has expired; strikes of streams and sources are remembered for threshold sip_block_max.
    // How many it forgot.
    [[nodiscard]] Result<std::size_t> sweep();
    [[nodiscard]] Result<DenyUse> use() const;

  private:
    struct Parts {
        Instance instance;
        DenyList list;
        BlockedStreams streams;
        BlockedSources sources;
        SynMonitor syn;
        FlowDenial flows;
        SignallingCounters counts;
        ThresholdMap thresholds;
        MappedArray<stem_deny_refused> refused;
    };
    explicit Denials(Parts parts) : parts_(std::move(parts)) {}

    [[nodiscard]] Result<bool> add_of_kind(const DenialRequest& request, const Cidr& source);
    [[nodiscard]] Result<bool> add_of_kind(const DenialRequest& request, const StreamTarget& stream);
    [[nodiscard]] Result<bool> add_of_kind(const DenialRequest& request, const FlowTarget& flow);
    [[nodiscard]] Result<bool> remove_of_kind(const Cidr& source);
    [[nodiscard]] Result<bool> remove_of_kind(const StreamTarget& stream);
    [[nodiscard]] Result<bool> remove_of_kind(const FlowTarget& flow);
    [[nodiscard]] Result<std::uint64_t> memory_ns() const;
    void count_refused(stem_deny_table table) const;

    Parts parts_;
};

} // namespace stem::kernel
