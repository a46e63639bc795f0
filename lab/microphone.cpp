// SPDX-License-Identifier: Apache-2.0
#include "lab/microphone.h"

#include "lab/audio.h"
#include "lab/fifo.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <span>

namespace stem::lab {

using namespace std::chrono_literals;

namespace {

void speak(const std::stop_token& stop, int pipe) {
    constexpr auto step = 20ms;
    constexpr std::size_t samples = audio_rate / 50; // in a step
    const auto voice = speech_like(8s);
    auto next = std::chrono::steady_clock::now();
    for (std::size_t spoken = 0; !stop.stop_requested(); spoken = (spoken + samples) % voice.size()) {
        const auto part = std::as_bytes(std::span(voice).subspan(spoken, samples));
        // Refused while nobody reads: unheard, as from a real microphone.
        [[maybe_unused]] const auto written = write(pipe, part.data(), part.size());
        next += step;
        std::this_thread::sleep_until(next);
    }
}

} // namespace

Result<Microphone> Microphone::at(const std::filesystem::path& path) {
    auto pipe = make_fifo(path);
    if (!pipe) {
        return std::unexpected(pipe.error());
    }
    // A page, the smallest there is: what a phone finds at the start of a call is a quarter of a second old.
    if (fcntl(pipe->get(), F_SETPIPE_SZ, 4096) < 0) {
        return fail_errno("make the pipe " + path.string() + " short");
    }
    std::jthread speaker(speak, pipe->get());
    return Microphone(std::move(*pipe), std::move(speaker));
}

} // namespace stem::lab
