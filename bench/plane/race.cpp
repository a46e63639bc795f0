// SPDX-License-Identifier: Apache-2.0
#include "plane/race.h"

#include "plane/pinned.h"

#include <fmt/format.h>

#include <thread>

namespace stem::bench {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// The counters of a run may be off by what is not the generator's; a loss would be far more.
constexpr std::uint64_t strays = 64;

struct Run {
    double mpps = 0;
    std::uint64_t sent = 0;
};

// The median of bursts, so that what the CPU has to do beside spoils some of them and not the run. The first
// one warms caches up.
Result<Run> drive(Generator& generator, std::uint32_t frames, std::chrono::milliseconds run_time) {
    Run run;
    std::vector<double> rates;
    const auto end = Clock::now() + run_time;
    while (rates.empty() || Clock::now() < end) {
        auto burst = generator.send(frames);
        if (!burst) {
            return std::unexpected(burst.error());
        }
        if (run.sent != 0) {
            rates.push_back(1000 / burst->ns_per_frame);
        }
        run.sent += burst->frames;
    }
    run.mpps = spread_of(std::move(rates)).median;
    return run;
}

struct Passage {
    std::uint64_t came = 0;
    std::uint64_t left = 0;
};

Result<Passage> passage(const Line& line) {
    auto came = line.external().received();
    if (!came) {
        return std::unexpected(came.error());
    }
    auto left = line.sink().received();
    if (!left) {
        return std::unexpected(left.error());
    }
    return Passage{.came = *came, .left = *left};
}

// The last frames may still be in the hands of the kernel's softirq thread.
Result<Passage> settled_passage(const Line& line) {
    auto last = passage(line);
    for (int i = 0; i < 50 && last; ++i) {
        std::this_thread::sleep_for(4ms);
        auto now = passage(line);
        if (!now || (now->came == last->came && now->left == last->left)) {
            return now;
        }
        last = now;
    }
    return last;
}

Result<> judge(const std::string& name, Fate fate, std::uint64_t sent, std::uint64_t came,
               std::uint64_t left) {
    const std::uint64_t due = fate == Fate::forwarded ? sent : 0;
    if (came < sent || came > sent + strays || left < due || left > due + strays) {
        return fail("measure " + name,
                    fmt::format("of {} frames sent, {} came to the middle and {} left it", sent, came, left),
                    "the run is invalid; is the machine overloaded?");
    }
    return {};
}

Result<double> run_once(const Line& line, Generator& generator, Lane& lane, Fate fate,
                        std::chrono::milliseconds run_time) {
    Subject& subject = *lane.subject;
    if (auto in = subject.step_in(); !in) {
        return std::unexpected(in.error());
    }
    auto before = settled_passage(line);
    if (!before) {
        return std::unexpected(before.error());
    }
    auto run = drive(generator, lane.burst, run_time);
    if (!run) {
        return std::unexpected(run.error());
    }
    auto after = settled_passage(line);
    if (!after) {
        return std::unexpected(after.error());
    }
    auto valid =
        judge(subject.name(), fate, run->sent, after->came - before->came, after->left - before->left);
    if (valid) {
        valid = subject.verify(run->sent);
    }
    subject.step_out();
    if (!valid) {
        return std::unexpected(valid.error());
    }
    return run->mpps;
}

} // namespace

Result<> race(const Line& line, const Mix& mix, Fate fate, std::vector<Lane>& lanes, const Settings& settings,
              const Progress& progress) {
    auto generator = Generator::create(line, mix);
    if (!generator) {
        return std::unexpected(generator.error());
    }
    const Pinned pinned;
    for (unsigned repetition = 0; repetition < settings.repetitions; ++repetition) {
        std::string report = fmt::format("repetition {} of {}:", repetition + 1, settings.repetitions);
        for (auto& lane : lanes) {
            auto mpps = run_once(line, *generator, lane, fate, settings.run_time);
            if (!mpps) {
                return std::unexpected(mpps.error());
            }
            lane.mpps.push_back(*mpps);
            report += fmt::format(" {} {:.2f}", lane.subject->name(), *mpps);
        }
        progress(report + " Mpps");
    }
    return {};
}

} // namespace stem::bench
