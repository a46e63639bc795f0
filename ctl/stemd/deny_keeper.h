// SPDX-License-Identifier: Apache-2.0
// Keeps what is denied: adds what the Security Manager asks for, forgets what has expired, and says when a
// table is full. On a thread of its own: changes wait for the instance's lock, which stemctl may hold, and
// walk maps that may be long.
#pragma once

#include <spdlog/common.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "ctl/kernel/denials.h"
#include "ctl/stemd/source_guard.h"

namespace stem::stemd {

struct DenyOrder {
    Address source;
    std::chrono::seconds lifetime{0};
    std::string note; // what is too long for the list is cut off
};

class DenyKeeper {
  public:
    static constexpr std::chrono::seconds default_interval{10};
    static constexpr std::size_t most_waiting = 1024;

    DenyKeeper(kernel::Denials denials, SourceGuard guard, std::chrono::seconds interval = default_interval);

    // From any thread; done soon. False: as many wait as may.
    bool order(DenyOrder order);
    // Orders that were carried out; that were not, for others' calls come from there (SourceGuard); and that
    // could not be: no room, or the kernel refused. The log says what it was, of one order of each kind a
    // second.
    struct Counts {
        std::uint64_t done = 0;
        std::uint64_t spared = 0;
        std::uint64_t failed = 0;
    };
    [[nodiscard]] Counts counts() const noexcept { return {done_, spared_, failed_}; }

  private:
    void run(const std::stop_token& stop, kernel::Denials denials, const SourceGuard& guard,
             std::chrono::seconds interval);
    void carry_out(kernel::Denials& denials, const SourceGuard& guard, const DenyOrder& order);
    void tell(spdlog::level::level_enum level, const std::string& text);

    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<DenyOrder> waiting_;
    std::atomic<std::uint64_t> done_ = 0;
    std::atomic<std::uint64_t> spared_ = 0;
    std::atomic<std::uint64_t> failed_ = 0;
    struct Told {
        std::chrono::steady_clock::time_point next;
        std::uint64_t left_out = 0;
    };
    std::array<Told, spdlog::level::n_levels> told_{};
    std::jthread thread_; // last: it uses the others
};

// Tells of each table once when it is full, and once when it has room again.
class FullWatch {
  public:
    void see(const kernel::DenyUse& use);

  private:
    std::array<bool, STEM_DENY_TABLE_SLOTS> full_{};
};

// `text` as far as it has room in `octets`, whole UTF-8 characters.
std::string_view cut_to(std::string_view text, std::size_t octets);

} // namespace stem::stemd
