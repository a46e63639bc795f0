// SPDX-License-Identifier: Apache-2.0
#include "plane/rules_subject.h"

#include "lab/process.h"

#include <fmt/format.h>

#include <tuple>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;

// No connection tracking: rules alone. The table is there while its turn lasts.
class NftablesRules : public Subject {
  public:
    NftablesRules(const Line& line, const RulesMix& mix, Ruleset kind)
        : line_(&line),
          name_(fmt::format("nftables {} {}", kind == Ruleset::set ? "set" : "linear", mix.count)),
          script_(kind == Ruleset::set ? nftables_set(mix) : nftables_rules(mix)) {}
    ~NftablesRules() override { step_out(); }

    [[nodiscard]] std::string name() const override { return name_; }

    Result<> step_in() override {
        auto loaded = nft(script_);
        in_ = loaded.has_value();
        return loaded;
    }

    void step_out() override {
        if (in_) {
            std::ignore = nft("delete table inet rules\n");
            in_ = false;
        }
    }

    Result<> verify(std::uint64_t /*sent*/) override { return {}; }

  private:
    [[nodiscard]] Result<> nft(const std::string& script) const {
        auto done = lab::run_command(
            {.name = "nft", .argv = {"nft", "-f", "-"}, .netns = &line_->middle(), .input = script}, 60s);
        return done ? Result<>{} : std::unexpected(done.error());
    }

    const Line* line_;
    std::string name_;
    std::string script_;
    bool in_ = false;
};

} // namespace

Result<std::unique_ptr<Subject>> make_nftables_rules(const Line& line, const RulesMix& mix, Ruleset kind) {
    return std::make_unique<NftablesRules>(line, mix, kind);
}

} // namespace stem::bench
