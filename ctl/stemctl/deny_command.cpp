// SPDX-License-Identifier: Apache-2.0
// deny add, del, list: what is dropped before anything else looks at it, whoever denied it.
#include "ctl/kernel/clock.h"
#include "ctl/kernel/denials.h"
#include "ctl/kernel/deny_origin.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

namespace stem::stemctl {
namespace {

struct DenyOptions {
    std::vector<std::string> targets;
    std::string lifetime; // empty: for ever
    std::string note;
};

struct ListOptions {
    std::vector<std::string> by;
    std::vector<std::string> kinds;
};

Result<std::vector<kernel::DenyTarget>> parse_targets(const std::vector<std::string>& texts) {
    std::vector<kernel::DenyTarget> targets;
    for (const auto& text : texts) {
        const auto target = kernel::parse_deny_target(text);
        if (!target) {
            return std::unexpected(target.error());
        }
        targets.push_back(*target);
    }
    return targets;
}

Result<kernel::Denials> open_denials(const Session& session) {
    const auto instance = session.open();
    if (!instance) {
        return std::unexpected(instance.error());
    }
    return kernel::Denials::open(*instance);
}

// What became of one target, for both kinds of output.
struct Change {
    std::string result;                         // "added", "renewed", "deleted", "not listed"
    std::vector<kernel::Denial> still_denied{}; // by these, all the same
};

// Applies `change` to each target and tells of each.
template<typename Apply>
int change_all(const Session& session, const std::vector<std::string>& texts, Apply apply) {
    const auto targets = parse_targets(texts);
    if (!targets) {
        return session.failed(targets.error());
    }
    auto denials = open_denials(session);
    if (!denials) {
        return session.failed(denials.error());
    }
    boost::json::array results;
    int code = exit_done;
    for (const auto& target : *targets) {
        const Result<Change> change = apply(*denials, target);
        if (!change) {
            return session.failed(change.error());
        }
        code = change->result == "not listed" ? int{exit_failed} : code;
        const std::string text = kernel::to_string(target);
        boost::json::array still;
        for (const auto& denial : change->still_denied) {
            still.push_back(boost::json::object{{"target", kernel::to_string(denial.target)},
                                                {"origin", kernel::name_of_origin(denial.by)}});
            if (!session.json) {
                Session::warn(fmt::format("{0} is still denied, with {1}, by {2}: stemctl deny del {1}", text,
                                          kernel::to_string(denial.target),
                                          kernel::name_of_origin(denial.by)));
            }
        }
        results.push_back(boost::json::object{
            {"source", text}, {"target", text}, {"result", change->result}, {"still_denied", still}});
        if (!session.json) {
            Session::print(fmt::format("{} {}\n", text, change->result));
        }
    }
    if (session.json) {
        Session::print(boost::json::object{{"sources", std::move(results)}});
    }
    return code;
}

int run_add(const Session& session, const DenyOptions& options) {
    kernel::DenialRequest request{.target = {}, .lifetime = {}, .note = options.note};
    if (!options.lifetime.empty()) {
        const auto lifetime = parse_duration(options.lifetime);
        if (!lifetime) {
            return session.failed(lifetime.error());
        }
        request.lifetime = *lifetime;
    }
    return change_all(session, options.targets,
                      [&](kernel::Denials& denials, const kernel::DenyTarget& target) -> Result<Change> {
                          request.target = target;
                          const auto added = denials.add(request);
                          if (!added) {
                              return std::unexpected(added.error());
                          }
                          return Change{.result = *added ? "added" : "renewed"};
                      });
}

int run_del(const Session& session, const DenyOptions& options) {
    return change_all(session, options.targets,
                      [](kernel::Denials& denials, const kernel::DenyTarget& target) -> Result<Change> {
                          const auto removed = denials.remove(target);
                          if (!removed) {
                              return std::unexpected(removed.error());
                          }
                          Change change{.result = *removed ? "deleted" : "not listed"};
                          if (const auto* source = std::get_if<Cidr>(&target); source != nullptr) {
                              auto covering = denials.covering(*source, kernel::monotonic_ns());
                              if (!covering) {
                                  return std::unexpected(covering.error());
                              }
                              change.still_denied = std::move(*covering);
                          }
                          return change;
                      });
}

boost::json::object to_json(const kernel::Denial& denial, std::uint64_t now) {
    boost::json::value added_s;
    if (denial.added_ns != 0) {
        added_s = now > denial.added_ns ? (now - denial.added_ns) / 1'000'000'000U : 0;
    }
    boost::json::value remaining;
    if (denial.until_ns != STEM_FOR_EVER) {
        remaining = denial.until_ns > now ? (denial.until_ns - now) / 1'000'000'000U : 0;
    }
    const std::string target = kernel::to_string(denial.target);
    return {{"source", target},
            {"target", target},
            {"kind", kernel::name_of(kernel::kind_of(denial.target))},
            {"origin", kernel::name_of_origin(denial.by)},
            {"note", denial.note},
            {"reason", denial.reason()},
            {"strikes", denial.strikes},
            {"added_seconds_ago", std::move(added_s)},
            {"remaining_seconds", std::move(remaining)},
            {"expired", denial.expired(now)},
            {"packets", denial.packets},
            {"bytes", denial.bytes ? boost::json::value(*denial.bytes) : boost::json::value()}};
}

std::string left_text(const kernel::Denial& denial, std::uint64_t now) {
    if (denial.until_ns == STEM_FOR_EVER) {
        return "for ever";
    }
    return denial.expired(now)
               ? "expired"
               : duration_text(std::chrono::nanoseconds(static_cast<std::int64_t>(denial.until_ns - now)));
}

bool is_asked_for(const ListOptions& options, const kernel::Denial& denial) {
    const auto among = [](const std::vector<std::string>& wanted, std::string_view name) {
        return wanted.empty() || std::ranges::find(wanted, name) != wanted.end();
    };
    return among(options.by, kernel::name_of_origin(denial.by)) &&
           among(options.kinds, kernel::name_of(kernel::kind_of(denial.target)));
}

int run_list(const Session& session, const ListOptions& options) {
    const auto denials = open_denials(session);
    if (!denials) {
        return session.failed(denials.error());
    }
    auto entries = denials->list();
    if (!entries) {
        return session.failed(entries.error());
    }
    std::erase_if(*entries, [&](const kernel::Denial& denial) { return !is_asked_for(options, denial); });
    const std::uint64_t now = kernel::monotonic_ns();
    if (session.json) {
        boost::json::array array;
        for (const auto& entry : *entries) {
            array.push_back(to_json(entry, now));
        }
        Session::print(boost::json::object{{"deny", std::move(array)}});
        return exit_done;
    }
    Table table({{"TARGET"},
                 {"BY"},
                 {"PACKETS", Align::right},
                 {"BYTES", Align::right},
                 {"ADDED"},
                 {"LEFT"},
                 {"WHY"}});
    for (const auto& entry : *entries) {
        table.row({kernel::to_string(entry.target), std::string(kernel::name_of_origin(entry.by)),
                   std::to_string(entry.packets), entry.bytes ? size_text(*entry.bytes) : "-",
                   entry.added_ns == 0 ? "-" : ago_text(entry.added_ns, now), left_text(entry, now),
                   entry.reason()});
    }
    Session::print(!table.empty() ? table.to_string()
                   : options.by.empty() && options.kinds.empty()
                       ? "nobody is denied\n"
                       : "nothing that is denied is of that kind\n");
    return exit_done;
}

std::vector<std::string> origin_names() {
    std::vector<std::string> names;
    names.reserve(std::size(kernel::deny_origins));
    for (const auto origin : kernel::deny_origins) {
        names.emplace_back(kernel::name_of_origin(origin));
    }
    return names;
}

std::vector<std::string> kind_names() {
    std::vector<std::string> names;
    for (const auto kind : {kernel::DenyKind::address, kernel::DenyKind::network, kernel::DenyKind::stream,
                            kernel::DenyKind::flow}) {
        names.emplace_back(kernel::name_of(kind));
    }
    return names;
}

void add_list_command(CLI::App& deny, Session& session) {
    auto options = std::make_shared<ListOptions>();
    auto* list = session.command(
        deny, "list",
        "Show what is denied, by whom, why, for how long, and what was dropped.\n"
        "By the operator, by the Security Manager (sm), and by the data plane where somebody\n"
        "flooded: sources of SYNs (syn_monitor), streams of INVITEs and sources of signalling\n"
        "(signalling_monitor).",
        "  stemctl deny list\n  stemctl deny list --by syn_monitor signalling_monitor\n"
        "  stemctl deny list --kind stream flow\n  stemctl deny list --json | jq -r '.deny[].target'",
        [&session, options] { return run_list(session, *options); });
    list->add_option("--by", options->by, fmt::format("Only those of: {}", fmt::join(origin_names(), ", ")))
        ->check(CLI::IsMember(origin_names()))
        ->type_name("WHO");
    list->add_option("--kind", options->kinds, fmt::format("Only these: {}", fmt::join(kind_names(), ", ")))
        ->check(CLI::IsMember(kind_names()))
        ->type_name("KIND");
}

} // namespace

void add_deny_commands(CLI::App& root, Session& session) {
    auto* deny =
        Session::group(root, "deny", "Sources, streams and flows that are dropped before anything else.");

    auto options = std::make_shared<DenyOptions>();
    auto* add = session.command(
        *deny, "add",
        "Deny an address, a network, a stream or a flow, from the next packet on.\n"
        "A signalling stream goes with its media. A stream and a flow are named by both ends, the\n"
        "sender first, as 'deny list' and 'flows' show them; a flow must be open, and is denied\n"
        "for as long as it is. What is denied already gets the new time and note.",
        "  stemctl deny add 198.51.100.7 2001:db8:bad::/48 --for 2h --note \"scanner\"\n"
        "  stemctl deny add stream:udp:198.51.100.7:5060-203.0.113.5:5060\n"
        "  stemctl deny add 'flow:[2001:db8::7]:4000-[2001:db8::5]:10000' --note \"injected\"",
        [&session, options] { return run_add(session, *options); });
    add->add_option("target", options->targets, "Addresses, networks, streams or flows")
        ->required()
        ->type_name("TARGET");
    add->add_option("--for", options->lifetime, "How long: 90s, 10m, 2h, 7d [for ever]")->type_name("TIME");
    add->add_option("--note", options->note, "Why, for those who read the list (35 octets; of a flow, 23)")
        ->check([](const std::string& text) {
            return text.size() < STEM_DENY_NOTE_MAX ? std::string() : "longer than 35 octets";
        })
        ->type_name("TEXT");

    auto* del = session.command(*deny, "del",
                                "Let something in again, whoever denied it.\n"
                                "Fails if it is not on the list. An address may be denied by a network that\n"
                                "it is in, and an IPv6 one by a monitor as its /64: then that is named.",
                                "  stemctl deny del 198.51.100.7\n"
                                "  stemctl deny del stream:udp:198.51.100.7:5060-203.0.113.5:5060",
                                [&session, options] { return run_del(session, *options); });
    del->add_option("target", options->targets, "As listed")->required()->type_name("TARGET");
    add_list_command(*deny, session);
}

} // namespace stem::stemctl
