// SPDX-License-Identifier: Apache-2.0
// A witness from outside the project: tcpdump writes what an interface sees, tshark reads it.
//
// Frames that XDP redirects never reach a packet socket on the ports where that happens: to see what STEM let
// through, capture at the far ends (outside_port, inside_port of lab/world.h), not in the middle.
#pragma once

#include "lab/process.h"

#include <stem/error.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace stem::lab {

class Netns;

class Capture {
  public:
    // Returns when the interface is being listened to.
    static Result<Capture> start(const Netns& netns, const std::string& interface);

    // Ends the capture; what was seen until now is in the file. An Error when the kernel dropped packets of
    // it.
    Result<> stop();

    // The two read what is in the file, after stop(). `filter` is a display filter: "sip.Method == \"BYE\"",
    // "rtp && ip.src == 192.0.2.11". RTP is recognised also without its SDP.
    [[nodiscard]] Result<std::uint64_t> count(const std::string& filter) const;
    // One row a packet, one column a field: {"rtp.seq", "udp.dstport"}. Several values of a field:
    // comma-separated.
    [[nodiscard]] Result<std::vector<std::vector<std::string>>>
    fields(const std::string& filter, const std::vector<std::string>& names) const;

    [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }

  private:
    Capture(Process process, std::filesystem::path file)
        : process_(std::move(process)), file_(std::move(file)) {}

    Process process_;
    std::filesystem::path file_;
};

} // namespace stem::lab
