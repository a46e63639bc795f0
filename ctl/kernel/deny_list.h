// SPDX-License-Identifier: Apache-2.0
// The deny list: sources whose packets die first, by address and by network, each for a time or for ever.
#pragma once

#include "ctl/kernel/instance.h"

#include <stem/address.h>

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

namespace stem::kernel {

struct DenyEntry {
    Cidr source;
    stem_deny value{};

    // `now`: monotonic_ns().
    [[nodiscard]] bool expired(std::uint64_t now) const noexcept {
        return value.expires_ns != 0 && value.expires_ns <= now;
    }
};

struct DenyRequest {
    Cidr source;
    std::optional<std::chrono::nanoseconds> lifetime; // nothing: for ever
    stem_deny_origin origin = STEM_DENY_OPERATOR;
    std::string_view note; // up to 35 octets are kept
};

// Changes take the instance's lock for as long as they need.
class DenyList {
  public:
    static Result<DenyList> open(const Instance& instance);

    // True: new; false: it was there, and has the new lifetime, origin and note now; its counters go on.
    // Refuses an IPv6 network that holds the mapped IPv4 addresses. Full: sweeps, then code E2BIG.
    [[nodiscard]] Result<bool> add(const DenyRequest& request);
    // False: was not there.
    [[nodiscard]] Result<bool> remove(const Cidr& source);
    // Forgets what has expired; how many that were.
    [[nodiscard]] Result<std::size_t> sweep();
    // By address. What has expired and was not swept yet is in it.
    [[nodiscard]] Result<std::vector<DenyEntry>> list() const;
    [[nodiscard]] Result<std::uint32_t> count_addresses() const { return exact_.count(); }
    [[nodiscard]] Result<std::uint32_t> count_networks() const { return networks_.count(); }
    [[nodiscard]] std::uint32_t address_capacity() const noexcept { return exact_.shape().max_entries; }
    [[nodiscard]] std::uint32_t network_capacity() const noexcept { return networks_.shape().max_entries; }

  private:
    DenyList(Instance instance, DenyMap exact, DenyCidrMap networks, MappedArray<stem_deny_filter> filter)
        : instance_(std::move(instance)), exact_(std::move(exact)), networks_(std::move(networks)),
          filter_(std::move(filter)) {}

    [[nodiscard]] Result<std::optional<stem_deny>> get(const Cidr& source) const;
    [[nodiscard]] Result<> put(const Cidr& source, const stem_deny& value) const;
    [[nodiscard]] Result<bool> erase(const Cidr& source) const;
    [[nodiscard]] Result<std::size_t> sweep_locked();
    [[nodiscard]] Result<> rebuild_filter_locked();

    Instance instance_;
    DenyMap exact_;
    DenyCidrMap networks_;
    MappedArray<stem_deny_filter> filter_;
};

} // namespace stem::kernel
