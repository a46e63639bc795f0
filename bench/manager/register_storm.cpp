// SPDX-License-Identifier: Apache-2.0
#include "manager/many_users.h"
#include "manager/measures.h"

#include "lab/text_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace stem::bench {
namespace {

constexpr unsigned users = 100'000;
constexpr unsigned most_rounds = 3; // each takes some seconds

// Resident memory of this process, in MiB (proc(5), VmRSS).
double resident_mib() {
    const auto status = lab::read_text("/proc/self/status").value_or("");
    const auto at = status.find("VmRSS:");
    long kib = 0;
    if (at != std::string::npos) {
        const auto digits = status.find_first_of("0123456789", at);
        std::from_chars(status.data() + digits, status.data() + status.size(), kib);
    }
    return static_cast<double>(kib) / 1024;
}

class RegisterStorm : public Measure {
  public:
    [[nodiscard]] std::string name() const override { return "sm_register_storm"; }
    [[nodiscard]] std::string help() const override {
        return "REGISTERs of 100,000 users, each learned and written to SQLite or PostgreSQL "
               "before the next";
    }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        std::vector<Figure> figures;
        if (auto done = over("sm_register_storm_per_second", nullptr, settings, progress, figures); !done) {
            return std::unexpected(done.error());
        }
        const auto postgres = lab::Postgres::create({.durable = true});
        if (!postgres) {
            return std::unexpected(postgres.error());
        }
        if (auto done =
                over("sm_register_storm_postgresql_per_second", &*postgres, settings, progress, figures);
            !done) {
            return std::unexpected(done.error());
        }
        return figures;
    }

  private:
    static Result<> over(const char* name, const lab::Postgres* postgres, const Settings& settings,
                         const Progress& progress, std::vector<Figure>& figures) {
        const double before = resident_mib();
        auto many = ManyUsers::make("sm-storm", users, false, postgres);
        if (!many) {
            return std::unexpected(many.error());
        }
        const double loaded = resident_mib();
        std::vector<double> rates;
        std::vector<double> longest;
        const unsigned rounds = std::min(settings.repetitions, most_rounds);
        for (unsigned round = 1; round <= rounds; ++round) {
            const auto storm = storm_of((*many)->directory(), round);
            if (!storm) {
                return std::unexpected(storm.error());
            }
            rates.push_back(storm->rate);
            longest.push_back(storm->longest_us);
            progress(fmt::format("{}: {} of {}: {:.0f} a second, the longest {:.0f} us",
                                 postgres == nullptr ? "SQLite" : "PostgreSQL", round, rounds, storm->rate,
                                 storm->longest_us));
        }
        figures.push_back({.name = name,
                           .unit = "per second",
                           .spread = spread_of(rates),
                           .details = {{.name = "users", .value = users},
                                       {.name = "longest_us", .value = spread_of(longest).median},
                                       {.name = "mib_of_users_and_spam_list", .value = loaded - before},
                                       {.name = "mib_of_locations", .value = resident_mib() - loaded}}});
        return {};
    }

    struct Storm {
        double rate = 0;
        double longest_us = 0;
    };
    // Every user once, in an order that is not that of the file: first bindings, then refreshes.
    static Result<Storm> storm_of(sm::Directory& directory, unsigned round) {
        using Clock = std::chrono::steady_clock;
        Storm storm;
        const auto begun = Clock::now();
        constexpr std::uint64_t step = 61'803; // has no factor in common with the number of users
        for (std::uint64_t i = 0; i < users; ++i) {
            const auto number = static_cast<unsigned>(i * step % users);
            const auto address = Address::parse(
                fmt::format("198.{}.{}.{}", 18 + number / 65'536, number / 256 % 256, number % 256));
            const auto at = Clock::now();
            const auto learned = directory.learn(
                {.address_of_record = fmt::format("sip:{}@example.org", ManyUsers::user_name(number)),
                 .contact = fmt::format("sip:{}@198.51.100.7:5060", ManyUsers::user_name(number)),
                 .address = address.value_or(Address()),
                 .lifetime = std::chrono::seconds(3600 + round)},
                std::chrono::system_clock::now());
            if (!learned) {
                return std::unexpected(learned.error());
            }
            if (*learned != sm::Directory::Learned::stored) {
                return fail("learn a binding", "it was not stored");
            }
            storm.longest_us = std::max(storm.longest_us,
                                        std::chrono::duration<double, std::micro>(Clock::now() - at).count());
        }
        storm.rate = users / std::chrono::duration<double>(Clock::now() - begun).count();
        return storm;
    }
};

} // namespace

std::unique_ptr<Measure> make_register_storm() {
    return std::make_unique<RegisterStorm>();
}

} // namespace stem::bench
