// SPDX-License-Identifier: Apache-2.0
#include "parser/crafted.h"
#include "parser/measures.h"

#include "ctl/sdp/session.h"
#include "ctl/sip/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>

namespace stem::bench {
namespace {

constexpr double aim_ns = 100; // issue 4
constexpr int messages_a_round = 200;
constexpr std::size_t sizes[] = {1400, 4000, 8000};

// Of this thread: what others take from it does not count.
double cpu_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// What stemd does with it before the call monitor decides. Gives whether it was let through, so that nothing
// is left out by the compiler.
bool parse_all(const std::string& text) {
    const auto message = sip::parse(text, {});
    return message && (message->sdp.length == 0 || sdp::parse(message->sdp_of(text), {}));
}

struct Cost {
    double ns_per_byte = 0;
    bool passes = false;
};

Cost cost_of(const Crafted& crafted) {
    Cost cost{.ns_per_byte = 0, .passes = parse_all(crafted.text)};
    const double before = cpu_ns();
    int passed = 0;
    for (int n = 0; n < messages_a_round; n++) {
        passed += parse_all(crafted.text) ? 1 : 0;
    }
    cost.ns_per_byte = (cpu_ns() - before) / messages_a_round / static_cast<double>(crafted.text.size());
    cost.passes = passed == messages_a_round;
    return cost;
}

class ParserCost : public Measure {
  public:
    [[nodiscard]] std::string name() const override { return "parser"; }
    [[nodiscard]] std::string help() const override {
        return "CPU time an octet of crafted SIP messages in the parser, and of an ordinary one";
    }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        std::vector<double> worst;
        std::vector<double> ordinary;
        std::vector<Detail> details;
        for (unsigned round = 1; round <= settings.repetitions; ++round) {
            double dearest = 0;
            std::string which;
            for (const std::size_t size : sizes) {
                for (const Crafted& crafted : crafted_messages(size)) {
                    const Cost cost = cost_of(crafted);
                    if (crafted.name == "invite") {
                        if (!cost.passes) {
                            return fail("parse an ordinary INVITE", "it was refused");
                        }
                        ordinary.push_back(cost.ns_per_byte);
                    }
                    if (cost.ns_per_byte > dearest) {
                        dearest = cost.ns_per_byte;
                        which = fmt::format("{} of {} octets", crafted.name, crafted.text.size());
                    }
                    if (round == settings.repetitions) {
                        details.push_back({.name = fmt::format("{}_{}_{}", crafted.name, crafted.text.size(),
                                                               cost.passes ? "passes" : "refused"),
                                           .value = cost.ns_per_byte});
                    }
                }
            }
            worst.push_back(dearest);
            progress(
                fmt::format("{} of {}: {:.1f} ns an octet: {}", round, settings.repetitions, dearest, which));
        }
        return std::vector<Figure>{{.name = "parser_worst_ns_per_byte",
                                    .unit = "ns",
                                    .spread = spread_of(worst),
                                    .peer = "an ordinary INVITE",
                                    .peer_value = spread_of(ordinary).median,
                                    .peer_unit = "ns",
                                    .aim = aim_ns,
                                    .aim_is_floor = false,
                                    .details = std::move(details)}};
    }
};

} // namespace

std::unique_ptr<Measure> make_parser_cost() {
    return std::make_unique<ParserCost>();
}

} // namespace stem::bench
