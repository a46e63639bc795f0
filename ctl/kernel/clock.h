// SPDX-License-Identifier: Apache-2.0
// The clocks that the maps speak in.
#pragma once

#include <cstdint>
#include <ctime>

namespace stem::kernel {

inline std::uint64_t read_clock_ns(clockid_t clock) noexcept {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

// CLOCK_MONOTONIC: what bpf_ktime_get_ns() gives.
inline std::uint64_t monotonic_ns() noexcept {
    return read_clock_ns(CLOCK_MONOTONIC);
}
// Nanoseconds since 1970.
inline std::uint64_t realtime_ns() noexcept {
    return read_clock_ns(CLOCK_REALTIME);
}

} // namespace stem::kernel
