// SPDX-License-Identifier: Apache-2.0
// A baresip softphone: real SIP, real audio. It speaks the sound of lab/audio.h for two minutes and records
// what it hears.
#pragma once

#include "lab/baresip_control.h"
#include "lab/process.h"

#include <stem/address.h>
#include <stem/error.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace stem::lab {

class Netns;

struct BaresipOptions {
    std::string user;
    Address local;  // where its SIP (port 5060) and its media are; must be the only one of its family in
                    // the namespace (World::add_host), because baresip does not bind its RTP to it
    Endpoint proxy; // registrar and outbound proxy; its address is the domain of the user
    std::string password = "none";        // by which it answers challenges, as `user`
    bool registers = true;                // false: it can call without being callable through the proxy
    bool answers = true;                  // picks up by itself; false: rings
    std::string codec = "pcma";           // or "pcmu"
    std::uint16_t first_rtp_port = 30000; // of 100
    std::string transport = "udp";        // or "tcp"
    std::string encryption = {};          // of its media: "srtp-mand" (SDES), "dtls_srtp"; "" = none
    bool ice = false;
};

class Baresip {
  public:
    // Returns when it takes commands and, if asked to register, when the registrar has said 200.
    static Result<Baresip> start(const Netns& netns, const BaresipOptions& options);

    [[nodiscard]] const std::string& uri() const noexcept { return uri_; } // as others dial it
    Result<> dial(const std::string& uri);
    Result<> hang_up();
    // Waits for an event of that type after those that earlier calls of wait_for() have waited for.
    Result<BaresipEvent> wait_for(const std::string& type, std::chrono::milliseconds timeout);
    // Every event so far.
    [[nodiscard]] const std::vector<BaresipEvent>& events() { return control_.events(); }

    // What it has heard, in all calls: 16-bit samples at 8 kHz, decoded. Complete after the call has ended.
    [[nodiscard]] Result<std::vector<std::int16_t>> heard() const;
    [[nodiscard]] Process& process() noexcept { return process_; }

  private:
    Baresip(Process process, BaresipControl control, std::string uri, std::filesystem::path directory)
        : process_(std::move(process)), control_(std::move(control)), uri_(std::move(uri)),
          directory_(std::move(directory)) {}

    Process process_;
    BaresipControl control_;
    std::string uri_;
    std::filesystem::path directory_;
    std::size_t waited_ = 0; // events already given out
};

} // namespace stem::lab
