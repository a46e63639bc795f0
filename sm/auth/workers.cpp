// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/workers.h"

#include <csignal>
#include <utility>

namespace stem::auth {

Workers::Workers(std::size_t threads, std::size_t queue) : most_(queue) {
    for (std::size_t i = 0; i < threads; ++i) {
        threads_.emplace_back([this, i](const std::stop_token& stop) { run(stop, i); });
    }
}

Workers::~Workers() {
    for (auto& thread : threads_) {
        thread.request_stop();
    }
    threads_.clear();
}

bool Workers::submit(Task task) {
    {
        const std::scoped_lock lock(mutex_);
        if (waiting_.size() >= most_) {
            return false;
        }
        waiting_.push_back(std::move(task));
    }
    something_.notify_one();
    return true;
}

void Workers::run(const std::stop_token& stop, std::size_t thread) {
    // A library that writes to a server which has died must get an error, and not end the process.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    while (true) {
        Task task;
        {
            std::unique_lock lock(mutex_);
            if (!something_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
                return;
            }
            if (stop.stop_requested()) {
                return;
            }
            task = std::move(waiting_.front());
            waiting_.pop_front();
        }
        task(thread);
    }
}

} // namespace stem::auth
