// SPDX-License-Identifier: Apache-2.0
#include "plane/rules_subject.h"

#include "lab/enclosure.h"
#include "lab/process.h"
#include "lab/text_file.h"

#include <stem/abi/reason.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>

#include <filesystem>
#include <tuple>
#include <vector>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;

// An instance that stemctl has attached and given its rules. stemctl then takes it off again; its program and
// maps live on here, and step in when it is their turn.
class StemRules : public Subject {
  public:
    StemRules(const Line& line, const RulesMix& mix) : line_(&line), mix_(mix) {}

    [[nodiscard]] std::string name() const override { return fmt::format("STEM {}", mix_.count); }

    Result<> load() {
        auto attached = stemctl({"attach", "--external", line_->external().name, "--internal",
                                 line_->internal().name, "--mode", "bridge", "--xdp", "native"});
        if (!attached) {
            return attached;
        }
        auto ready = load_rules();
        if (ready) {
            ready = keep();
        }
        const auto detached = stemctl({"detach"});
        return ready ? detached : ready;
    }

    Result<> step_in() override {
        auto link = line_->external().attach(program_.get());
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
            return fail("measure " + name(),
                        fmt::format("{} of {} packets left with the reason that was expected", count, sent));
        }
        return {};
    }

  private:
    [[nodiscard]] Result<> stemctl(std::vector<std::string> arguments) const {
        const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
        arguments.insert(arguments.begin(), here / "stemctl");
        auto done = lab::run_command(
            {.name = "stemctl",
             .argv = std::move(arguments),
             .netns = &line_->middle(),
             .environment = {{"STEM_BPFFS", lab::bpffs()}, {"STEM_RUN_DIR", lab::scratch() / "run"}}},
            60s); // attach waits for the verifier
        return done ? Result<>{} : std::unexpected(done.error());
    }

    [[nodiscard]] Result<> load_rules() const {
        const auto file = lab::scratch() / "rules.toml";
        if (auto written = lab::write_text(file, stem_rules(mix_)); !written) {
            return written;
        }
        return stemctl({"rules", "load", file});
    }

    Result<> keep() {
        return line_->middle().run([this]() -> Result<> {
            std::uint32_t id = 0;
            const auto index = static_cast<int>(line_->external().index);
            if (bpf_xdp_query_id(index, XDP_FLAGS_DRV_MODE, &id) != 0 || id == 0) {
                return fail_errno("find STEM's program on " + line_->external().name);
            }
            program_ = UniqueFd(bpf_prog_get_fd_by_id(id));
            const auto pin = lab::bpffs() / "default" / "counters";
            counters_ = UniqueFd(bpf_obj_get(pin.c_str()));
            if (!program_ || !counters_) {
                return fail_errno("open STEM's program and counters");
            }
            return {};
        });
    }

    [[nodiscard]] std::uint64_t counted() const {
        std::vector<stem_counter> of_cpus(static_cast<std::size_t>(libbpf_num_possible_cpus()));
        const auto index =
            stem_counter_index(mix_.last_matches ? STEM_RULE_PASS : STEM_POLICY_PASS, STEM_INBOUND);
        bpf_map_lookup_elem(counters_.get(), &index, of_cpus.data());
        std::uint64_t sum = 0;
        for (const auto& counter : of_cpus) {
            sum += counter.packets;
        }
        return sum;
    }

    const Line* line_;
    RulesMix mix_;
    UniqueFd program_;
    UniqueFd counters_;
    UniqueFd link_;
    std::uint64_t counted_ = 0;
};

} // namespace

Result<std::unique_ptr<Subject>> make_stem_rules(const Line& line, const RulesMix& mix) {
    auto subject = std::make_unique<StemRules>(line, mix);
    if (auto ready = subject->load(); !ready) {
        return std::unexpected(ready.error());
    }
    return subject;
}

} // namespace stem::bench
