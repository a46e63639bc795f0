// SPDX-License-Identifier: Apache-2.0
// audit: who decided what, who changed what, what was refused; of the Security Manager in stemd, or
// elsewhere.
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

constexpr std::size_t page_length = 500; // the Security Manager decides of calls between two pages

struct AuditOptions {
    std::string since;
    std::string until;
    std::string kind;
    std::string action;
    std::string user;
    std::string who;
    std::string caller;
    std::string callee;
    std::string call_id;
    std::size_t limit = 0; // 0: as many as there are
};
using Options = std::shared_ptr<AuditOptions>;

// "2h": so long ago. Else as it is, for the Security Manager to read.
std::string time_of(const std::string& text) {
    const auto ago = parse_duration(text);
    if (!ago) {
        return text;
    }
    const auto at = std::chrono::system_clock::now() - std::chrono::duration_cast<std::chrono::seconds>(*ago);
    return std::to_string(std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count());
}

std::string target_of(const AuditOptions& options, const std::string& order, const std::string& from,
                      std::size_t count) {
    return "/v1/audit" + query_of({{"since", time_of(options.since)},
                                   {"until", time_of(options.until)},
                                   {"kind", options.kind},
                                   {"action", options.action},
                                   {"user", options.user},
                                   {"who", options.who},
                                   {"caller", options.caller},
                                   {"callee", options.callee},
                                   {"call_id", options.call_id},
                                   {"order", order},
                                   {"limit", std::to_string(count)},
                                   {"from", from}});
}

// Gives each record to `take`, page by page.
Result<> read_all(const Session& session, const AuditOptions& options, const std::string& order,
                  const std::function<void(const json::value&)>& take) {
    std::size_t left = options.limit == 0 ? std::numeric_limits<std::size_t>::max() : options.limit;
    std::string from;
    do {
        const auto page =
            ask_stemd(session, "GET", target_of(options, order, from, std::min(left, page_length)));
        if (!page) {
            return std::unexpected(page.error());
        }
        for (const auto& record : members(*page, "records")) {
            take(record);
            --left;
        }
        if (from.empty()) {
            if (const std::string failure = member(*page, "failure"); !failure.empty()) {
                Session::warn(fmt::format("the trail is not being written: {}; {} records are missing",
                                          failure, member(*page, "lost")));
            }
        }
        from = member(*page, "next");
    } while (!from.empty() && left > 0);
    return {};
}

std::string what_of(const json::value& record) {
    const std::string kind = member(record, "kind");
    if (kind == "change") {
        return fmt::format("{} {} -> {}", member(record, "action"), member(record, "target"),
                           member(record, "status"));
    }
    std::string text = member(record, "action");
    for (const char* name : {"status", "target", "limit", "level", "lost"}) {
        if (const std::string value = member(record, name); !value.empty()) {
            text += " " + value;
        }
    }
    return text;
}

int run_list(const Session& session, const AuditOptions& options) {
    json::array records;
    if (auto read = read_all(session, options, "newest",
                             [&](const json::value& record) { records.push_back(record); });
        !read) {
        return session.failed(read.error());
    }
    std::ranges::reverse(records); // as a log is read: the newest at the end
    if (session.json) {
        Session::print(json::object{{"records", std::move(records)}});
        return exit_done;
    }
    Table table({{"TIME"}, {"KIND"}, {"WHO"}, {"WHAT"}, {"CALL"}, {"WHY"}});
    for (const auto& record : records) {
        const std::string caller = member(record, "caller");
        table.row({member(record, "time"), member(record, "kind"), member(record, "who"), what_of(record),
                   caller.empty() ? "" : caller + " -> " + member(record, "callee"), member(record, "why")});
    }
    Session::print(table.empty() ? std::string("no records\n") : table.to_string());
    return exit_done;
}

int run_export(const Session& session, const AuditOptions& options) {
    auto read = read_all(session, options, "oldest",
                         [](const json::value& record) { Session::print(json::serialize(record) + "\n"); });
    return read ? int{exit_done} : session.failed(read.error());
}

void add_filters(CLI::App* command, const Options& options) {
    const auto add = [&](const char* name, std::string& value, const char* help, const char* type) {
        command->add_option(name, value, help)->type_name(type);
    };
    add("--since", options->since, "From then on: 2026-11-23T08:00:00Z, or so long ago: 90s, 10m, 2h, 7d",
        "TIME");
    add("--until", options->until, "Before then, as --since", "TIME");
    add("--kind", options->kind, "decision, call, change, refusal, report, limit or gap", "KIND");
    add("--action", options->action, "accept, forward, reject, drop; answered, ended; POST, PUT, DELETE",
        "ACTION");
    add("--user", options->user, "Whose profile decided, or who was changed", "USER");
    add("--who", options->who, "Who asked or did it: a part of its name will do", "NAME");
    add("--caller", options->caller, "A part of the caller's URI", "TEXT");
    add("--callee", options->callee, "A part of the callee's URI", "TEXT");
    add("--call-id", options->call_id, "The call's Call-ID", "ID");
}

} // namespace

void add_audit_commands(CLI::App& root, Session& session) {
    auto options = std::make_shared<AuditOptions>();
    auto* audit =
        Session::group(root, "audit", "The audit trail: who decided, changed or was refused what, and why.");
    const char* example = "  stemctl audit list --call-id a84b4c76e66710@pc33.example.com\n"
                          "  stemctl audit list --action reject --since 2h\n"
                          "  stemctl audit list --kind change --who ann";
    auto* list =
        session.command(*audit, "list", "Show records, the newest last.", example, [&session, options] {
            constexpr std::size_t shown = 100;
            options->limit = options->limit == 0 ? shown : options->limit;
            return run_list(session, *options);
        });
    add_filters(list, options);
    list->add_option("--limit", options->limit, "At most so many, the newest [100]")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N");
    auto* all = session.command(*audit, "export", "Write records as JSON lines, the oldest first.",
                                "  stemctl audit export --since 2026-11-01T00:00:00Z > november.jsonl",
                                [&session, options] { return run_export(session, *options); });
    add_filters(all, options);
    all->add_option("--limit", options->limit, "At most so many, the oldest [all]")
        ->check(CLI::Range(1, 1'000'000'000))
        ->type_name("N");
}

} // namespace stem::stemctl
