// SPDX-License-Identifier: Apache-2.0
#include "plane/fill_map.h"
#include "plane/flow_mix.h"
#include "plane/stream_address.h"
#include "plane/subject.h"

#include "ctl/kernel/mapped_array.h"
#include "ctl/kernel/rule_compiler.h"

#include <stem/abi/deny.h>
#include <stem/abi/flow.h>
#include <stem/abi/reason.h>
#include <stem/abi/ruleset.h>
#include <stem/abi/threshold.h>

#include <stem.skel.h>

#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>

namespace stem::bench {
namespace {

struct Destroy {
    void operator()(stem_bpf* program) const { stem_bpf::destroy(program); }
};

class StemSubject : public Subject {
  public:
    StemSubject(const Line& line, stem_reason expected) : line_(&line), expected_(expected) {}

    [[nodiscard]] std::string name() const override { return "STEM"; }

    // As `stemctl attach` leaves it in bridge mode, with no rules and everything denied that is not opened.
    Result<> load(std::uint32_t flows, std::uint32_t denied) {
        program_.reset(stem_bpf::open());
        if (!program_) {
            return fail_errno("open STEM's data plane");
        }
        auto& maps = program_->maps;
        bpf_map__set_max_entries(maps.flows, std::max(flows, bpf_map__max_entries(maps.flows)));
        bpf_map__set_max_entries(maps.deny, std::max(denied, bpf_map__max_entries(maps.deny)));
        if (const int error = stem_bpf::load(program_.get()); error != 0) {
            return fail_errno("load STEM's data plane", -error);
        }
        auto generation = kernel::MappedArray<stem_ruleset>::adopt(
            UniqueFd(fcntl(bpf_map__fd(maps.ruleset), F_DUPFD_CLOEXEC, 3)), "ruleset");
        if (!generation) {
            return std::unexpected(generation.error());
        }
        if (auto compiled = kernel::compile_rules({}, (*generation)[0]); !compiled) {
            return compiled;
        }
        const std::uint32_t zero = 0;
        stem_thresholds thresholds{};
        stem_default_thresholds(&thresholds);
        const std::uint16_t sip = 5060;
        const std::uint8_t present = 1;
        if (bpf_map_update_elem(bpf_map__fd(maps.thresholds), &zero, &thresholds, BPF_ANY) != 0 ||
            bpf_map_update_elem(bpf_map__fd(maps.sip_ports), &sip, &present, BPF_ANY) != 0) {
            return fail_errno("set up STEM's data plane");
        }
        auto entered = line_->external().enter_devmap(bpf_map__fd(maps.tx_ports), STEM_PORT_EXTERNAL);
        return entered ? line_->internal().enter_devmap(bpf_map__fd(maps.tx_ports), STEM_PORT_INTERNAL)
                       : entered;
    }

    Result<> open_flows(const Mix& mix) {
        return fill_map<stem_flow_key, stem_flow>(
            bpf_map__fd(program_->maps.flows), mix.flows, [&](std::uint32_t number) {
                const auto stream = bench_stream_of(number);
                stem_flow_key key{};
                key.src = address_of(stream.source, mix.family).raw();
                key.dst = address_of(stream.destination, mix.family).raw();
                key.sport = stream.source_port;
                key.dport = stream.destination_port;
                key.direction = STEM_INBOUND;
                key.protocol = IPPROTO_UDP;
                stem_flow flow{};
                flow.kind = STEM_FLOW_RTP;
                flow.payload_types[0] = 1; // PCMU
                flow.clock_hz[0] = 8000;
                flow.min_payload = 12;
                flow.max_payload = BENCH_RTP_PAYLOAD;
                // More than the generator can send over one flow.
                flow.ns_per_packet = 1;
                flow.ns_per_kib = 1;
                flow.bytes_burst_ns = flow.packets_burst_ns = 1'000'000'000;
                return std::pair{key, flow};
            });
    }

    Result<> deny_sources(const Mix& mix) {
        stem_deny_filter filter{};
        auto filled = fill_map<stem_deny_key, stem_deny>(
            bpf_map__fd(program_->maps.deny), mix.flows, [&](std::uint32_t number) {
                const stem_deny_key key{address_of(bench_stream_of(number).source, mix.family).raw()};
                const auto bit = stem_deny_filter_exact(&key.source);
                filter.exact[bit / 64] |= std::uint64_t{1} << (bit % 64);
                stem_deny entry{};
                entry.origin = STEM_DENY_OPERATOR;
                return std::pair{key, entry};
            });
        if (!filled) {
            return filled;
        }
        const std::uint32_t zero = 0;
        if (bpf_map_update_elem(bpf_map__fd(program_->maps.deny_filter), &zero, &filter, BPF_ANY) != 0) {
            return fail_errno("write STEM's deny filter");
        }
        return {};
    }

    Result<> step_in() override {
        auto link = line_->external().attach(bpf_program__fd(program_->progs.stem_external));
        if (!link) {
            return std::unexpected(link.error());
        }
        link_ = std::move(*link);
        counted_ = counted();
        return {};
    }

    void step_out() override { link_.reset(); }

    Result<> verify(std::uint64_t sent) override {
        const auto count = counted() - counted_;
        if (count != sent) {
            return fail("measure STEM",
                        fmt::format("{} of {} packets left with the reason that was expected", count, sent));
        }
        return {};
    }

  private:
    [[nodiscard]] std::uint64_t counted() const {
        std::vector<stem_counter> of_cpus(static_cast<std::size_t>(libbpf_num_possible_cpus()));
        const auto index = stem_counter_index(expected_, STEM_INBOUND);
        bpf_map_lookup_elem(bpf_map__fd(program_->maps.counters), &index, of_cpus.data());
        std::uint64_t sum = 0;
        for (const auto& counter : of_cpus) {
            sum += counter.packets;
        }
        return sum;
    }

    const Line* line_;
    stem_reason expected_;
    std::unique_ptr<stem_bpf, Destroy> program_;
    UniqueFd link_;
    std::uint64_t counted_ = 0;
};

} // namespace

Result<std::unique_ptr<Subject>> make_stem_forwarder(const Line& line, const Mix& mix) {
    auto subject = std::make_unique<StemSubject>(line, STEM_FLOW);
    if (auto ready = subject->load(mix.flows, 0); !ready) {
        return std::unexpected(ready.error());
    }
    if (auto open = subject->open_flows(mix); !open) {
        return std::unexpected(open.error());
    }
    return subject;
}

Result<std::unique_ptr<Subject>> make_stem_denier(const Line& line, const Mix& mix) {
    auto subject = std::make_unique<StemSubject>(line, STEM_DENY);
    if (auto ready = subject->load(0, mix.flows); !ready) {
        return std::unexpected(ready.error());
    }
    if (auto denied = subject->deny_sources(mix); !denied) {
        return std::unexpected(denied.error());
    }
    return subject;
}

} // namespace stem::bench
