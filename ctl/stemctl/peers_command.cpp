// SPDX-License-Identifier: Apache-2.0
// peers list, add, remove: sources that are somebody. alarms: what the detector of floods has raised.
#include "ctl/kernel/clock.h"
#include "ctl/kernel/peer_list.h"
#include "ctl/kernel/trunks.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

struct PeersOptions {
    std::vector<std::string> addresses;
};

Result<std::vector<Address>> parse_addresses(const std::vector<std::string>& texts) {
    std::vector<Cidr> networks;
    for (const auto& text : texts) {
        const auto network = Cidr::parse(text);
        if (!network) {
            return std::unexpected(network.error());
        }
        networks.push_back(*network);
    }
    return kernel::addresses_of(networks);
}

// stemd alone writes peers while it runs. Gives what became of one address.
Result<std::string> change_one(const Session& session, const kernel::Instance& instance, bool add,
                               const Address& address) {
    if (instance.controller()) {
        const auto answer =
            ask_stemd(session, add ? "PUT" : "DELETE", "/v1/peers/" + escaped(address.to_string()));
        if (!answer) {
            return std::unexpected(answer.error());
        }
        return add ? "added" : "removed";
    }
    const auto list = kernel::PeerList::open(instance);
    if (!list) {
        return std::unexpected(list.error());
    }
    const auto changed = add ? list->add_trunk(address) : list->remove_trunk(address);
    if (!changed) {
        return std::unexpected(changed.error());
    }
    if (!add && !*changed) {
        return fail("remove peer " + address.to_string(), "it was not added as a peer",
                    "stemctl peers list shows those that were");
    }
    return add ? "added" : "removed";
}

int change_all(const Session& session, const PeersOptions& options, bool add) {
    const auto addresses = parse_addresses(options.addresses);
    if (!addresses) {
        return session.failed(addresses.error());
    }
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    json::array results;
    for (const Address& address : *addresses) {
        const auto result = change_one(session, *instance, add, address);
        if (!result) {
            return session.failed(result.error());
        }
        results.push_back(json::object{{"address", address.to_string()}, {"result", *result}});
        if (!session.json) {
            Session::print(fmt::format("{} {}\n", address.to_string(), *result));
        }
    }
    if (session.json) {
        Session::print(json::object{{"peers", std::move(results)}});
    }
    return exit_done;
}

json::object to_json(const kernel::PeerEntry& entry, std::uint64_t now) {
    json::array kinds;
    for (const auto& name : kernel::names_of_kinds(entry.value.kinds)) {
        kinds.emplace_back(name);
    }
    json::value remaining;
    if (entry.value.expires_ns != 0) {
        remaining = entry.expired(now) ? 0 : (entry.value.expires_ns - now) / 1'000'000'000U;
    }
    return {{"address", entry.address.to_string()},
            {"kinds", std::move(kinds)},
            {"phones", entry.value.phones},
            {"remaining_seconds", std::move(remaining)}};
}

int run_list(const Session& session) {
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    const auto list = kernel::PeerList::open(*instance);
    if (!list) {
        return session.failed(list.error());
    }
    const auto entries = list->list();
    if (!entries) {
        return session.failed(entries.error());
    }
    const std::uint64_t now = kernel::monotonic_ns();
    if (session.json) {
        json::array array;
        for (const auto& entry : *entries) {
            array.push_back(to_json(entry, now));
        }
        Session::print(json::object{{"peers", std::move(array)}});
        return exit_done;
    }
    Table table({{"ADDRESS"}, {"KNOWN AS"}, {"PHONES", Align::right}, {"LEFT"}});
    for (const auto& entry : *entries) {
        const std::uint64_t until = entry.value.expires_ns;
        const std::string left =
            until == 0 ? "for ever"
            : entry.expired(now)
                ? "expired"
                : duration_text(std::chrono::nanoseconds(static_cast<std::int64_t>(until - now)));
        table.row({entry.address.to_string(),
                   fmt::format("{}", fmt::join(kernel::names_of_kinds(entry.value.kinds), ", ")),
                   std::to_string(entry.value.phones), left});
    }
    Session::print(table.empty() ? "nobody is known\n" : table.to_string());
    return exit_done;
}

std::string show_alarms(const json::value& answer) {
    Table table({{"SIGNAL"},
                 {"BEGAN"},
                 {"ENDED"},
                 {"SECONDS", Align::right},
                 {"PEAK", Align::right},
                 {"REQUESTS", Align::right},
                 {"ANSWERS", Align::right}});
    for (const auto& alarm : members(answer, "alarms")) {
        const std::string ended = member(alarm, "ended");
        table.row({member(alarm, "signal"), member(alarm, "began"), ended.empty() ? "goes on" : ended,
                   fmt::format("{:.0f}", alarm.at("seconds").to_number<double>()),
                   fmt::format("{:.1f}", alarm.at("peak").to_number<double>()), member(alarm, "requests"),
                   member(alarm, "answers")});
    }
    return table.empty() ? "no alarms\n" : table.to_string();
}

} // namespace

void add_peers_commands(CLI::App& root, Session& session) {
    auto* peers = Session::group(root, "peers",
                                 "Sources that are somebody: larger budgets, and first when others flood.");
    session.command(*peers, "list", "Show who is known, as what, with how many phones, and for how long.",
                    "  stemctl peers list\n  stemctl peers list --json | jq -r '.peers[].address'",
                    [&session] { return run_list(session); });

    auto options = std::make_shared<PeersOptions>();
    auto* add = session.command(*peers, "add",
                                "Name trunks: carriers, exchanges, proxies outside.\n"
                                "They never expire and are never blocked. Networks of up to 256 addresses.",
                                "  stemctl peers add 203.0.113.10 2001:db8:5::/120",
                                [&session, options] { return change_all(session, *options, true); });
    add->add_option("address", options->addresses, "Addresses or small networks")
        ->required()
        ->type_name("ADDRESS");
    auto* remove = session.command(*peers, "remove",
                                   "Take back what peers add named.\n"
                                   "What a peer earned by registering or calling stays, while stemd runs.",
                                   "  stemctl peers remove 203.0.113.10",
                                   [&session, options] { return change_all(session, *options, false); });
    remove->add_option("address", options->addresses, "Addresses or small networks, as added")
        ->required()
        ->type_name("ADDRESS");

    session.command(root, "alarms", "Show the floods that stemd's detector has seen, the latest last.",
                    "  stemctl alarms\n  stemctl alarms --json | jq '.alarms[] | select(.ended == null)'",
                    [&session] { return ask_and_print(session, "GET", "/v1/alarms", nullptr, show_alarms); });
}

} // namespace stem::stemctl
