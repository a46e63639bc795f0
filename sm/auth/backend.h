// SPDX-License-Identifier: Apache-2.0
// A place where passwords are known: the store, a directory server, a RADIUS server.
#pragma once

#include "sm/auth/digest.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace stem::auth {

// A request whose sender says who it is.
struct Attempt {
    Authorization given;
    std::string method;
};

struct Answer {
    enum class Verdict : std::uint8_t {
        right,
        wrong,
        unknown,     // it does not know that user: another may
        unavailable, // it could not be asked
    };
    Verdict verdict = Verdict::unavailable;
    std::string user; // of right: the user of ours
    std::string why;  // of unavailable: for people
};

class Backend {
  public:
    Backend() = default;
    virtual ~Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

    [[nodiscard]] virtual std::string_view name() const = 0;
    // `done` is called once, at once or later, from the event loop, unless the backend is destroyed first.
    virtual void verify(const Attempt& attempt, std::function<void(Answer)> done) = 0;
    // The same with the password itself.
    virtual void check_password(const std::string& username, const std::string& password,
                                std::function<void(Answer)> done) = 0;
};

} // namespace stem::auth
