// SPDX-License-Identifier: Apache-2.0
// The sampled events of the data plane. The ring has one reader at a time, and forgets what was read.
#pragma once

#include "ctl/kernel/instance.h"

#include <stem/abi/event.h>

#include <chrono>
#include <functional>
#include <memory>

struct ring_buffer;

namespace stem::kernel {

class EventStream {
  public:
    // Refuses while another reader has the ring, and names it.
    static Result<EventStream> open(const Instance& instance);

    // False ends this poll; the event counts as read.
    using Visitor = std::function<bool(const stem_event&)>;
    // Waits at most `patience` for events and shows each one. How many were shown.
    [[nodiscard]] Result<std::size_t> poll(std::chrono::milliseconds patience, const Visitor& visit);

    // Wall-clock time of an event, nanoseconds since 1970.
    [[nodiscard]] static std::uint64_t wall_clock_ns(const stem_event& event) noexcept;

  private:
    struct Deleter {
        void operator()(ring_buffer* ring) const noexcept;
    };
    struct Sink {
        const Visitor* visit = nullptr;
        std::size_t shown = 0;
    };
    static int receive(void* sink, void* data, std::size_t size); // libbpf's callback

    EventStream(FileLock lock, UniqueFd map, std::unique_ptr<Sink> sink)
        : lock_(std::move(lock)), map_(std::move(map)), sink_(std::move(sink)) {}

    FileLock lock_;
    UniqueFd map_;
    std::unique_ptr<Sink> sink_; // its address is libbpf's: it stays when the stream moves
    std::unique_ptr<ring_buffer, Deleter> ring_;
};

} // namespace stem::kernel
