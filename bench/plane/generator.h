// SPDX-License-Identifier: Apache-2.0
// Sends RTP packets of many streams into a port, from one CPU, by running an XDP program on live frames
// (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18).
#pragma once

#include "plane/line.h"

#include <cstdint>
#include <memory>

struct generator_bpf;

namespace stem::bench {

enum class Family { v4, v6 };

struct Mix {
    std::uint32_t flows = 1; // 1 to BENCH_FLOWS_MAX
    Family family = Family::v4;
};

enum class Way {
    there, // in by the middle's external port
    back,  // the answering direction, in by its internal port
};

struct Burst {
    std::uint64_t frames = 0;
    // The kernel's own clock, in whole nanoseconds: making the frame, and its way through the middle to its
    // end, as all of it happens on one CPU before the next batch is made. Setting the run up is not in it
    // (two RCU grace periods, tens of milliseconds), nor is the time that other processes were given.
    double ns_per_frame = 0;
};

class Generator {
  public:
    static Result<Generator> create(const Line& line, const Mix& mix, Way way = Way::there);

    // Sends `count` frames, rounded up to a whole batch.
    Result<Burst> send(std::uint32_t count);

  private:
    struct Destroy {
        void operator()(generator_bpf* program) const;
    };
    std::unique_ptr<generator_bpf, Destroy> program_;
    Family family_ = Family::v4;
};

} // namespace stem::bench
