// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/deny_keeper.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "ctl/kernel/clock.h"

namespace stem::stemd {

DenyKeeper::DenyKeeper(kernel::Denials denials, SourceGuard guard, std::chrono::seconds interval)
    : thread_([this, denials = std::move(denials), guard = std::move(guard), interval](
                  const std::stop_token& stop) mutable { run(stop, std::move(denials), guard, interval); }) {
}

bool DenyKeeper::order(DenyOrder order) {
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() >= most_waiting) {
            failed_++;
            return false;
        }
        waiting_.push_back(std::move(order));
    }
    wake_.notify_one();
    return true;
}

void DenyKeeper::carry_out(kernel::Denials& denials, const SourceGuard& guard, const DenyOrder& order) {
    const auto spared = guard.spared(order.source, kernel::monotonic_ns());
    if (!spared) {
        failed_++;
        tell(spdlog::level::err, spared.error().message());
        return;
    }
    if (*spared) {
        spared_++;
        tell(spdlog::level::warn, fmt::format("{} is not denied, as {}; asked by {}",
                                              order.source.to_string(), **spared, order.note));
        return;
    }
    const auto added = denials.add({.target = Cidr::host(order.source),
                                    .lifetime = order.lifetime,
                                    .origin = STEM_DENY_SM,
                                    .note = cut_to(order.note, STEM_DENY_NOTE_MAX - 1)});
    if (!added) {
        failed_++;
        tell(spdlog::level::err, added.error().message());
        return;
    }
    done_++;
    tell(spdlog::level::info, fmt::format("{} is denied for {} s: {}", order.source.to_string(),
                                          order.lifetime.count(), order.note));
}

// A flood of calls that are refused must not fill the disk.
void DenyKeeper::tell(spdlog::level::level_enum level, const std::string& text) {
    const auto now = std::chrono::steady_clock::now();
    Told& told = told_[level];
    if (now < told.next) {
        told.left_out++;
        return;
    }
    told.next = now + std::chrono::seconds(1);
    const std::uint64_t left_out = std::exchange(told.left_out, 0);
    spdlog::log(level, "{}{}", text,
                left_out == 0 ? "" : fmt::format(" ({} more orders were not told)", left_out));
}

void DenyKeeper::run(const std::stop_token& stop, kernel::Denials denials, const SourceGuard& guard,
                     std::chrono::seconds interval) {
    FullWatch watch;
    auto next_sweep = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        if (!waiting_.empty()) {
            const DenyOrder order = std::move(waiting_.front());
            waiting_.pop_front();
            lock.unlock();
            carry_out(denials, guard, order);
            lock.lock();
            continue;
        }
        if (std::chrono::steady_clock::now() >= next_sweep) {
            lock.unlock();
            if (const auto gone = denials.sweep(); !gone) {
                spdlog::warn("{}", gone.error().message());
            } else if (*gone > 0) {
                spdlog::info("{} denials have expired", *gone);
            }
            if (const auto use = denials.use(); use) {
                watch.see(*use);
            } else {
                spdlog::warn("{}", use.error().message());
            }
            next_sweep = std::chrono::steady_clock::now() + interval;
            lock.lock();
            continue;
        }
        wake_.wait_until(lock, stop, next_sweep, [&] { return !waiting_.empty(); });
    }
}

void FullWatch::see(const kernel::DenyUse& use) {
    for (const auto& table : use) {
        const bool was = std::exchange(full_[table.table], table.is_full());
        if (table.is_full() && !was) {
            spdlog::warn(
                "the table of {} is full ({} entries): nothing more is denied there; {} found no room so far "
                "(stemctl deny list)",
                kernel::text_of(table.table), table.capacity, table.refused);
        } else if (!table.is_full() && was) {
            spdlog::warn("the table of {} has room again: {} of {}; {} found none so far",
                         kernel::text_of(table.table), table.used, table.capacity, table.refused);
        }
    }
}

std::string_view cut_to(std::string_view text, std::size_t octets) {
    if (text.size() <= octets) {
        return text;
    }
    std::size_t end = octets;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) {
        end--;
    }
    return text.substr(0, end);
}

} // namespace stem::stemd
