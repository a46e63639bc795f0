// SPDX-License-Identifier: Apache-2.0
#include "lab/rtp_endpoint.h"

#include "lab/netns.h"
#include "lab/rtp_engine.h"

#include <algorithm>

namespace stem::lab {

Result<RtpEndpoint> RtpEndpoint::open(const Netns& netns, const std::vector<RtpStream>& streams) {
    auto engine = std::make_unique<Engine>();
    if (auto opened = netns.run([&] { return engine->open(streams); }); !opened) {
        return std::unexpected(opened.error());
    }
    engine->start();
    return RtpEndpoint(std::move(engine));
}

RtpEndpoint::RtpEndpoint(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {
}
RtpEndpoint::~RtpEndpoint() = default;
RtpEndpoint::RtpEndpoint(RtpEndpoint&&) noexcept = default;
RtpEndpoint& RtpEndpoint::operator=(RtpEndpoint&&) noexcept = default;

std::size_t RtpEndpoint::size() const {
    return engine_->size();
}
void RtpEndpoint::send(std::size_t stream) {
    engine_->with(stream, [](RtpPort& port) { port.begin(RtpPort::Clock::now()); });
}

void RtpEndpoint::pause(std::size_t stream) {
    engine_->with(stream, [](RtpPort& port) { port.pause(); });
}

void RtpEndpoint::send_all() {
    const auto now = RtpPort::Clock::now();
    for (std::size_t stream = 0; stream < size(); ++stream) {
        engine_->with(stream, [&](RtpPort& port) {
            port.begin(now + port.interval() * static_cast<std::int64_t>(stream) /
                                 static_cast<std::int64_t>(size()));
        });
    }
}

void RtpEndpoint::pause_all() {
    for (std::size_t stream = 0; stream < size(); ++stream) {
        pause(stream);
    }
}

void RtpEndpoint::set_rate(std::size_t stream, double rate) {
    engine_->with(stream, [&](RtpPort& port) { port.set_rate(rate); });
}
void RtpEndpoint::set_remote(std::size_t stream, const Endpoint& remote) {
    engine_->with(stream, [&](RtpPort& port) { port.set_remote(remote); });
}

RtpCounts RtpEndpoint::counts(std::size_t stream) const {
    RtpCounts counts;
    engine_->with(stream, [&](const RtpPort& port) { counts = port.counts(); });
    return counts;
}

RtpCounts RtpEndpoint::total() const {
    RtpCounts total;
    for (std::size_t stream = 0; stream < size(); ++stream) {
        const RtpCounts counts = this->counts(stream);
        total.sent += counts.sent;
        total.sent_octets += counts.sent_octets;
        total.send_errors += counts.send_errors;
        total.received += counts.received;
        total.received_octets += counts.received_octets;
        total.lost += counts.lost;
        total.duplicates += counts.duplicates;
        total.reordered += counts.reordered;
        total.foreign += counts.foreign;
        total.not_rtp += counts.not_rtp;
        total.rtcp_sent += counts.rtcp_sent;
        total.rtcp_received += counts.rtcp_received;
        if (counts.first_received) {
            total.first_received =
                std::min(total.first_received.value_or(*counts.first_received), *counts.first_received);
            total.last_received =
                std::max(total.last_received.value_or(*counts.last_received), *counts.last_received);
        }
        total.longest_gap = std::max(total.longest_gap, counts.longest_gap);
    }
    return total;
}

} // namespace stem::lab
