// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/event_stream.h"

#include "ctl/kernel/clock.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstring>

namespace stem::kernel {
namespace {

constexpr int stopped = -ECANCELED;

} // namespace

void EventStream::Deleter::operator()(ring_buffer* ring) const noexcept {
    ring_buffer__free(ring);
}

Result<EventStream> EventStream::open(const Instance& instance) {
    auto lock = FileLock::acquire(instance.locations().events_lock(instance.name()), "reading events");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    const auto pin = instance.pin("events");
    UniqueFd map(bpf_obj_get(pin.c_str()));
    if (!map) {
        return fail_errno("open ring " + pin.string(), errno, "run as root");
    }
    EventStream stream(std::move(*lock), std::move(map), std::make_unique<Sink>());
    stream.ring_.reset(ring_buffer__new(stream.map_.get(), receive, stream.sink_.get(), nullptr));
    if (!stream.ring_) {
        return fail_errno("map ring " + pin.string() + " into memory");
    }
    return stream;
}

int EventStream::receive(void* sink, void* data, std::size_t size) {
    auto* to = static_cast<Sink*>(sink);
    if (size < sizeof(stem_event)) {
        return 0;
    }
    stem_event event{};
    std::memcpy(&event, data, sizeof(event));
    to->shown++;
    return (*to->visit)(event) ? 0 : stopped;
}

Result<std::size_t> EventStream::poll(std::chrono::milliseconds patience, const Visitor& visit) {
    *sink_ = {.visit = &visit, .shown = 0};
    // What is in the ring already is read without waiting: its wake-up may have been another reader's.
    int status = ring_buffer__consume(ring_.get());
    if (status == 0 && patience.count() > 0) {
        status = ring_buffer__poll(ring_.get(), static_cast<int>(patience.count()));
    }
    sink_->visit = nullptr;
    if (status < 0 && status != stopped && status != -EINTR) {
        return fail_errno("read events", -status);
    }
    return sink_->shown;
}

std::uint64_t EventStream::wall_clock_ns(const stem_event& event) noexcept {
    const std::uint64_t now = monotonic_ns();
    const std::uint64_t age = now > event.time_ns ? now - event.time_ns : 0;
    return realtime_ns() - age;
}

} // namespace stem::kernel
