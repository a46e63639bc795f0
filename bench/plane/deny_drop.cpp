// SPDX-License-Identifier: Apache-2.0
#include "plane/figures.h"
#include "plane/measures.h"

namespace stem::bench {
namespace {

constexpr Mix denied{.flows = 1000, .family = Family::v4};

class DenyDrop : public Measure {
  public:
    [[nodiscard]] std::string name() const override { return "deny_drop"; }
    [[nodiscard]] std::string help() const override {
        return "packets of 1,000 denied sources dropped, one core";
    }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        auto line = Line::create();
        if (!line) {
            return std::unexpected(line.error());
        }
        std::vector<Lane> lanes;
        for (auto* subject : {&denier_, &bare_, &nftables_}) {
            auto made = (*subject)(**line);
            if (!made) {
                return std::unexpected(made.error());
            }
            lanes.push_back({.subject = std::move(*made)});
        }
        if (auto raced = race(**line, denied, Fate::dropped, lanes, settings, progress); !raced) {
            return std::unexpected(raced.error());
        }
        return std::vector<Figure>{
            rate_of(name(), lanes[0]),
            ratio_of(name() + "_vs_bare_xdp", lanes[0], lanes[1], 0.9),
            ratio_of(name() + "_vs_nftables", lanes[0], lanes[2], std::nullopt),
        };
    }

  private:
    using Make = std::function<Result<std::unique_ptr<Subject>>(const Line&)>;
    Make denier_ = [](const Line& line) { return make_stem_denier(line, denied); };
    Make bare_ = make_bare_drop;
    Make nftables_ = [](const Line& line) { return make_nftables_denier(line, denied); };
};

} // namespace

std::unique_ptr<Measure> make_deny_drop() {
    return std::make_unique<DenyDrop>();
}

} // namespace stem::bench
