// SPDX-License-Identifier: Apache-2.0
#include "demo/stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "ctl/kernel/counter_table.h"
#include "lab/enclosure.h"
#include "lab/sip_text.h"
#include "lab/text_file.h"

namespace stem::demo {
namespace {

using namespace std::chrono_literals;

kernel::Locations locations() {
    return {.bpffs = lab::bpffs(), .run_dir = lab::scratch() / "run"};
}

// The addresses that a user name has at the proxy, one of each family.
std::vector<std::string> uris(const lab::World& world, const std::string& user) {
    return {lab::sip_uri(user, world.proxy(lab::Family::v4)),
            lab::sip_uri(user, world.proxy(lab::Family::v6))};
}

} // namespace

Result<std::unique_ptr<Stage>> Stage::set_up(const StageOptions& options) {
    std::unique_ptr<Stage> stage(new Stage);
    stage->options_ = options;
    const lab::Mode mode = options.mode;
    auto world = lab::World::create({.mode = mode, .middle = lab::Middle::bare});
    if (!world) {
        return std::unexpected(world.error());
    }
    stage->world_ = std::make_unique<lab::World>(std::move(*world));

    auto alice = stage->world_->add_host(lab::Side::outside, phone::alice);
    auto bob = stage->world_->add_host(lab::Side::inside, phone::bob);
    if (!alice || !bob) {
        return std::unexpected(alice ? bob.error() : alice.error());
    }
    stage->alice_.emplace(std::move(*alice));
    stage->bob_.emplace(std::move(*bob));

    if (auto attached =
            stage->stemctl({"attach", "--external", lab::external_port, "--internal", lab::internal_port,
                            "--mode", mode == lab::Mode::bridge ? "bridge" : "router", "--xdp", "native",
                            "--fallback", options.fallback_open ? "open" : "closed"});
        !attached) {
        return std::unexpected(attached.error());
    }
    auto instance = kernel::Instance::open(locations(), "default");
    if (!instance) {
        return std::unexpected(instance.error());
    }
    stage->instance_.emplace(std::move(*instance));
    if (options.prepare) {
        if (auto prepared = options.prepare(*stage->world_); !prepared) {
            return std::unexpected(prepared.error());
        }
    }
    if (auto started = stage->start_stemd(); !started) {
        return std::unexpected(started.error());
    }
    if (auto added = stage->add_users(); !added) {
        return std::unexpected(added.error());
    }

    if (auto started = stage->start_kamailio(); !started) {
        return std::unexpected(started.error());
    }
    return stage;
}

std::vector<std::pair<std::string, std::string>> Stage::environment() const {
    const auto where = locations();
    auto all = options_.environment;
    all.emplace_back("STEM_BPFFS", where.bpffs);
    all.emplace_back("STEM_RUN_DIR", where.run_dir);
    return all;
}

Result<> Stage::start_kamailio() {
    kamailio_.reset();
    const auto& w = *world_;
    const auto contacts = [&](const std::string& user, unsigned host) {
        return std::vector<lab::StaticContact>{
            {.user = user, .contact = {.address = w.inside_address(host, lab::Family::v4), .port = 5060}},
            {.user = user, .contact = {.address = w.inside_address(host, lab::Family::v6), .port = 5060}}};
    };
    lab::KamailioOptions proxy{.addresses = {w.proxy(lab::Family::v4), w.proxy(lab::Family::v6)}};
    for (const auto& [user, host] : {std::pair<std::string, unsigned>{"carol", phone::carol},
                                     {"dave", phone::dave},
                                     {"erin", phone::erin}}) {
        std::ranges::copy(contacts(user, host), std::back_inserter(proxy.contacts));
    }
    proxy.tcp = options_.tcp;
    auto kamailio = lab::Kamailio::start(w.inside(), proxy);
    if (!kamailio) {
        return std::unexpected(kamailio.error());
    }
    kamailio_.emplace(std::move(*kamailio));
    return {};
}

Stage::~Stage() {
    stop_stemd();
    if (instance_) {
        // What cannot be undone here, the enclosure's end undoes.
        static_cast<void>(stemctl({"detach"}));
    }
    if (world_ && options_.database.empty()) {
        // The next stage of this mode begins with users of its own.
        std::error_code absent;
        std::filesystem::remove(database(), absent);
    }
}

Result<std::string> Stage::stemctl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), options_.programs.stemctl);
    return lab::run_command({.name = "stemctl",
                             .argv = std::move(arguments),
                             .netns = &world_->middle(),
                             .environment = environment()},
                            60s); // attach waits for the verifier
}

// Each mode is an installation of its own.
std::string Stage::database() const {
    if (!options_.database.empty()) {
        return options_.database;
    }
    return lab::scratch() / (mode() == lab::Mode::bridge ? "bridge.db" : "router.db");
}

void Stage::stop_stemd() {
    if (stemd_) {
        stemd_->stop();
        stemd_.reset();
    }
}

Result<> Stage::start_stemd() {
    stemd_.reset();
    const auto config = lab::scratch() / "stemd.toml";
    if (auto written = lab::write_text(config, options_.config); !written) {
        return written;
    }
    auto process =
        lab::Process::start({.name = "stemd",
                             .argv = {options_.programs.stemd, "--db", database(), "--config", config},
                             .netns = &world_->middle(),
                             .environment = environment()});
    if (!process) {
        return std::unexpected(process.error());
    }
    stemd_.emplace(std::move(*process));
    const bool answers =
        lab::eventually([&] { return !stemd_->running() || stemctl({"calls"}).has_value(); }, 10s);
    if (!answers || !stemd_->running()) {
        return fail("start stemd", stemd_->last_words());
    }
    return {};
}

Result<> Stage::add_users() const {
    const auto& world = *world_;
    std::vector<std::vector<std::string>> commands = {
        {"profile", "add", "office"},
        {"profile", "add", "away"},
        {"profile", "rule", "add", "away", "--caller", "*", "--forward", uris(world, "carol")[0]},
        {"spam", "add", "*@spam.example"},
    };
    for (const auto& [user, profile, host] :
         {std::tuple{"bob", "office", phone::bob}, std::tuple{"carol", "office", phone::carol},
          std::tuple{"dave", "away", phone::dave}, std::tuple{"erin", "office", phone::erin}}) {
        commands.push_back({"user", "add", user, "--profile", profile});
        for (const auto& uri : uris(world, user)) {
            commands.push_back({"user", "uri", "add", user, uri});
        }
        for (const auto family : {lab::Family::v4, lab::Family::v6}) {
            commands.push_back({"location", "set", user, world.inside_address(host, family).to_string()});
        }
    }
    for (const auto& command : commands) {
        if (auto done = stemctl(command); !done) {
            return std::unexpected(done.error());
        }
    }
    return {};
}

std::uint64_t Stage::packets(stem_reason reason, stem_direction direction) const {
    const auto rows = kernel::read_counters(*instance_);
    if (!rows) {
        return 0;
    }
    for (const auto& row : *rows) {
        if (row.reason == reason) {
            return row.by_direction[direction].packets;
        }
    }
    return 0;
}

Result<std::vector<kernel::FlowEntry>> Stage::flows() const {
    return kernel::list_flows(*instance_);
}

std::optional<kernel::FlowEntry> Stage::flow(const Endpoint& source, const Endpoint& destination) const {
    const auto all = flows();
    if (!all) {
        return std::nullopt;
    }
    const auto found = std::ranges::find_if(*all, [&](const kernel::FlowEntry& entry) {
        return entry.source() == source && entry.destination() == destination;
    });
    return found == all->end() ? std::nullopt : std::optional(*found);
}

} // namespace stem::demo
