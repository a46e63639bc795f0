// SPDX-License-Identifier: Apache-2.0
// A few threads for libraries that block, and a queue before them that is bounded: what does not fit in is
// refused at once.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace stem::auth {

class Workers {
  public:
    // Of which thread; a task may keep what it needs in a place of that thread's own.
    using Task = std::function<void(std::size_t thread)>;

    Workers(std::size_t threads, std::size_t queue);
    ~Workers(); // what waits is dropped; what runs is waited for
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    // False: the queue is full. From any thread.
    bool submit(Task task);
    [[nodiscard]] std::size_t threads() const noexcept { return threads_.size(); }

  private:
    void run(const std::stop_token& stop, std::size_t thread);

    std::size_t most_;
    std::mutex mutex_;
    std::condition_variable_any something_;
    std::deque<Task> waiting_;
    std::vector<std::jthread> threads_; // end first
};

} // namespace stem::auth
