// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/deny_sweeper.h"

#include <spdlog/spdlog.h>

#include <condition_variable>
#include <mutex>

namespace stem::stemd {

DenySweeper::DenySweeper(kernel::DenyList list, std::chrono::seconds interval)
    : thread_([list = std::move(list), interval](const std::stop_token& stop) mutable {
          run(stop, std::move(list), interval);
      }) {
}

void DenySweeper::run(const std::stop_token& stop, kernel::DenyList list, std::chrono::seconds interval) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
        const auto gone = list.sweep();
        if (!gone) {
            spdlog::warn("{}", gone.error().message());
        } else if (*gone > 0) {
            spdlog::info("{} denied sources have expired", *gone);
        }
        wake.wait_for(lock, stop, interval, [] { return false; });
    }
}

} // namespace stem::stemd
