// SPDX-License-Identifier: Apache-2.0
// The thread that serves the streams of an endpoint.
#pragma once

#include "lab/rtp_endpoint.h"
#include "lab/rtp_port.h"

#include <stem/unique_fd.h>

#include <concepts>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace stem::lab {

class RtpEndpoint::Engine {
  public:
    // Binds all sockets, in the namespace of the calling thread.
    Result<> open(const std::vector<RtpStream>& streams);
    void start(); // the thread, which at first only listens
    ~Engine();
    Engine() = default;
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    [[nodiscard]] std::size_t size() const { return ports_.size(); }
    // Runs `work` on a stream while the thread does not.
    void with(std::size_t stream, std::invocable<RtpPort&> auto work) {
        {
            const std::scoped_lock lock(mutex_);
            work(ports_.at(stream));
        }
        wake();
    }

  private:
    void serve(const std::stop_token& stop);
    void wake() const;

    std::mutex mutex_;
    std::vector<RtpPort> ports_;
    UniqueFd wake_; // an eventfd
    std::jthread thread_;
};

} // namespace stem::lab
