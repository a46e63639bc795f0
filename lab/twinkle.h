// SPDX-License-Identifier: Apache-2.0
// A Twinkle softphone (its console): a SIP parser and transactions of its own, and GNU ccRTP, so nothing that
// it shares with baresip, SIPp or Kamailio. It speaks IPv4 alone. Its microphone is lab/microphone.h, and
// what it hears goes to a file: ALSA's plugins do that, and no sound card is needed.
#pragma once

#include "lab/microphone.h"
#include "lab/process.h"

#include <stem/address.h>
#include <stem/error.h>
#include <stem/unique_fd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stem::lab {

class Netns;

struct TwinkleOptions {
    std::string user;
    Endpoint proxy;                       // registrar; its address is the domain of the user
    std::string transport = "udp";        // or "tcp"
    std::string hold_variant = "rfc3264"; // a=sendonly; or "rfc2543": c=0.0.0.0
};

class Twinkle {
  public:
    // Is there one on this machine? Else tests skip.
    [[nodiscard]] static bool installed();
    // `netns` must have one address alone (World::add_host): it takes what the kernel chooses. Returns when
    // the registrar has said 200. It rings until told to answer.
    static Result<Twinkle> start(const Netns& netns, const TwinkleOptions& options);

    [[nodiscard]] const std::string& uri() const noexcept { return uri_; } // as others dial it
    // As typed at its prompt: "call URI", "answer", "hold", "retrieve", "bye", "dtmf 1".
    Result<> command(std::string_view line) const;
    // Waits for what it says ("incoming call", "call established", "re-INVITE successful", "far end ended
    // call"), after that which earlier calls of wait_for() have waited for.
    Result<> wait_for(std::string_view text, std::chrono::milliseconds timeout);

    // What it has heard, in all calls: 16-bit samples at 8 kHz. Complete after the call has ended.
    [[nodiscard]] Result<std::vector<std::int16_t>> heard() const;
    [[nodiscard]] Process& process() noexcept { return process_; }

  private:
    Twinkle(Microphone microphone, UniqueFd commands, Process process, std::string uri,
            std::filesystem::path directory)
        : microphone_(std::move(microphone)), commands_(std::move(commands)), process_(std::move(process)),
          uri_(std::move(uri)), directory_(std::move(directory)) {}

    Microphone microphone_; // outlives the process, which would wait for it
    UniqueFd commands_;
    Process process_;
    std::string uri_;
    std::filesystem::path directory_;
    std::size_t waited_ = 0; // octets of its output already given out
};

} // namespace stem::lab
