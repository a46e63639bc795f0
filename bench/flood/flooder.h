// SPDX-License-Identifier: Apache-2.0
// Sends a flood into a port until it is stopped, from the machine's last CPU, by running an XDP program on
// live frames (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18).
#pragma once

#include "plane/port.h"

#include <stem/address.h>
#include <stem/error.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

struct flood_bpf;

namespace stem::bench {

enum class FloodKind { syn, invite, rtp };

struct Flood {
    FloodKind kind = FloodKind::syn;
    Endpoint source; // port 0: any, another one in each frame
    Endpoint destination;
    std::uint32_t source_spread = 0;       // of the last 32 bits of the source, those that are random
    bool any_port = false;                 // every other frame goes to a random port
    std::array<std::uint8_t, 6> station{}; // link address that the frames are sent to
    std::uint64_t rate = 0;                // frames a second; 0: as many as the CPU makes
};

class Flooder {
  public:
    // Frames leave by `port`, whose peer must be in NAPI mode (lab::connect() sees to it).
    static Result<std::unique_ptr<Flooder>> create(const Port& port, const Flood& flood);
    Flooder(const Flooder&) = delete;
    Flooder& operator=(const Flooder&) = delete;
    ~Flooder(); // stops

    void start();
    // How many frames were made. An Error when the kernel refused to run the program.
    Result<std::uint64_t> stop();
    // Made so far, whether or not the other end had room for them.
    [[nodiscard]] std::uint64_t made() const;
    // Sends `frames` in the calling thread, at the flood's rate, and returns.
    // Not while the flood goes on.
    Result<> send(std::uint64_t frames);

  private:
    struct Destroy {
        void operator()(flood_bpf* program) const;
    };
    Flooder() = default;
    [[nodiscard]] int run_once(std::uint32_t repeat, std::uint32_t& ns_per_frame) const;
    void flood(const std::stop_token& stop);

    std::unique_ptr<flood_bpf, Destroy> program_;
    int entry_ = -1;
    std::vector<std::uint8_t> frame_;
    std::atomic<int> error_ = 0; // errno
    std::jthread thread_;
};

} // namespace stem::bench
