// SPDX-License-Identifier: Apache-2.0
// An attached instance, as found in its pins: <bpffs>/<instance>/<map>. Opening it changes nothing.
#pragma once

#include "ctl/kernel/file_lock.h"
#include "ctl/kernel/locations.h"
#include "ctl/kernel/map.h"
#include "ctl/kernel/mapped_array.h"

#include <stem/abi/connection.h>
#include <stem/abi/deny.h>
#include <stem/abi/dialog.h>
#include <stem/abi/flow.h>
#include <stem/abi/learning.h>
#include <stem/abi/meta.h>
#include <stem/abi/monitored.h>
#include <stem/abi/peer.h>
#include <stem/abi/reason.h>
#include <stem/abi/ruleset.h>
#include <stem/abi/signalling.h>
#include <stem/abi/syn.h>
#include <stem/abi/threshold.h>

#include <string>
#include <string_view>

namespace stem::kernel {

using FlowMap = Map<stem_flow_key, stem_flow>;
using LearningMap = Map<stem_learning_key, stem_learning>;
using MonitoredMap = Map<stem_monitored_key, std::uint8_t>; // value: 1
using SipConnectionMap = Map<stem_connection_key, stem_connection>;
using DialogMap = Map<std::uint64_t, stem_dialog>;
using DenyMap = Map<stem_deny_key, stem_deny>;
using DenyCidrMap = Map<stem_deny_cidr_key, stem_deny>;
using FailsafeMap = Map<stem_failsafe_key, stem_failsafe>;
using SipPortMap = Map<std::uint16_t, std::uint8_t>;
using IndexMap = Map<std::uint32_t, std::uint32_t>; // rules, tx_ports, xsks: values are descriptors or ids
using MappedRuleset = MappedArray<stem_ruleset>;    // one generation
using ThresholdMap = Map<std::uint32_t, stem_thresholds>;
using PeerMap = Map<stem_addr, stem_peer>;
using PostureMap = Map<std::uint32_t, stem_posture>;
using SynBlockedMap = Map<stem_syn_blocked_key, stem_syn_blocked>;
using BlockedStreamMap = Map<std::uint64_t, stem_sip_blocked>; // by stem_stream_id()
using SipSourceMap = Map<stem_sip_source_key, stem_sip_source>;
using SipBlockedSourceMap = Map<stem_sip_source_key, stem_sip_blocked_source>;
using SeedMap = Map<std::uint32_t, std::uint64_t>;
using MetaMap = Map<std::uint32_t, stem_meta>;

class Instance {
  public:
    // Refuses, each with its remedy: no such instance, no privilege, another schema version, an attach that
    // did not finish.
    static Result<Instance> open(const Locations& locations, std::string_view name);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const Locations& locations() const noexcept { return locations_; }
    [[nodiscard]] const stem_meta& meta() const noexcept { return meta_; }
    [[nodiscard]] std::filesystem::path pin(std::string_view map) const {
        return locations_.pins(name_) / map;
    }

    [[nodiscard]] Result<FlowMap> flows() const { return FlowMap::open(pin("flows")); }
    [[nodiscard]] Result<LearningMap> learning() const { return LearningMap::open(pin("learning")); }
    [[nodiscard]] Result<ThresholdMap> thresholds() const { return ThresholdMap::open(pin("thresholds")); }
    [[nodiscard]] Result<DialogMap> dialogs() const { return DialogMap::open(pin("dialogs")); }
    [[nodiscard]] Result<SipConnectionMap> sip_connections() const {
        return SipConnectionMap::open(pin("sip_connections"));
    }
    [[nodiscard]] Result<FailsafeMap> failsafe() const { return FailsafeMap::open(pin("failsafe")); }
    [[nodiscard]] Result<SipPortMap> sip_ports() const { return SipPortMap::open(pin("sip_ports")); }
    // Index: port * STEM_QUEUES_MAX + queue; value: an AF_XDP socket's descriptor.
    [[nodiscard]] Result<IndexMap> xsks() const { return IndexMap::open(pin("xsks")); }
    // Index: stem_counter_index(). For stemd to count in, and to outlive it.
    [[nodiscard]] Result<MappedArray<stem_counter>> controller_counters() const {
        return MappedArray<stem_counter>::open(pin("controller_counters"));
    }

    // The same index: what would have been dropped of peers that are only monitored.
    [[nodiscard]] Result<MappedArray<stem_counter>> would_drops() const {
        return MappedArray<stem_counter>::open(pin("would_drops"));
    }
    [[nodiscard]] Result<MonitoredMap> monitored() const { return MonitoredMap::open(pin("monitored")); }

    // For whoever changes deny list or rules. Waits up to five seconds.
    [[nodiscard]] Result<FileLock> lock_for_change(const std::string& purpose) const;
    // stemd's process id, if it runs.
    [[nodiscard]] std::optional<int> controller() const {
        return FileLock::holder(locations_.controller_lock(name_));
    }

  private:
    Instance(Locations locations, std::string name, const stem_meta& meta)
        : locations_(std::move(locations)), name_(std::move(name)), meta_(meta) {}

    Locations locations_;
    std::string name_;
    stem_meta meta_;
};

} // namespace stem::kernel
