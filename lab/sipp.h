// SPDX-License-Identifier: Apache-2.0
// SIPp with the scenarios of lab/scenarios/. They negotiate media but send none: pair a call with
// RtpEndpoint, for which the ports are known. Call n of a caller (from 1) offers port media_port + 4 (n - 1),
// and `uas` answers with the very port number of the offer at its own address.
#pragma once

#include "lab/process.h"

#include <stem/address.h>
#include <stem/error.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stem::lab {

class Netns;

struct SippOptions {
    std::string scenario;                 // a file of lab/scenarios without ".xml": "uac", "uas"
    Endpoint local;                       // one socket carries all calls, unless `transport` says otherwise
    std::optional<Endpoint> remote;       // a caller's next hop, the proxy; also the host of the request URI
    std::string transport = "u1";         // "t1": TCP, one connection; "tn": one for each call
    std::string user = "bob";             // whom it calls
    std::string caller = "alice";         // as whom
    std::string password = {};            // by which it answers challenges, as `caller`
    unsigned calls = 1;                   // it ends after so many; 0: it never does by itself
    double rate = 10;                     // new calls a second
    unsigned parallel = 1000;             // most at a time
    std::chrono::milliseconds talk{1000}; // between ACK and BYE
    std::uint16_t media_port = 20000;
    std::optional<Address> media_host = {}; // [media_host] in descriptions; that of `local` when not given
    std::chrono::seconds limit{120};        // then SIPp gives up
    // How long a call waits for a message before it counts as failed; 0: as long as it takes.
    std::chrono::milliseconds patience{0};
    unsigned lost_percent = 0; // of the messages that it sends and receives
};

struct SippCounts {
    std::uint64_t created = 0;
    std::uint64_t successful = 0;
    std::uint64_t failed = 0;
    std::uint64_t current = 0; // calls that are up now
    std::uint64_t retransmissions = 0;
    std::uint64_t unexpected = 0; // calls that failed because of a message the scenario does not have
};

class Sipp {
  public:
    static Result<Sipp> start(const Netns& netns, const SippOptions& options);

    // Waits for the end of all calls. Failed calls are no Error but a count; SIPp's own words are in
    // error_log().
    Result<SippCounts> wait(std::chrono::milliseconds timeout);
    // Ends it now, as `uas` without a number of calls needs.
    SippCounts stop();
    // As SIPp wrote them last: in every second, and at its end.
    [[nodiscard]] Result<SippCounts> counts() const;
    [[nodiscard]] std::string error_log() const; // messages that were not expected, and the like; "" = none
    [[nodiscard]] Process& process() noexcept { return process_; }

  private:
    Sipp(Process process, std::filesystem::path statistics, std::filesystem::path error_log)
        : process_(std::move(process)), statistics_(std::move(statistics)), error_log_(std::move(error_log)) {
    }

    Process process_;
    std::filesystem::path statistics_;
    std::filesystem::path error_log_;
};

} // namespace stem::lab
