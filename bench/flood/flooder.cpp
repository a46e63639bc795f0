// SPDX-License-Identifier: Apache-2.0
#include "flood/flooder.h"

#include "flood/cpus.h"
#include "flood/flood_frame.h"

#include <flood.skel.h>

#include <bpf/bpf.h>
#include <endian.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <iterator>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t batch = 64;
// One run of the program. Between two the kernel waits for grace periods, tens of milliseconds: so not much
// shorter.
constexpr std::chrono::nanoseconds slice = 250ms;
constexpr std::uint32_t first_slice = 64 * batch;

constexpr std::size_t ethernet_header = 14;

static_assert(offsetof(flood_invite, branch) % 2 == 0 && offsetof(flood_invite, call_id) % 2 == 0,
              "the checksum counts the marks as whole words");

// A segment as the program finds it: what it writes itself is zero.
template<typename Segment>
std::vector<std::uint8_t> octets_of(const Segment& segment) {
    std::vector<std::uint8_t> octets(sizeof segment);
    std::memcpy(octets.data(), &segment, sizeof segment);
    return octets;
}

std::vector<std::uint8_t> segment_of(FloodKind kind) {
    if (kind == FloodKind::syn) {
        return octets_of(flood_syn{});
    }
    if (kind == FloodKind::rtp) {
        flood_udp_rtp datagram{};
        std::ranges::fill(datagram.rtp.audio, 0xd5); // silence
        return octets_of(datagram);
    }
    flood_udp_invite datagram{};
    std::memcpy(datagram.invite.start, FLOOD_INVITE_START, sizeof datagram.invite.start);
    std::memcpy(datagram.invite.middle, FLOOD_INVITE_MIDDLE, sizeof datagram.invite.middle);
    std::memcpy(datagram.invite.end, FLOOD_INVITE_END, sizeof datagram.invite.end);
    return octets_of(datagram);
}

// In the machine's own order of octets, as the program adds up.
std::uint32_t sum_of(const std::vector<std::uint8_t>& octets) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < octets.size(); i += 2) {
        std::uint16_t word = 0;
        std::memcpy(&word, octets.data() + i, sizeof word);
        sum += word;
    }
    return (sum & 0xffffU) + (sum >> 16U);
}

} // namespace

void Flooder::Destroy::operator()(flood_bpf* program) const {
    flood_bpf::destroy(program);
}

Flooder::~Flooder() {
    if (thread_.joinable()) {
        static_cast<void>(stop());
    }
}

Result<std::unique_ptr<Flooder>> Flooder::create(const Port& port, const Flood& flood) {
    std::unique_ptr<Flooder> flooder(new Flooder);
    flooder->program_.reset(flood_bpf::open());
    if (!flooder->program_) {
        return fail_errno("open the flood's program");
    }
    auto& program = *flooder->program_;
    auto& data = *program.rodata;
    data.v6 = !flood.source.address.is_v4();
    static_assert(sizeof data.source == sizeof flood.source.address.octets());
    std::memcpy(data.source, flood.source.address.octets().data(), sizeof data.source);
    std::memcpy(data.destination, flood.destination.address.octets().data(), sizeof data.destination);
    data.source_spread = htobe32(flood.source_spread);
    data.source_port = flood.source.port;
    data.destination_port = flood.destination.port;
    data.any_port = flood.any_port;
    data.ns_per_frame = flood.rate == 0 ? 0 : 1'000'000'000 / flood.rate;
    auto segment = segment_of(flood.kind);
    data.constant_sum = sum_of(segment);
    std::ranges::copy(flood.station, data.station);
    std::ranges::copy(port.station, data.own_station);
    if (const int error = flood_bpf::load(&program); error != 0) {
        return fail_errno("load the flood's program", -error);
    }
    if (auto entered = port.enter_devmap(bpf_map__fd(program.maps.way_out), 0); !entered) {
        return std::unexpected(entered.error());
    }
    const auto& programs = program.progs;
    flooder->entry_ = bpf_program__fd(flood.kind == FloodKind::syn      ? programs.flood_syn
                                      : flood.kind == FloodKind::invite ? programs.flood_invite
                                                                        : programs.flood_rtp);
    flooder->frame_.resize(ethernet_header + (data.v6 ? sizeof(ipv6hdr) : sizeof(iphdr)));
    std::ranges::copy(segment, std::back_inserter(flooder->frame_));
    return flooder;
}

int Flooder::run_once(std::uint32_t repeat, std::uint32_t& ns_per_frame) const {
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = frame_.data();
    options.data_size_in = static_cast<std::uint32_t>(frame_.size());
    options.repeat = static_cast<int>(repeat);
    options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    options.batch_size = batch;
    const int error = bpf_prog_test_run_opts(entry_, &options);
    ns_per_frame = std::max(options.duration, 1U);
    return error;
}

void Flooder::flood(const std::stop_token& stop) {
    const KeepTo last(Cpus::last);
    give_way();
    std::uint32_t repeat = first_slice;
    while (!stop.stop_requested()) {
        std::uint32_t ns_per_frame = 0;
        const int error = run_once(repeat, ns_per_frame);
        if (error != 0) {
            error_ = -error;
            return;
        }
        const auto fitting = static_cast<std::uint32_t>(slice.count() / ns_per_frame / batch * batch);
        repeat = std::clamp(fitting, batch, repeat * 16);
    }
}

void Flooder::start() {
    error_ = 0;
    program_->bss->halted = 0;
    thread_ = std::jthread([this](const std::stop_token& stop) { flood(stop); });
}

Result<std::uint64_t> Flooder::stop() {
    thread_.request_stop();
    __atomic_store_n(&program_->bss->halted, 1, __ATOMIC_RELAXED);
    thread_.join();
    const int error = error_;
    if (error != 0) {
        return fail_errno("run the flood's program on live frames", error,
                          "needs Linux 5.18, and CAP_NET_ADMIN and CAP_BPF");
    }
    return made();
}

Result<> Flooder::send(std::uint64_t frames) {
    const auto due = made() + frames;
    while (made() < due) {
        std::uint32_t ns_per_frame = 0;
        if (const int error = run_once(batch, ns_per_frame); error != 0) {
            return fail_errno("run the flood's program on live frames", -error,
                              "needs Linux 5.18, and CAP_NET_ADMIN and CAP_BPF");
        }
    }
    return {};
}

std::uint64_t Flooder::made() const {
    return __atomic_load_n(&program_->bss->made, __ATOMIC_RELAXED);
}

} // namespace stem::bench
