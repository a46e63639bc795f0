// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/attachment.h"

namespace stem::stemd {
namespace {

// A stemd that was just killed holds its lock until the kernel has taken its memory apart.
constexpr auto lock_patience = std::chrono::milliseconds(500);

} // namespace

Result<Attachment> Attachment::adopt(const kernel::Locations& locations, std::string_view name) {
    auto instance = kernel::Instance::open(locations, name);
    if (!instance) {
        return std::unexpected(instance.error());
    }
    auto lock =
        kernel::FileLock::acquire(locations.controller_lock(name), "stemd of this instance", lock_patience);
    if (!lock) {
        if (lock.error().code == EWOULDBLOCK) {
            return fail("run stemd for instance '" + std::string(name) + "'",
                        "a stemd is running for it already: " + lock.error().cause,
                        "stop that one first, or name another instance with --instance");
        }
        return std::unexpected(lock.error());
    }
    auto xsks = instance->xsks();
    if (!xsks) {
        return std::unexpected(xsks.error());
    }
    auto flows = instance->flows();
    if (!flows) {
        return std::unexpected(flows.error());
    }
    auto learning = instance->learning();
    if (!learning) {
        return std::unexpected(learning.error());
    }
    auto thresholds = instance->thresholds();
    if (!thresholds) {
        return std::unexpected(thresholds.error());
    }
    auto notices = kernel::NoticeStream::open(*instance);
    if (!notices) {
        return std::unexpected(notices.error());
    }
    auto dialogs = instance->dialogs();
    if (!dialogs) {
        return std::unexpected(dialogs.error());
    }
    auto connections = instance->sip_connections();
    if (!connections) {
        return std::unexpected(connections.error());
    }
    auto deny = kernel::Denials::open(*instance);
    if (!deny) {
        return std::unexpected(deny.error());
    }
    auto counters = instance->controller_counters();
    if (!counters) {
        return std::unexpected(counters.error());
    }
    auto would_drops = instance->would_drops();
    if (!would_drops) {
        return std::unexpected(would_drops.error());
    }
    auto monitored = instance->monitored();
    if (!monitored) {
        return std::unexpected(monitored.error());
    }
    return Attachment{.instance = std::move(*instance),
                      .lock = std::move(*lock),
                      .xsks = std::move(*xsks),
                      .flows = std::move(*flows),
                      .learning = std::move(*learning),
                      .thresholds = std::move(*thresholds),
                      .notices = std::move(*notices),
                      .dialogs = std::move(*dialogs),
                      .connections = std::move(*connections),
                      .deny = std::move(*deny),
                      .counters = VerdictCounters(std::move(*counters)),
                      .would_drops = VerdictCounters(std::move(*would_drops)),
                      .monitored = std::move(*monitored)};
}

} // namespace stem::stemd
