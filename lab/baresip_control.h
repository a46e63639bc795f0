// SPDX-License-Identifier: Apache-2.0
// The remote control of a running baresip: its ctrl_tcp module takes JSON commands and gives JSON answers and
// events, each as a netstring ("12:hello world!,").
#pragma once

#include <stem/error.h>
#include <stem/unique_fd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stem::lab {

class Netns;

struct BaresipEvent {
    std::string type; // "REGISTER_OK", "CALL_INCOMING", "CALL_ESTABLISHED", "CALL_CLOSED", ...
    std::string peer; // URI; "" = none
    std::string parameter;
};

class BaresipControl {
  public:
    // 127.0.0.1:`port` in `netns`.
    static Result<BaresipControl> connect(const Netns& netns, std::uint16_t port);

    // Sends a command and waits for its answer; an Error when baresip says it failed.
    Result<std::string> command(std::string_view name, std::string_view parameters = "");
    // All events so far, oldest first.
    const std::vector<BaresipEvent>& events();

  private:
    explicit BaresipControl(UniqueFd socket) : socket_(std::move(socket)) {}
    void read_for(std::chrono::milliseconds timeout);
    void take(std::string_view json);

    struct Answer {
        std::string token;
        bool ok;
        std::string data;
    };

    UniqueFd socket_;
    std::string received_; // not yet a whole netstring
    std::vector<BaresipEvent> events_;
    std::vector<Answer> answers_;
    unsigned commands_ = 0;
};

} // namespace stem::lab
