// SPDX-License-Identifier: Apache-2.0
// deny add, del, list: sources whose packets die first.
#include "ctl/kernel/clock.h"
#include "ctl/kernel/deny_list.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/table.h"

#include <fmt/format.h>

#include <memory>

namespace stem::stemctl {
namespace {

struct DenyOptions {
    std::vector<std::string> sources;
    std::string lifetime; // empty: for ever
    std::string note;
};

Result<std::vector<Cidr>> parse_sources(const std::vector<std::string>& texts) {
    std::vector<Cidr> sources;
    for (const auto& text : texts) {
        const auto source = Cidr::parse(text);
        if (!source) {
            return std::unexpected(source.error());
        }
        sources.push_back(*source);
    }
    return sources;
}

Result<kernel::DenyList> open_list(const Session& session) {
    const auto instance = session.open();
    if (!instance) {
        return std::unexpected(instance.error());
    }
    return kernel::DenyList::open(*instance);
}

std::string_view origin_name(unsigned origin) {
    return origin == STEM_DENY_OPERATOR ? "operator" : origin == STEM_DENY_SM ? "sm" : "unknown";
}

// Applies `change` to each source and tells of each: `done` where it changed something, else `idle`.
template<typename Change>
int change_all(const Session& session, const std::vector<std::string>& texts, std::string_view done,
               std::string_view idle, int idle_code, Change change) {
    const auto sources = parse_sources(texts);
    if (!sources) {
        return session.failed(sources.error());
    }
    auto list = open_list(session);
    if (!list) {
        return session.failed(list.error());
    }
    boost::json::array results;
    int code = exit_done;
    for (const auto& source : *sources) {
        const Result<bool> changed = change(*list, source);
        if (!changed) {
            return session.failed(changed.error());
        }
        const auto result = *changed ? done : idle;
        code = *changed ? code : idle_code;
        results.push_back(boost::json::object{{"source", source.to_string()}, {"result", result}});
        if (!session.json) {
            Session::print(fmt::format("{} {}\n", source.to_string(), result));
        }
    }
    if (session.json) {
        Session::print(boost::json::object{{"sources", std::move(results)}});
    }
    return code;
}

int run_add(const Session& session, const DenyOptions& options) {
    kernel::DenyRequest request{.source = {}, .lifetime = {}, .note = options.note};
    if (!options.lifetime.empty()) {
        const auto lifetime = parse_duration(options.lifetime);
        if (!lifetime) {
            return session.failed(lifetime.error());
        }
        request.lifetime = *lifetime;
    }
    return change_all(session, options.sources, "added", "renewed", exit_done,
                      [&](kernel::DenyList& list, const Cidr& source) {
                          request.source = source;
                          return list.add(request);
                      });
}

int run_del(const Session& session, const DenyOptions& options) {
    return change_all(session, options.sources, "deleted", "not listed", exit_failed,
                      [](kernel::DenyList& list, const Cidr& source) { return list.remove(source); });
}

boost::json::object to_json(const kernel::DenyEntry& entry, std::uint64_t now) {
    const auto& value = entry.value;
    const std::uint64_t added_s = now > value.added_ns ? (now - value.added_ns) / 1'000'000'000U : 0;
    boost::json::value remaining;
    if (value.expires_ns != 0) {
        remaining = value.expires_ns > now ? (value.expires_ns - now) / 1'000'000'000U : 0;
    }
    return {{"source", entry.source.to_string()},
            {"origin", origin_name(value.origin)},
            {"note", std::string(value.note)},
            {"added_seconds_ago", added_s},
            {"remaining_seconds", std::move(remaining)},
            {"expired", entry.expired(now)},
            {"packets", value.packets},
            {"bytes", value.bytes}};
}

int run_list(const Session& session) {
    const auto list = open_list(session);
    if (!list) {
        return session.failed(list.error());
    }
    const auto entries = list->list();
    if (!entries) {
        return session.failed(entries.error());
    }
    const std::uint64_t now = kernel::monotonic_ns();
    if (session.json) {
        boost::json::array array;
        for (const auto& entry : *entries) {
            array.push_back(to_json(entry, now));
        }
        Session::print(boost::json::object{{"deny", std::move(array)}});
        return exit_done;
    }
    Table table({{"SOURCE"},
                 {"PACKETS", Align::right},
                 {"BYTES", Align::right},
                 {"ADDED"},
                 {"LEFT"},
                 {"BY"},
                 {"NOTE"}});
    for (const auto& entry : *entries) {
        const auto& value = entry.value;
        const std::string left =
            value.expires_ns == 0 ? "for ever"
            : entry.expired(now)
                ? "expired"
                : duration_text(std::chrono::nanoseconds(static_cast<std::int64_t>(value.expires_ns - now)));
        table.row({entry.source.to_string(), std::to_string(value.packets), size_text(value.bytes),
                   ago_text(value.added_ns, now), left, std::string(origin_name(value.origin)), value.note});
    }
    Session::print(table.empty() ? "nobody is denied\n" : table.to_string());
    return exit_done;
}

} // namespace

void add_deny_commands(CLI::App& root, Session& session) {
    auto* deny = Session::group(root, "deny", "Sources whose packets are dropped before anything else.");

    auto options = std::make_shared<DenyOptions>();
    auto* add =
        session.command(*deny, "add",
                        "Deny addresses or networks, from the next packet on.\n"
                        "Open calls of theirs fall silent. One that is denied already gets the new\n"
                        "time and note.",
                        "  stemctl deny add 198.51.100.7 2001:db8:bad::/48 --for 2h --note \"scanner\"",
                        [&session, options] { return run_add(session, *options); });
    add->add_option("source", options->sources, "Addresses or networks")->required()->type_name("SOURCE");
    add->add_option("--for", options->lifetime, "How long: 90s, 10m, 2h, 7d [for ever]")->type_name("TIME");
    add->add_option("--note", options->note, "Why, for those who read the list (35 octets)")
        ->check([](const std::string& text) {
            return text.size() < sizeof(stem_deny::note) ? std::string() : "longer than 35 octets";
        })
        ->type_name("TEXT");

    auto* del = session.command(
        *deny, "del", "Let addresses or networks in again.\nFails if one of them is not on the list.",
        "  stemctl deny del 198.51.100.7", [&session, options] { return run_del(session, *options); });
    del->add_option("source", options->sources, "Addresses or networks, as listed")
        ->required()
        ->type_name("SOURCE");

    session.command(*deny, "list", "Show who is denied, why, for how long, and what was dropped.",
                    "  stemctl deny list\n  stemctl deny list --json | jq -r '.deny[].source'",
                    [&session] { return run_list(session); });
}

} // namespace stem::stemctl
