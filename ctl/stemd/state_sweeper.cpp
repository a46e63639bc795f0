// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/state_sweeper.h"

#include <spdlog/spdlog.h>

#include <condition_variable>
#include <mutex>

#include "ctl/kernel/state_list.h"

namespace stem::stemd {
namespace {

// What could not be kept is told once while it goes on, with the sum since the last time.
class FullReport {
  public:
    void see(const kernel::StateFigures& figures) {
        const std::uint64_t refused = figures.counters[STEM_STATES_REFUSED_FULL];
        if (refused > told_ && known_) {
            spdlog::warn("{} connections found no room: {} of {} kept connections, {} clients of the proxy",
                         refused - told_, figures.usage.states, figures.room, figures.usage.steered);
        }
        told_ = refused;
        known_ = true;
    }

  private:
    std::uint64_t told_ = 0;
    bool known_ = false; // what was refused before this stemd is old news
};

} // namespace

StateSweeper::StateSweeper(kernel::Instance instance, std::chrono::seconds interval)
    : thread_([instance = std::move(instance), interval](const std::stop_token& stop) {
          run(stop, instance, interval);
      }) {
}

void StateSweeper::run(const std::stop_token& stop, const kernel::Instance& instance,
                       std::chrono::seconds interval) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    FullReport report;
    while (!stop.stop_requested()) {
        if (const auto gone = kernel::sweep_states(instance, false); !gone) {
            spdlog::warn("{}", gone.error().message());
        }
        if (const auto figures = kernel::read_state_figures(instance); figures) {
            report.see(*figures);
        } else {
            spdlog::warn("{}", figures.error().message());
        }
        wake.wait_for(lock, stop, interval, [] { return false; });
    }
}

} // namespace stem::stemd
