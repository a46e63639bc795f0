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

class Generator {
  public:
    static Result<Generator> create(const Line& line, const Mix& mix, Way way = Way::there);

    // Sends `count` frames (rounded up to a whole batch) and returns how many it sent. All frames have been
    // through the middle, or were lost, when it returns, but for the last few that another context took over.
    Result<std::uint64_t> send(std::uint32_t count);

  private:
    struct Destroy {
        void operator()(generator_bpf* program) const;
    };
    std::unique_ptr<generator_bpf, Destroy> program_;
    Family family_ = Family::v4;
};

} // namespace stem::bench
