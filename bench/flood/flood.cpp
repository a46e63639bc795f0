// SPDX-License-Identifier: Apache-2.0
#include "flood/cpus.h"
#include "flood/measures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stem::bench {
namespace {

constexpr double aim_setup_percent = 99.9; // issue 3

// Flood runs take long beside those of the data plane, so there are a fifth as many.
unsigned rounds_of(const Settings& settings) {
    return std::max(1U, settings.repetitions / 5);
}

struct Subject {
    std::unique_ptr<Arena> arena;
    std::vector<FloodRun> runs = {};
};

double success(const CallCounts& calls) {
    return 100 * static_cast<double>(calls.completed) / calls.due;
}

double millions_a_second(std::uint64_t frames, double seconds) {
    return static_cast<double>(frames) / seconds / 1e6;
}

// The probes' delay; where none was answered, that of the longest wait.
double delay(const CallCounts& calls, double percent) {
    return calls.delays.empty() ? 3e6 : percentile(calls.delays, percent);
}

class FloodMeasure : public Measure {
  public:
    FloodMeasure(std::string label, std::string help, FloodPlan plan)
        : label_(std::move(label)), help_(std::move(help)), plan_(plan) {}

    [[nodiscard]] std::string name() const override { return "flood_" + label_; }
    [[nodiscard]] std::string help() const override { return help_; }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        const KeepTo others(Cpus::others);
        std::vector<Subject> subjects;
        for (const auto make : {make_bridge_arena, make_nftables_arena, make_stem_arena}) {
            auto arena = make();
            if (!arena) {
                return std::unexpected(arena.error());
            }
            subjects.push_back({.arena = std::move(*arena)});
        }
        plan_.rate = settings.flood_rate;
        const CallLoad load{.time = settings.flood_time};
        std::vector<FloodRun> calm;
        for (unsigned round = 0; round < rounds_of(settings); ++round) {
            progress(fmt::format("{} of {}", round + 1, rounds_of(settings)));
            auto undisturbed = run_flood(*subjects.front().arena, std::nullopt, load, round);
            if (!undisturbed) {
                return std::unexpected(undisturbed.error());
            }
            progress(report("no flood", *undisturbed));
            calm.push_back(std::move(*undisturbed));
            for (auto& subject : subjects) {
                auto flooded = run_flood(*subject.arena, plan_, load, round);
                if (!flooded) {
                    return std::unexpected(flooded.error());
                }
                progress(report(subject.arena->label(), *flooded));
                subject.runs.push_back(std::move(*flooded));
            }
        }
        std::vector<Figure> figures;
        for (const auto& subject : subjects) {
            std::ranges::move(figures_of(subject, calm), std::back_inserter(figures));
        }
        return figures;
    }

  private:
    static std::string report(const std::string& who, const FloodRun& run) {
        std::string line = fmt::format("  {}: {:.2f} Mpps made, {:.2f} came; {} of {} calls, probes {} of "
                                       "{}, {:.0f} us; RTP loss {:.2f} %",
                                       who, millions_a_second(run.made, run.seconds),
                                       millions_a_second(run.came, run.seconds), run.calls.completed,
                                       run.calls.due, run.calls.delays.size(), run.calls.probes,
                                       delay(run.calls, 50), run.calls.loss.percent());
        for (const auto& [reason, packets] : run.drops) {
            line += fmt::format(", {} {}", reason, packets);
        }
        return line;
    }

    template<typename Of>
    Figure figure(const Subject& subject, const char* what, const char* unit, Of of) const {
        std::vector<double> samples;
        std::ranges::transform(subject.runs, std::back_inserter(samples), of);
        return {.name = fmt::format("{}_{}_{}", name(), subject.arena->label(), what),
                .unit = unit,
                .spread = spread_of(std::move(samples))};
    }

    // Of all rounds together: a median would hide a round in which calls failed.
    Figure setup_success(const Subject& subject) const {
        auto made =
            figure(subject, "setup_success", "%", [](const FloodRun& run) { return success(run.calls); });
        double due = 0;
        double completed = 0;
        double probes = 0;
        double answered = 0;
        for (const auto& run : subject.runs) {
            due += run.calls.due;
            completed += static_cast<double>(run.calls.completed);
            probes += run.calls.probes;
            answered += static_cast<double>(run.calls.delays.size());
        }
        made.spread.median = 100 * completed / due;
        made.details = {{"calls_due", due},
                        {"calls_completed", completed},
                        {"probes", probes},
                        {"probes_answered", answered}};
        if (subject.arena->label() == "stem") {
            made.aim = aim_setup_percent;
        }
        return made;
    }

    // Beyond the same calls over a bridge without a flood, in the same round.
    Figure added_delay(const Subject& subject, const std::vector<FloodRun>& calm, const char* what,
                       double percent) const {
        auto made = figure(subject, what, "us", [&](const FloodRun& run) {
            const auto round = static_cast<std::size_t>(&run - subject.runs.data());
            return delay(run.calls, percent) - delay(calm[round].calls, percent);
        });
        made.aim_is_floor = false;
        return made;
    }

    std::vector<Figure> figures_of(const Subject& subject, const std::vector<FloodRun>& calm) const {
        std::vector<Figure> figures;
        figures.push_back(setup_success(subject));
        figures.push_back(added_delay(subject, calm, "added_delay_p50_us", 50));
        figures.push_back(added_delay(subject, calm, "added_delay_p99_us", 99));
        figures.push_back(
            figure(subject, "rtp_loss", "%", [](const FloodRun& run) { return run.calls.loss.percent(); }));
        if (plan_.kind == FloodKind::rtp) {
            figures.push_back(figure(subject, "rtp_loss_attacked", "%",
                                     [](const FloodRun& run) { return run.calls.attacked_loss.percent(); }));
        }
        figures.push_back(figure(subject, "rtp_longest_gap_ms", "ms", [](const FloodRun& run) {
            return std::chrono::duration<double, std::milli>(run.calls.loss.longest_gap).count();
        }));
        figures.push_back(figure(subject, "offered", "Mpps", [](const FloodRun& run) {
            return millions_a_second(run.made, run.seconds);
        }));
        figures.back().details = dropped(subject);
        figures.push_back(figure(subject, "taken", "Mpps", [](const FloodRun& run) {
            return millions_a_second(run.came, run.seconds);
        }));
        figures.push_back(
            figure(subject, "busy_cpus", "CPUs", [](const FloodRun& run) { return run.busy_cpus; }));
        figures.push_back(
            figure(subject, "system_cpus", "CPUs", [](const FloodRun& run) { return run.system_cpus; }));
        if (subject.arena->label() == "stem") {
            figures.push_back(
                figure(subject, "stemd_cpus", "CPUs", [](const FloodRun& run) { return run.daemon_cpus; }));
        }
        return figures;
    }

    // Packets by reason, of all rounds.
    static std::vector<Detail> dropped(const Subject& subject) {
        Drops sum;
        std::uint64_t made = 0;
        for (const auto& run : subject.runs) {
            made += run.made;
            for (const auto& [reason, packets] : run.drops) {
                sum[reason] += packets;
            }
        }
        std::vector<Detail> details{{"made", static_cast<double>(made)}};
        for (const auto& [reason, packets] : sum) {
            details.push_back({"dropped_" + reason, static_cast<double>(packets)});
        }
        return details;
    }

    std::string label_;
    std::string help_;
    FloodPlan plan_;
};

} // namespace

std::unique_ptr<Measure> make_flood(std::string label, std::string help, FloodPlan plan) {
    return std::make_unique<FloodMeasure>(std::move(label), std::move(help), plan);
}

} // namespace stem::bench
