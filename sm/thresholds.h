// SPDX-License-Identifier: Apache-2.0
// The thresholds of firewalls (stem/abi/threshold.h), as the Security Manager keeps them: for each firewall
// by name, for groups of firewalls, and for a default group: the firewall's own value holds, else that of its
// group, else the default group's, and where that has none, the list's default. Every change has a version, a
// time and an author.
//
// Belongs to one event loop, as the Directory, whose Store it writes to before it changes the memory.
#pragma once

#include "sm/model.h"
#include "sm/store.h"

#include <stem/threshold.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stem::sm {

class Thresholds {
  public:
    enum class Origin { list, group, named_group, firewall }; // where a value in force comes from

    struct InForce {
        const ThresholdInfo* info = nullptr;
        std::uint32_t value = 0;
        Origin origin = Origin::list;
        std::optional<ThresholdChange> change; // that set it; nothing for the list's default
    };

    explicit Thresholds(Store& store) : store_(store) {}
    // In place of what was there. `version`: of the last change, a reset perhaps.
    void fill(std::vector<ThresholdChange> settings, std::int64_t version);
    // Tells the listener, for whom a failure is to be logged where it is made.
    void changed_elsewhere() const { static_cast<void>(tell()); }

    // Groups: a firewall is in one at most. A change of them has a version of its own, as one of a value has.
    void fill_groups(const std::vector<FirewallGroup>& groups);
    [[nodiscard]] std::vector<FirewallGroup> groups() const;             // by name
    [[nodiscard]] std::string group_of(std::string_view firewall) const; // "" = none
    // Its firewalls leave the groups that they were in. Without firewalls it is gone, but its values stay.
    Result<> put_group(const FirewallGroup& group, TimePoint now, std::string_view who);

    // `firewall` "" = the default group, "@NAME" = that group, in all of these.
    [[nodiscard]] std::vector<InForce> in_force(std::string_view firewall) const;
    [[nodiscard]] Result<InForce> in_force(std::string_view firewall, std::string_view name) const;
    // The same as the kernel wants it. A stored value that is out of its range by now counts as not stored.
    [[nodiscard]] stem_thresholds values(std::string_view firewall) const;
    // What is stored and cannot be used: the list has no such threshold, or another range by now.
    [[nodiscard]] std::vector<ThresholdChange> unusable() const;
    // Newest first.
    [[nodiscard]] Result<std::vector<ThresholdChange>> history(std::string_view name) const;
    // Of the last change; 0 = none yet.
    [[nodiscard]] std::int64_t version() const noexcept { return version_; }

    Result<> set(std::string_view firewall, std::string_view name, std::int64_t value, TimePoint now,
                 std::string_view who);
    // Back to what holds without it. Fails where nothing was set.
    Result<> reset(std::string_view firewall, std::string_view name, TimePoint now, std::string_view who);
    // Returns how many.
    Result<std::size_t> reset_all(std::string_view firewall, TimePoint now, std::string_view who);

    // Told after each change; what it fails with, the change fails with, though it is stored.
    void on_change(std::function<Result<>()> listener) { listener_ = std::move(listener); }

  private:
    [[nodiscard]] const ThresholdChange* usable(std::string_view firewall, const ThresholdInfo& info) const;
    [[nodiscard]] InForce resolve(std::string_view firewall, const ThresholdInfo& info) const;
    Result<> write(ThresholdChange change);
    Result<> tell() const { return listener_ ? listener_() : Result<>(); }

    Store& store_;
    std::map<std::pair<std::string, std::string>, ThresholdChange> set_; // by firewall and name
    std::map<std::string, std::string, std::less<>> group_of_;           // by firewall
    std::int64_t version_ = 0;
    std::function<Result<>()> listener_;
};

// 1 to 32 letters, digits, '-' and '_', as an instance's name.
Result<> check_firewall_name(std::string_view name);

// A firewall's, or a group's with '@' before it.
Result<> check_scope(std::string_view scope);

std::string_view name_of(Thresholds::Origin origin); // "default", "group", "named group", "firewall"

} // namespace stem::sm
