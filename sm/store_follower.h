// SPDX-License-Identifier: Apache-2.0
// Keeps a Directory up to date with what other Security Managers do to the database that it shares with them:
// it listens for word of their changes, and when the database is lost it opens it anew, in a thread of its
// own, with pauses that grow, and takes over all that is in it. With a SQLite file there is nothing to do.
//
// Belongs to the Directory's event loop.
#pragma once

#include "sm/directory.h"

#include <stem/backoff.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

namespace stem::sm {

class StoreFollower {
  public:
    struct Counts {
        std::uint64_t losses = 0;
        std::uint64_t reopened = 0;
        std::uint64_t caught_up = 0; // times that others' changes were taken over
    };
    // For the log: `grave` is a loss or what could not be read.
    using Teller = std::function<void(bool grave, const std::string& what)>;

    // `loop` and `directory` must outlive it.
    StoreFollower(boost::asio::io_context& loop, Directory& directory, StoreAddress address, Teller tell);
    // Waits for an attempt to connect, which takes seconds at most.
    ~StoreFollower();
    StoreFollower(const StoreFollower&) = delete;
    StoreFollower& operator=(const StoreFollower&) = delete;

    void start();
    [[nodiscard]] bool connected() const { return !directory_.store().lost(); }
    [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

  private:
    void watch();
    void wait();
    void look();
    void lose();
    void try_again();
    void opened(Result<Directory::Fresh> fresh);

    boost::asio::io_context& loop_;
    Directory& directory_;
    StoreAddress address_;
    Teller tell_;
    // A copy of the connection's: libpq closes its own when it pleases.
    std::optional<boost::asio::posix::stream_descriptor> descriptor_;
    boost::asio::steady_timer timer_;
    boost::asio::steady_timer pause_;
    Backoff backoff_;
    std::chrono::steady_clock::time_point connected_since_;
    bool losing_ = false; // known to be lost, and told
    Counts counts_;
    std::shared_ptr<bool> here_; // for what the thread posts
    std::jthread opener_;
};

} // namespace stem::sm
