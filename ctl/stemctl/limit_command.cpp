// SPDX-License-Identifier: Apache-2.0
// limit: bounds of outgoing calls, against toll fraud; and the users that they have blocked.
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/deny_option.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

constexpr const char* limits_path = "/v1/limits";

struct LimitOptions {
    std::string name;
    std::string user;
    std::string prefix;
    std::string when;
    std::string calls_per_minute; // "WARNING:CRITICAL", either of them empty
    std::string concurrent;
    std::string duration;
    std::string sequential;
    unsigned status = 403;
    std::string block;
};
using Options = std::shared_ptr<LimitOptions>;

std::string path_of(const std::string& name) {
    return fmt::format("{}/{}", limits_path, escaped(name));
}

// "5:10", ":10", "5": warning and critical.
Result<json::value> levels_from(std::string_view option, std::string_view text) {
    json::object levels;
    const auto colon = text.find(':');
    const std::array<std::pair<const char*, std::string_view>, 2> parts = {
        {{"warning", text.substr(0, colon)},
         {"critical", colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1)}}};
    for (const auto& [name, digits] : parts) {
        if (digits.empty()) {
            continue;
        }
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc() || end != digits.data() + digits.size()) {
            return fail(fmt::format("read {} '{}'", option, text), "not WARNING:CRITICAL",
                        "write 5:10, :10 without a warning, or 5: for a warning alone");
        }
        levels[name] = value;
    }
    return levels;
}

Result<json::object> body_of(const LimitOptions& options) {
    json::object body{{"name", options.name}, {"status", options.status}};
    for (const auto& [name, value] : {std::pair<const char*, const std::string&>{"user", options.user},
                                      {"prefix", options.prefix},
                                      {"when", options.when}}) {
        if (!value.empty()) {
            body[name] = value;
        }
    }
    const auto add = [&](const char* name, const std::string& text) -> Result<> {
        if (text.empty()) {
            return {};
        }
        auto levels = levels_from(name, text);
        if (!levels) {
            return std::unexpected(levels.error());
        }
        body[name] = std::move(*levels);
        return {};
    };
    for (const auto& [name, text] :
         {std::pair<const char*, const std::string&>{"calls_per_minute", options.calls_per_minute},
          {"concurrent", options.concurrent},
          {"duration", options.duration},
          {"sequential", options.sequential}}) {
        if (auto added = add(name, text); !added) {
            return std::unexpected(added.error());
        }
    }
    if (!options.block.empty()) {
        const auto seconds = deny_seconds(options.block);
        if (!seconds) {
            return std::unexpected(seconds.error());
        }
        body["block_seconds"] = *seconds;
    }
    return body;
}

std::string levels_text(const json::value& limit, std::string_view name) {
    const auto* levels = limit.as_object().if_contains(name);
    const std::string warning = levels == nullptr ? "" : member(*levels, "warning");
    const std::string critical = levels == nullptr ? "" : member(*levels, "critical");
    return warning.empty() && critical.empty() ? "-" : warning + ":" + critical;
}

std::vector<std::string> row_of(const json::value& limit) {
    const auto or_text = [&](const char* name, const char* otherwise) {
        const std::string value = member(limit, name);
        return value.empty() ? std::string(otherwise) : value;
    };
    const std::string block = member(limit, "block_seconds");
    return {member(limit, "name"),
            or_text("user", "each"),
            or_text("prefix", "all"),
            or_text("when", "always"),
            levels_text(limit, "calls_per_minute"),
            levels_text(limit, "concurrent"),
            levels_text(limit, "duration"),
            levels_text(limit, "sequential"),
            member(limit, "status"),
            block == "0" ? "-" : block + " s"};
}

Table table() {
    return Table({{"LIMIT"},
                  {"USER"},
                  {"PREFIX"},
                  {"WHEN"},
                  {"A MINUTE"},
                  {"AT ONCE"},
                  {"SECONDS"},
                  {"IN A ROW"},
                  {"STATUS"},
                  {"BLOCK"}});
}

std::string show_limit(const json::value& limit) {
    Table one = table();
    one.row(row_of(limit));
    return one.to_string();
}

std::string show_limits(const json::value& answer) {
    Table all = table();
    for (const auto& limit : members(answer, "limits")) {
        all.row(row_of(limit));
    }
    return all.empty() ? "no limits; add one with: stemctl limit add NAME\n" : all.to_string();
}

std::string show_blocks(const json::value& answer) {
    Table all({{"USER"}, {"UNTIL"}, {"WHY"}});
    for (const auto& block : members(answer, "blocks")) {
        const std::string user = member(block, "user");
        all.row({user == "*" ? "* (nobody's)" : user, member(block, "until"), member(block, "why")});
    }
    return all.empty() ? "nobody is blocked\n" : all.to_string();
}

int run_write(const Session& session, const LimitOptions& options, const std::string& method,
              const std::string& target) {
    const auto body = body_of(options);
    if (!body) {
        (void)session.failed(body.error());
        return exit_usage;
    }
    return ask_and_print(session, method, target, *body, show_limit);
}

void add_fields(CLI::App* command, const Options& options) {
    command->add_option("name", options->name, "The limit")->required()->type_name("LIMIT");
    const auto add = [&](const char* name, std::string& value, const char* help, const char* type) {
        command->add_option(name, value, help)->type_name(type);
    };
    add("--user", options->user, "Whose calls [of each user by himself]", "USER");
    add("--prefix", options->prefix, "Of the number that is called, as it is dialled: +881, 00 [all calls]",
        "DIGITS");
    add("--when", options->when, "Local time: 'mon-fri 22:00-06:00', 'sat,sun' [always]", "TIMES");
    const char* levels = "WARNING:CRITICAL";
    add("--calls-per-minute", options->calls_per_minute, "Calls begun within a minute; :0 forbids them",
        levels);
    add("--concurrent", options->concurrent, "Calls at once", levels);
    add("--duration", options->duration, "Seconds; the firewall ends the call at the critical one", levels);
    add("--sequential", options->sequential, "Calls in a row to one number", levels);
    add("--block", options->block, "At a critical level, refuse all of the user's calls so long: 10m, 2h, 7d",
        "TIME");
    command->add_option("--status", options->status, "SIP status of a call that is refused")
        ->check(CLI::Range(400, 699))
        ->type_name("STATUS")
        ->capture_default_str();
}

} // namespace

void add_limit_commands(CLI::App& root, Session& session) {
    auto* limit =
        Session::group(root, "limit", "Limits of outgoing calls, against toll fraud; and who is blocked.");
    auto options = std::make_shared<LimitOptions>();

    auto* add = session.command(
        *limit, "add",
        "Add a limit.\nWhat comes to a level is within it: above WARNING it is told, above CRITICAL refused.",
        "  stemctl limit add satellite --prefix +881 --calls-per-minute 2:5 --concurrent :2 --block 1h\n"
        "  stemctl limit add nights --when '20:00-06:00' --prefix 00 --calls-per-minute :0\n"
        "  stemctl limit add long --duration 3600:7200 --user alice",
        [&session, options] { return run_write(session, *options, "POST", limits_path); });
    add_fields(add, options);
    auto* set = session.command(
        *limit, "set", "Write a limit anew, as a whole, from the next call on.",
        "  stemctl limit set satellite --prefix +881 --calls-per-minute 5:10",
        [&session, options] { return run_write(session, *options, "PUT", path_of(options->name)); });
    add_fields(set, options);

    const auto add_name = [&](CLI::App* command) {
        command->add_option("name", options->name, "The limit")->required()->type_name("LIMIT");
    };
    session.command(*limit, "list", "List limits; levels are WARNING:CRITICAL.", "  stemctl limit list",
                    [&session] { return ask_and_print(session, "GET", limits_path, nullptr, show_limits); });
    auto* show = session.command(
        *limit, "show", "Show a limit.", "  stemctl limit show satellite", [&session, options] {
            return ask_and_print(session, "GET", path_of(options->name), nullptr, show_limit);
        });
    add_name(show);
    auto* del = session.command(
        *limit, "del", "Remove a limit.", "  stemctl limit del satellite", [&session, options] {
            return ask_and_print(session, "DELETE", path_of(options->name), nullptr,
                                 [&](const json::value&) { return "limit " + options->name + " removed\n"; });
        });
    add_name(del);

    session.command(*limit, "blocks", "List users whose outgoing calls are blocked.",
                    "  stemctl limit blocks",
                    [&session] { return ask_and_print(session, "GET", "/v1/blocks", nullptr, show_blocks); });
    auto* unblock = session.command(
        *limit, "unblock", "Let a user call out again.", "  stemctl limit unblock alice",
        [&session, options] {
            return ask_and_print(session, "DELETE", "/v1/blocks/" + escaped(options->user), nullptr,
                                 [&](const json::value&) { return options->user + " may call out again\n"; });
        });
    unblock->add_option("user", options->user, "The user; '*': callers that no user has")
        ->required()
        ->type_name("USER");
}

} // namespace stem::stemctl
