// SPDX-License-Identifier: Apache-2.0
#include "plane/figures.h"
#include "plane/measures.h"

#include <fmt/format.h>

namespace stem::bench {
namespace {

class RtpForward : public Measure {
  public:
    RtpForward(std::string label, Mix mix, bool with_bare)
        : label_(std::move(label)), mix_(mix), with_bare_(with_bare) {}

    [[nodiscard]] std::string name() const override { return "rtp_forward_" + label_; }

    [[nodiscard]] std::string help() const override {
        return fmt::format("policed RTP forwarding, {} flows, {}, one core", mix_.flows,
                           mix_.family == Family::v4 ? "IPv4" : "IPv6");
    }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        auto line = Line::create();
        if (!line) {
            return std::unexpected(line.error());
        }
        std::vector<Lane> lanes;
        for (const auto make : {make_stem_forwarder, make_minimal_forwarder, make_nftables_forwarder}) {
            auto subject = make(**line, mix_);
            if (!subject) {
                return std::unexpected(subject.error());
            }
            lanes.push_back({.subject = std::move(*subject)});
        }
        if (with_bare_) {
            auto subject = make_bare_redirect(**line);
            if (!subject) {
                return std::unexpected(subject.error());
            }
            lanes.push_back({.subject = std::move(*subject)});
        }
        if (auto raced = race(**line, mix_, Fate::forwarded, lanes, settings, progress); !raced) {
            return std::unexpected(raced.error());
        }
        // Issue 2 sets its aim at 100 k flows.
        const bool aimed = mix_.flows == 100'000;
        std::vector<Figure> figures{
            rate_of(name(), lanes[0]),
            ratio_of(name() + "_vs_minimal", lanes[0], lanes[1], aimed ? std::optional(0.85) : std::nullopt),
            ratio_of(name() + "_vs_nftables", lanes[0], lanes[2], aimed ? std::optional(2.5) : std::nullopt),
        };
        if (with_bare_) {
            figures.push_back(ratio_of(name() + "_vs_bare_redirect", lanes[0], lanes[3], std::nullopt));
        }
        return figures;
    }

  private:
    std::string label_;
    Mix mix_;
    bool with_bare_;
};

} // namespace

std::unique_ptr<Measure> make_rtp_forward(std::string label, Mix mix, bool with_bare) {
    return std::make_unique<RtpForward>(std::move(label), mix, with_bare);
}

} // namespace stem::bench
