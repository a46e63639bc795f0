// SPDX-License-Identifier: Apache-2.0
#include "manager/many_users.h"
#include "manager/measures.h"

#include "ctl/smlink/remote_link.h"
#include "lab/enclosure.h"
#include "lab/process.h"
#include "lab/text_file.h"

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr unsigned users = 10'000;
constexpr unsigned in_a_round = 2000;
constexpr double aim_us = 1000; // a decision over TLS should not be felt: a millisecond

double microseconds_since(Clock::time_point at) {
    return std::chrono::duration<double, std::micro>(Clock::now() - at).count();
}

std::filesystem::path here() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

// A stem-smd on loopback over a database that is there, and a link to it.
class Elsewhere {
  public:
    static Result<std::unique_ptr<Elsewhere>> start(const std::filesystem::path& folder,
                                                    const std::string& database, unsigned port) {
        std::unique_ptr<Elsewhere> one(new Elsewhere);
        if (auto up = lab::run_command({.name = "ip", .argv = {"ip", "link", "set", "lo", "up"}}); !up) {
            return std::unexpected(up.error());
        }
        const auto pki = folder / "pki";
        for (const std::vector<std::string>& words :
             {std::vector<std::string>{"init"}, {"issue", "server", "sm1"}, {"issue", "firewall", "fw1"}}) {
            std::vector<std::string> argv = {here() / "stemctl", "pki", "--dir", pki};
            argv.insert(argv.end(), words.begin(), words.end());
            if (auto made = lab::run_command({.name = "stemctl", .argv = std::move(argv)}); !made) {
                return std::unexpected(made.error());
            }
        }
        const auto issued = pki / "issued";
        const auto config = folder / "stem-smd.toml";
        const auto text =
            fmt::format("[server]\nlisten = [\"127.0.0.1:{}\"]\n[tls]\ncertificate = \"{}\"\nkey = "
                        "\"{}\"\nca = \"{}\"\ncrl = "
                        "\"{}\"\n[sm]\ndatabase = \"{}\"\n[audit]\nfile = \"{}\"\n",
                        port, (issued / "server-sm1.crt").string(), (issued / "server-sm1.key").string(),
                        (pki / "ca.crt").string(), (pki / "ca.crl").string(), database,
                        (folder / "audit.jsonl").string());
        if (auto written = lab::write_text(config, text); !written) {
            return std::unexpected(written.error());
        }
        auto process =
            lab::Process::start({.name = "stem-smd", .argv = {here() / "stem-smd", "--config", config}});
        if (!process) {
            return std::unexpected(process.error());
        }
        one->process_.emplace(std::move(*process));
        smlink::Settings settings{.servers = {fmt::format("127.0.0.1:{}", port)},
                                  .files = {issued / "firewall-fw1.crt", issued / "firewall-fw1.key",
                                            pki / "ca.crt", pki / "ca.crl"},
                                  .name = "bench",
                                  .software = "stem-bench"};
        auto credentials = tls::Credentials::load(settings.files, tls::End::client);
        if (!credentials) {
            return std::unexpected(credentials.error());
        }
        one->link_ = std::make_unique<smlink::RemoteLink>(
            one->loop_, std::move(settings), std::move(*credentials),
            smlink::RemoteLink::Instructed{.thresholds = [](const auto&) { return Result<>(); },
                                           .deny = [](const auto&) { return Result<>(); }});
        const auto until = Clock::now() + 20s;
        while (!one->link_->status().connected && Clock::now() < until) {
            one->loop_.run_for(50ms);
        }
        if (!one->link_->status().connected) {
            return fail("connect with stem-smd", one->process_->last_words());
        }
        return one;
    }

    // Microseconds from the question to the answer.
    Result<double> ask(const sm::Query& query) {
        bool answered = false;
        bool accepted = false;
        const auto at = Clock::now();
        link_->decide(query, [&](const sm::Decision& decision) {
            answered = true;
            accepted = std::holds_alternative<sm::Accept>(decision.action);
        });
        while (!answered) {
            loop_.run_one();
        }
        const double took = microseconds_since(at);
        link_->follow({.call = query.call,
                       .call_id = query.call_id,
                       .caller = query.caller,
                       .callee = query.callee,
                       .state = sm::Link::CallEvent::State::ended,
                       .at = query.at});
        return accepted ? Result<double>(took) : fail("decide of a call", "it was not accepted");
    }

  private:
    Elsewhere() = default;

    std::optional<lab::Process> process_;
    boost::asio::io_context loop_{1};
    std::unique_ptr<smlink::RemoteLink> link_;
};

struct Latencies {
    std::vector<double> p50;
    std::vector<double> p99;

    void add(const std::vector<double>& samples) {
        p50.push_back(percentile(samples, 50));
        p99.push_back(percentile(samples, 99));
    }
};

class DecisionLatency : public Measure {
  public:
    [[nodiscard]] std::string name() const override { return "sm_decision"; }
    [[nodiscard]] std::string help() const override {
        return "how late a decision is: in the process, and of stem-smd over TLS 1.3 on loopback";
    }

    Result<std::vector<Figure>> run(const Settings& settings, const Progress& progress) override {
        spdlog::set_level(spdlog::level::err);
        auto inside = ManyUsers::make("sm-latency", users, true);
        if (!inside) {
            return std::unexpected(inside.error());
        }
        auto over_sqlite = elsewhere("sm-latency-tls", nullptr, 7443);
        if (!over_sqlite) {
            return std::unexpected(over_sqlite.error());
        }
        const auto postgres = lab::Postgres::create({.durable = true});
        auto over_postgresql = postgres ? elsewhere("sm-latency-postgresql", &*postgres, 7444)
                                        : std::unexpected(postgres.error());
        if (!over_postgresql) {
            return std::unexpected(over_postgresql.error());
        }
        Latencies embedded;
        Latencies tls;
        Latencies tls_postgresql;
        for (unsigned round = 1; round <= settings.repetitions; ++round) {
            std::vector<double> here;
            std::vector<double> there;
            std::vector<double> there_postgresql;
            for (unsigned i = 0; i < in_a_round; ++i) {
                const sm::Query query = (*inside)->query(next_++);
                const auto at = Clock::now();
                const auto decision = (*inside)->admission().decide(query, "bench");
                here.push_back(microseconds_since(at));
                const auto took = (*over_sqlite)->ask(query);
                const auto took_postgresql = (*over_postgresql)->ask(query);
                if (!took || !took_postgresql) {
                    return std::unexpected(took ? took_postgresql.error() : took.error());
                }
                if (!std::holds_alternative<sm::Accept>(decision.action)) {
                    return fail("decide of a call", "it was not accepted");
                }
                there.push_back(*took);
                there_postgresql.push_back(*took_postgresql);
            }
            (*inside)->admission().tick();
            embedded.add(here);
            tls.add(there);
            tls_postgresql.add(there_postgresql);
            progress(fmt::format(
                "{} of {}: embedded {:.1f} and {:.1f} us, over TLS {:.0f} and {:.0f} us, with PostgreSQL "
                "{:.0f} and {:.0f} us (p50, p99)",
                round, settings.repetitions, embedded.p50.back(), embedded.p99.back(), tls.p50.back(),
                tls.p99.back(), tls_postgresql.p50.back(), tls_postgresql.p99.back()));
        }
        const auto figure = [](const char* name, const std::vector<double>& samples) {
            return Figure{.name = name, .unit = "us", .spread = spread_of(samples)};
        };
        std::vector<Figure> figures = {figure("sm_decision_embedded_p50_us", embedded.p50),
                                       figure("sm_decision_embedded_p99_us", embedded.p99),
                                       figure("sm_decision_tls_p50_us", tls.p50),
                                       figure("sm_decision_tls_p99_us", tls.p99)};
        figures.push_back(figure("sm_decision_tls_postgresql_p50_us", tls_postgresql.p50));
        figures.push_back(figure("sm_decision_tls_postgresql_p99_us", tls_postgresql.p99));
        for (auto& one : figures) {
            if (one.name.ends_with("tls_p99_us") || one.name.ends_with("postgresql_p99_us")) {
                one.aim = aim_us;
                one.aim_is_floor = false;
            }
        }
        return figures;
    }

  private:
    static Result<std::unique_ptr<Elsewhere>> elsewhere(const std::string& name,
                                                        const lab::Postgres* postgres, unsigned port) {
        std::filesystem::path folder;
        std::string database;
        { // which goes to stem-smd, which wants a file for itself
            const auto filled = ManyUsers::make(name, users, false, postgres);
            if (!filled) {
                return std::unexpected(filled.error());
            }
            folder = (*filled)->folder();
            database = (*filled)->database();
        }
        return Elsewhere::start(folder, database, port);
    }

    std::uint64_t next_ = 1;
};

} // namespace

std::unique_ptr<Measure> make_decision_latency() {
    return std::make_unique<DecisionLatency>();
}

} // namespace stem::bench
