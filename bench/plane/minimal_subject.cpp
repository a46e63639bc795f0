// SPDX-License-Identifier: Apache-2.0
#include "plane/fill_map.h"
#include "plane/flow_mix.h"
#include "plane/minimal.h"
#include "plane/stream_address.h"
#include "plane/subject.h"

#include <minimal.skel.h>
#include <stem.skel.h>

#include <endian.h>

#include <algorithm>

namespace stem::bench {
namespace {

struct Destroy {
    void operator()(minimal_bpf* program) const { minimal_bpf::destroy(program); }
    void operator()(stem_bpf* program) const { stem_bpf::destroy(program); }
};

class MinimalSubject : public Subject {
  public:
    MinimalSubject(const Line& line, std::string name) : line_(&line), name_(std::move(name)) {}

    [[nodiscard]] std::string name() const override { return name_; }

    // The flow tables get the kind and size that STEM's own has.
    Result<> load(std::uint32_t flows) {
        const std::unique_ptr<stem_bpf, Destroy> model(stem_bpf::open());
        program_.reset(minimal_bpf::open());
        if (!program_ || !model) {
            return fail_errno("open the minimal flow forwarder");
        }
        for (auto* map : {program_->maps.flows_v4, program_->maps.flows_v6}) {
            bpf_map__set_map_flags(map, bpf_map__map_flags(model->maps.flows));
            bpf_map__set_max_entries(map, std::max(flows, bpf_map__max_entries(model->maps.flows)));
        }
        if (const int error = minimal_bpf::load(program_.get()); error != 0) {
            return fail_errno("load the minimal flow forwarder", -error);
        }
        return line_->internal().enter_devmap(bpf_map__fd(program_->maps.way_out), 0);
    }

    Result<> open_flows(const Mix& mix) {
        const minimal_flow flow{.full_at_ns = 0, .burst_ns = 1'000'000'000, .ns_per_kib = 1};
        if (mix.family == Family::v4) {
            return fill_map<minimal_key_v4, minimal_flow>(
                bpf_map__fd(program_->maps.flows_v4), mix.flows, [&](std::uint32_t number) {
                    const auto stream = bench_stream_of(number);
                    const minimal_key_v4 key{.source = htobe32(stream.source),
                                             .destination = htobe32(stream.destination),
                                             .source_port = htobe16(stream.source_port),
                                             .destination_port = htobe16(stream.destination_port)};
                    return std::pair{key, flow};
                });
        }
        return fill_map<minimal_key_v6, minimal_flow>(
            bpf_map__fd(program_->maps.flows_v6), mix.flows, [&](std::uint32_t number) {
                const auto stream = bench_stream_of(number);
                minimal_key_v6 key{};
                std::ranges::copy(address_of(stream.source, mix.family).octets(), key.source);
                std::ranges::copy(address_of(stream.destination, mix.family).octets(), key.destination);
                key.source_port = htobe16(stream.source_port);
                key.destination_port = htobe16(stream.destination_port);
                return std::pair{key, flow};
            });
    }

    void use_program(const bpf_program* program) { entry_ = bpf_program__fd(program); }
    [[nodiscard]] const minimal_bpf& program() const { return *program_; }

    Result<> step_in() override {
        auto link = line_->external().attach(entry_);
        if (!link) {
            return std::unexpected(link.error());
        }
        link_ = std::move(*link);
        return {};
    }

    void step_out() override { link_.reset(); }

    // It counts nothing: the ports' counters tell.
    Result<> verify(std::uint64_t /*sent*/) override { return {}; }

  private:
    const Line* line_;
    std::string name_;
    std::unique_ptr<minimal_bpf, Destroy> program_;
    int entry_ = -1;
    UniqueFd link_;
};

Result<std::unique_ptr<Subject>> make_bare(const Line& line, std::string name, bool drop) {
    auto subject = std::make_unique<MinimalSubject>(line, std::move(name));
    if (auto ready = subject->load(1); !ready) {
        return std::unexpected(ready.error());
    }
    const auto& programs = subject->program().progs;
    subject->use_program(drop ? programs.bare_drop : programs.bare_redirect);
    return subject;
}

} // namespace

Result<std::unique_ptr<Subject>> make_minimal_forwarder(const Line& line, const Mix& mix) {
    auto subject = std::make_unique<MinimalSubject>(line, "minimal flow forwarder");
    if (auto ready = subject->load(mix.flows); !ready) {
        return std::unexpected(ready.error());
    }
    if (auto open = subject->open_flows(mix); !open) {
        return std::unexpected(open.error());
    }
    const auto& programs = subject->program().progs;
    subject->use_program(mix.family == Family::v4 ? programs.minimal_v4 : programs.minimal_v6);
    return subject;
}

Result<std::unique_ptr<Subject>> make_bare_redirect(const Line& line) {
    return make_bare(line, "bare XDP redirect", false);
}

Result<std::unique_ptr<Subject>> make_bare_drop(const Line& line) {
    return make_bare(line, "bare XDP drop", true);
}

} // namespace stem::bench
