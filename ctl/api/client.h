// SPDX-License-Identifier: Apache-2.0
// Asks stemd over its unix socket, and waits for the answer.
#pragma once

#include <stem/error.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "ctl/api/message.h"

namespace stem::api {

class Client {
  public:
    static constexpr std::chrono::milliseconds default_timeout{10000};

    // `instance` is for the remedy of errors only.
    Client(std::filesystem::path socket, std::string instance,
           std::chrono::milliseconds timeout = default_timeout)
        : socket_(std::move(socket)), instance_(std::move(instance)), timeout_(timeout) {}

    // Any answer of stemd, refusals too, is a value; no answer is an error. One connection each.
    [[nodiscard]] Result<Response> ask(const Request& request) const;

    // As ask(), but a status of 400 and above is an error that carries stemd's words, with the status as
    // code.
    [[nodiscard]] Result<std::string> must(const Request& request) const;

  private:
    std::filesystem::path socket_;
    std::string instance_;
    std::chrono::milliseconds timeout_;
};

} // namespace stem::api
