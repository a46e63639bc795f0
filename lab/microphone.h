// SPDX-License-Identifier: Apache-2.0
// A microphone for phones that insist on a sound card: a named pipe out of which the speech of lab/audio.h
// comes at the pace of speech, 16-bit samples at 8 kHz. A phone that reads it blocks as it would on a real
// device. A file would not do: it is read as fast as the CPU can, and the phone sends one packet and throws
// the rest away.
#pragma once

#include <stem/error.h>
#include <stem/unique_fd.h>

#include <filesystem>
#include <thread>
#include <utility>

namespace stem::lab {

class Microphone {
  public:
    // Speaks until it is destroyed, into the void while nobody reads. A reader must be gone before.
    static Result<Microphone> at(const std::filesystem::path& path);
    Microphone(Microphone&&) noexcept = default;
    Microphone& operator=(Microphone&&) = delete; // the old thread would write to the new descriptor
    Microphone(const Microphone&) = delete;
    Microphone& operator=(const Microphone&) = delete;
    ~Microphone() = default;

  private:
    Microphone(UniqueFd pipe, std::jthread speaker) : pipe_(std::move(pipe)), speaker_(std::move(speaker)) {}

    UniqueFd pipe_; // outlives the thread that writes to it
    std::jthread speaker_;
};

} // namespace stem::lab
