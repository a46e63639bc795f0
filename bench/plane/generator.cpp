// SPDX-License-Identifier: Apache-2.0
#include "plane/generator.h"

#include "plane/flow_mix.h"

#include <generator.skel.h>

#include <bpf/bpf.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace stem::bench {
namespace {

constexpr std::uint32_t batch = 64;
constexpr std::size_t udp_headers = 14 + 8; // Ethernet and UDP

std::size_t frame_length(Family family) {
    return udp_headers + (family == Family::v4 ? 20 : 40) + BENCH_RTP_PAYLOAD;
}

// About the golden section of the circle: neighbours in time are strangers in memory, and every stream is met
// equally often.
std::uint32_t stride_through(std::uint32_t flows) {
    auto stride = static_cast<std::uint32_t>(std::max(1.0, flows * 0.6180339887));
    while (std::gcd(stride, flows) != 1) {
        ++stride;
    }
    return stride;
}

} // namespace

void Generator::Destroy::operator()(generator_bpf* program) const {
    generator_bpf::destroy(program);
}

Result<Generator> Generator::create(const Line& line, const Mix& mix, Way way) {
    Generator generator;
    generator.family_ = mix.family;
    generator.program_.reset(generator_bpf::open());
    if (!generator.program_) {
        return fail_errno("open the packet generator's program");
    }
    auto& program = *generator.program_;
    const Port& from = way == Way::there ? line.source() : line.sink();
    const Port& into = way == Way::there ? line.external() : line.internal();
    program.rodata->flow_count = mix.flows;
    program.rodata->stride = stride_through(mix.flows);
    program.rodata->reverse = way == Way::back;
    std::ranges::copy(into.station, program.rodata->station);
    if (const int error = generator_bpf::load(&program); error != 0) {
        return fail_errno("load the packet generator's program", -error);
    }
    if (auto entered = from.enter_devmap(bpf_map__fd(program.maps.way_out), 0); !entered) {
        return std::unexpected(entered.error());
    }
    return generator;
}

Result<Burst> Generator::send(std::uint32_t count) {
    std::array<std::uint8_t, 512> frame{};
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame_length(family_));
    options.repeat = static_cast<int>((count + batch - 1) / batch * batch);
    options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    options.batch_size = batch;
    const auto* program = family_ == Family::v4 ? program_->progs.generate_v4 : program_->progs.generate_v6;
    if (const int error = bpf_prog_test_run_opts(bpf_program__fd(program), &options); error != 0) {
        return fail_errno("run the packet generator on live frames", -error,
                          "needs Linux 5.18, and CAP_NET_ADMIN and CAP_BPF");
    }
    return Burst{.frames = static_cast<std::uint64_t>(options.repeat),
                 .ns_per_frame = static_cast<double>(options.duration)};
}

} // namespace stem::bench
