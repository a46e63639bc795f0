// SPDX-License-Identifier: Apache-2.0
#include "lab/rtp_engine.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <ctime>

namespace stem::lab {

using namespace std::chrono_literals;

namespace {

timespec to_timespec(std::chrono::nanoseconds duration) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
    return {.tv_sec = seconds.count(), .tv_nsec = (duration - seconds).count()};
}

} // namespace

Result<> RtpEndpoint::Engine::open(const std::vector<RtpStream>& streams) {
    for (const auto& stream : streams) {
        auto port = RtpPort::open(stream);
        if (!port) {
            return std::unexpected(port.error());
        }
        ports_.push_back(std::move(*port));
    }
    wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_) {
        return fail_errno("make an eventfd for RTP");
    }
    return {};
}

void RtpEndpoint::Engine::start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

RtpEndpoint::Engine::~Engine() {
    thread_.request_stop();
    wake();
}

void RtpEndpoint::Engine::wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof one);
}

void RtpEndpoint::Engine::serve(const std::stop_token& stop) {
    std::vector<pollfd> sources;
    for (const auto& port : ports_) {
        sources.push_back({.fd = port.rtp_socket(), .events = POLLIN, .revents = 0});
        sources.push_back(
            {.fd = port.rtcp_socket(), .events = POLLIN, .revents = 0}); // -1 is left out by poll
    }
    sources.push_back({.fd = wake_.get(), .events = POLLIN, .revents = 0});

    while (!stop.stop_requested()) {
        auto due = RtpPort::Clock::now() + 1s;
        {
            const std::scoped_lock lock(mutex_);
            for (const auto& port : ports_) {
                due = std::min(due, port.due());
            }
        }
        const timespec pause =
            to_timespec(std::max<RtpPort::Clock::duration>(due - RtpPort::Clock::now(), 0s));
        ppoll(sources.data(), sources.size(), &pause, nullptr);
        std::uint64_t woken = 0;
        [[maybe_unused]] const auto read_octets = read(wake_.get(), &woken, sizeof woken);

        const std::scoped_lock lock(mutex_);
        const auto now = RtpPort::Clock::now();
        for (std::size_t index = 0; index < ports_.size(); ++index) {
            if (sources[2 * index].revents != 0) {
                ports_[index].receive_rtp(now);
            }
            if (sources[2 * index + 1].revents != 0) {
                ports_[index].receive_rtcp();
            }
            ports_[index].send_due(now);
        }
    }
}

} // namespace stem::lab
