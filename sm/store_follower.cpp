// SPDX-License-Identifier: Apache-2.0
#include "sm/store_follower.h"

#include <boost/asio/post.hpp>

#include <fmt/format.h>

#include <random>
#include <utility>

#include <unistd.h>

namespace stem::sm {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

// Word of a change that came in while a change of our own was written is found at the latest then.
constexpr auto look_interval = 250ms;
constexpr auto shortest_pause = 200ms;
constexpr auto longest_pause = 5s;
// A database that is lost again within that time is no better for having been there.
constexpr auto proven = 10s;

double random_part() {
    static thread_local std::minstd_rand source{std::random_device{}()};
    return std::uniform_real_distribution<>(0, 1)(source);
}

} // namespace

StoreFollower::StoreFollower(asio::io_context& loop, Directory& directory, StoreAddress address, Teller tell)
    : loop_(loop), directory_(directory), address_(std::move(address)), tell_(std::move(tell)), timer_(loop),
      pause_(loop), backoff_(shortest_pause, longest_pause),
      connected_since_(std::chrono::steady_clock::now()), here_(std::make_shared<bool>(true)) {
}

StoreFollower::~StoreFollower() {
    *here_ = false;
}

void StoreFollower::start() {
    if (address_.shared()) {
        watch();
        wait();
    }
}

void StoreFollower::watch() {
    descriptor_.reset();
    const int copy = ::dup(directory_.store().descriptor());
    if (copy < 0) {
        return; // wait() looks as well
    }
    descriptor_.emplace(loop_, copy);
    descriptor_->async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code error) {
        if (!error) {
            look();
            if (!losing_) {
                watch();
            }
        }
    });
}

void StoreFollower::wait() {
    timer_.expires_after(look_interval);
    timer_.async_wait([this](error_code error) {
        if (!error) {
            look();
            wait();
        }
    });
}

void StoreFollower::look() {
    const bool heard = directory_.heard();
    if (!directory_.store().lost() && heard) {
        const auto changed = directory_.catch_up();
        if (changed && *changed) {
            ++counts_.caught_up;
        } else if (!changed && !directory_.store().lost()) {
            tell_(true, changed.error().message());
        }
    }
    if (directory_.store().lost()) {
        if (!losing_) {
            lose();
        }
    } else if (directory_.waiting() > 0 || directory_.waiting_blocks() > 0) {
        directory_.write_waiting(std::chrono::system_clock::now());
    }
}

void StoreFollower::lose() {
    losing_ = true;
    descriptor_.reset();
    if (directory_.store().to_be_reread()) {
        tell_(false, fmt::format("database {}: very much has changed; it is read anew", address_.name()));
        backoff_.reset();
    } else {
        ++counts_.losses;
        tell_(true,
              fmt::format("database {} is lost: calls are decided from memory, and changes refused, until it "
                          "is back",
                          address_.name()));
    }
    if (std::chrono::steady_clock::now() - connected_since_ > proven) {
        backoff_.reset();
    }
    try_again();
}

void StoreFollower::try_again() {
    pause_.expires_after(backoff_.next(random_part()));
    pause_.async_wait([this](error_code error) {
        if (error) {
            return;
        }
        opener_ = std::jthread([this, here = here_, address = address_, &loop = loop_] {
            auto fresh = std::make_shared<Result<Directory::Fresh>>(
                Directory::read(address, std::chrono::system_clock::now()));
            asio::post(loop, [this, here, fresh] {
                if (*here) {
                    opened(std::move(*fresh));
                }
            });
        });
    });
}

void StoreFollower::opened(Result<Directory::Fresh> fresh) {
    if (!fresh) {
        tell_(false, fresh.error().message());
        try_again();
        return;
    }
    directory_.adopt(std::move(*fresh));
    losing_ = false;
    connected_since_ = std::chrono::steady_clock::now();
    ++counts_.reopened;
    tell_(false, fmt::format("database {} is open; everything was read again", address_.name()));
    watch();
    look();
}

} // namespace stem::sm
