// SPDX-License-Identifier: Apache-2.0
// profile: how calls to a user are treated, and a way to try it without a call.
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/deny_option.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"

#include <fmt/format.h>

#include <optional>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

constexpr const char* profiles_path = "/v1/profiles";

struct ProfileOptions {
    std::string name;
    std::string caller = "*";
    std::string when;
    bool accept = false; // one of these four is the action
    std::string forward;
    unsigned reject = 0;
    bool drop = false;
    std::string deny;         // with reject and drop: how long the source is denied; empty: not
    std::size_t position = 0; // 0: behind the last
    std::size_t to = 0;
    std::string from_uri;
    std::string to_uri;
    std::string at;
    bool outbound = false;
    std::string registered;
    std::optional<std::int64_t> max_calls;
};
using Options = std::shared_ptr<ProfileOptions>;

std::string path_of(const ProfileOptions& options, std::string_view rest = "") {
    return fmt::format("{}/{}{}", profiles_path, escaped(options.name), rest);
}

bool has_action(const ProfileOptions& options) {
    return options.accept || !options.forward.empty() || options.reject != 0 || options.drop;
}

// As the API's fields. CLI11 sees to it that no two are given.
Result<json::object> action_from(const ProfileOptions& options) {
    if (!has_action(options)) {
        return fail("read the action", "none is given", "give --accept, --forward, --reject or --drop");
    }
    if (!options.forward.empty()) {
        return json::object{{"action", "forward"}, {"target", options.forward}};
    }
    json::object action{{"action", options.accept ? "accept" : "drop"}};
    if (options.reject != 0) {
        action = {{"action", "reject"}, {"status", options.reject}};
    }
    if (!options.deny.empty()) {
        const auto seconds = deny_seconds(options.deny);
        if (!seconds) {
            return std::unexpected(seconds.error());
        }
        action["deny_seconds"] = *seconds;
    }
    return action;
}

std::string action_text(const json::value& action) {
    std::string text = member(action, "action");
    for (const char* name : {"target", "status"}) {
        if (const std::string value = member(action, name); !value.empty() && value != "0") {
            text += " " + value;
        }
    }
    if (const std::string seconds = member(action, "deny_seconds"); !seconds.empty() && seconds != "0") {
        text += ", deny " + seconds + " s";
    }
    return text;
}

std::string show_profile(const json::value& profile) {
    Table table({{"#", Align::right}, {"CALLER"}, {"WHEN"}, {"REGISTERED"}, {"ACTION"}});
    std::size_t position = 0;
    for (const auto& rule : members(profile, "rules")) {
        const std::string when = member(rule, "when");
        const std::string registered = member(rule, "registered");
        table.row({std::to_string(++position), member(rule, "caller"), when.empty() ? "always" : when,
                   registered.empty() ? "-" : registered, action_text(rule)});
    }
    table.row({"else", "", "", "", action_text(profile.at("default"))});
    const std::string max_calls = member(profile, "max_calls");
    return fmt::format("profile {}{}\n{}", member(profile, "name"),
                       max_calls.empty() ? "" : fmt::format(", at most {} calls at once", max_calls),
                       table.to_string());
}

std::string show_profiles(const json::value& answer) {
    Table table({{"PROFILE"}, {"RULES", Align::right}, {"ELSE"}});
    for (const auto& profile : members(answer, "profiles")) {
        table.row({member(profile, "name"), std::to_string(members(profile, "rules").size()),
                   action_text(profile.at("default"))});
    }
    return table.empty() ? "no profiles; add one with: stemctl profile add NAME\n" : table.to_string();
}

std::string show_decision(const json::value& decision) {
    std::string text = action_text(decision);
    if (member(decision, "spam") == "true") {
        text += " (spam)";
    }
    std::string terminals;
    for (const auto& terminal : members(decision, "terminals")) {
        terminals += (terminals.empty() ? "" : " ") + std::string(terminal.as_string());
    }
    if (const std::string bound = member(decision, "max_duration"); !bound.empty()) {
        text += fmt::format(", for {} s at most", bound);
    }
    text = fmt::format("{}\nbecause {}\n{}", text, member(decision, "why"),
                       terminals.empty() ? "" : "media bound to " + terminals + "\n");
    Table steps({{""}, {"LOOKED AT"}, {"FOUND"}});
    for (const auto& step : members(decision, "steps")) {
        steps.row({member(step, "decided") == "true" ? "*" : "", member(step, "step"), member(step, "why")});
    }
    return steps.empty() ? text : text + "\n" + steps.to_string();
}

int run_add(const Session& session, const ProfileOptions& options) {
    json::object profile{{"name", options.name}};
    if (has_action(options)) {
        auto action = action_from(options);
        if (!action) {
            session.failed(action.error());
            return exit_usage;
        }
        profile["default"] = std::move(*action);
    }
    if (options.max_calls) {
        profile["max_calls"] = *options.max_calls;
    }
    return ask_and_print(session, "POST", profiles_path, profile, show_profile);
}

int run_max_calls(const Session& session, const ProfileOptions& options) {
    return ask_and_print(session, "PUT", path_of(options),
                         json::object{{"max_calls", options.max_calls.value_or(0)}}, show_profile);
}

int run_default(const Session& session, const ProfileOptions& options) {
    auto action = action_from(options);
    if (!action) {
        session.failed(action.error());
        return exit_usage;
    }
    return ask_and_print(session, "PUT", path_of(options), json::object{{"default", std::move(*action)}},
                         show_profile);
}

int run_rule_add(const Session& session, const ProfileOptions& options) {
    auto rule = action_from(options);
    if (!rule) {
        session.failed(rule.error());
        return exit_usage;
    }
    (*rule)["caller"] = options.caller;
    if (!options.when.empty()) {
        (*rule)["when"] = options.when;
    }
    if (!options.registered.empty()) {
        (*rule)["registered"] = options.registered;
    }
    if (options.position != 0) {
        (*rule)["position"] = options.position;
    }
    return ask_and_print(session, "POST", path_of(options, "/rules"), *rule, show_profile);
}

// Changes one rule, then shows what the profile is now.
int run_rule_change(const Session& session, const ProfileOptions& options, const std::string& method,
                    const json::value& body) {
    const auto done =
        ask_stemd(session, method, path_of(options, fmt::format("/rules/{}", options.position)), body);
    if (!done) {
        return session.failed(done.error());
    }
    return ask_and_print(session, "GET", path_of(options), nullptr, show_profile);
}

int run_test(const Session& session, const ProfileOptions& options) {
    return ask_and_print(session, "GET",
                         "/v1/decision" +
                             query_of({{"from", options.from_uri},
                                       {"to", options.to_uri},
                                       {"at", options.at},
                                       {"direction", options.outbound ? "outbound" : "inbound"}}),
                         nullptr, show_decision);
}

void add_name(CLI::App* command, const Options& options) {
    command->add_option("name", options->name, "The profile")->required()->type_name("PROFILE");
}

void add_action(CLI::App* command, const Options& options) {
    auto* accept = command->add_flag("--accept", options->accept, "Let the call in");
    auto* forward =
        command->add_option("--forward", options->forward, "Let it in, to another URI")->type_name("URI");
    auto* reject = command->add_option("--reject", options->reject, "Answer with this SIP status, 400 to 699")
                       ->check(CLI::Range(400, 699))
                       ->type_name("STATUS");
    auto* drop = command->add_flag("--drop", options->drop, "Drop it without an answer");
    accept->excludes(forward, reject, drop);
    forward->excludes(reject, drop);
    reject->excludes(drop);
    command->add_option("--deny", options->deny, deny_help)
        ->type_name("TIME")
        ->excludes(accept)
        ->excludes(forward);
}

void add_rule_commands(CLI::App& profile, Session& session, const Options& options) {
    auto* rule = Session::group(profile, "rule", "Rules of a profile: the first that matches decides.");
    auto* add = session.command(
        *rule, "add", "Add a rule, behind the last or at a position.",
        "  stemctl profile rule add office --caller '*@example.org' --when 'mon-fri 08:00-18:00' --accept\n"
        "  stemctl profile rule add office --forward sip:desk@example.org\n"
        "  stemctl profile rule add office --registered no --forward sip:voicemail@example.org\n"
        "  stemctl profile rule add office --position 1 --caller anonymous --reject 433\n"
        "  stemctl profile rule add office --caller '*@fraud.example' --drop --deny 1h",
        [&session, options] { return run_rule_add(session, *options); });
    add_name(add, options);
    add_action(add, options);
    add->add_option(
           "--caller", options->caller,
           "Who calls: *, anonymous, sip:bob@example.org, *@example.org, +49301234, +49*, regex:EXPRESSION")
        ->type_name("PATTERN")
        ->capture_default_str();
    add->add_option("--when", options->when, "Local time: 'mon-fri 08:00-18:00', 'sat,sun' [always]")
        ->type_name("TIMES");
    add->add_option("--registered", options->registered,
                    "Only while the callee has a living location (yes), or has none (no) [either]")
        ->check(CLI::IsMember({"yes", "no"}))
        ->type_name("yes|no");
    add->add_option("--position", options->position, "From 1; those from there on move down")
        ->check(CLI::PositiveNumber)
        ->type_name("N");

    auto* del = session.command(
        *rule, "del", "Remove a rule.", "  stemctl profile rule del office 2",
        [&session, options] { return run_rule_change(session, *options, "DELETE", nullptr); });
    auto* move = session.command(*rule, "move", "Move a rule to another position.",
                                 "  stemctl profile rule move office 3 1", [&session, options] {
                                     return run_rule_change(session, *options, "POST",
                                                            json::object{{"position", options->to}});
                                 });
    for (CLI::App* command : {del, move}) {
        add_name(command, options);
        command->add_option("position", options->position, "Of the rule, from 1")
            ->required()
            ->check(CLI::PositiveNumber)
            ->type_name("N");
    }
    move->add_option("to", options->to, "Its new position")
        ->required()
        ->check(CLI::PositiveNumber)
        ->type_name("N");
}

} // namespace

void add_profile_commands(CLI::App& root, Session& session) {
    auto* profile =
        Session::group(root, "profile", "Profiles: how calls are treated, by caller and time; and a test.");
    auto options = std::make_shared<ProfileOptions>();

    auto* add =
        session.command(*profile, "add", "Add a profile; calls that no rule matches get its action [accept].",
                        "  stemctl profile add office --reject 480",
                        [&session, options] { return run_add(session, *options); });
    add_name(add, options);
    add_action(add, options);

    add->add_option("--max-calls", options->max_calls, "To all its users together, at once; 0: any number")
        ->check(CLI::Range(0, 1'000'000))
        ->type_name("N");
    auto* bound =
        session.command(*profile, "calls", "Bound calls to all its users together, at once; 0: any number.",
                        "  stemctl profile calls office 30",
                        [&session, options] { return run_max_calls(session, *options); });
    add_name(bound, options);
    bound->add_option("calls", options->max_calls, "How many")
        ->required()
        ->check(CLI::Range(0, 1'000'000))
        ->type_name("N");

    auto* del = session.command(*profile, "del", "Remove a profile that no user has.",
                                "  stemctl profile del office", [&session, options] {
                                    return ask_and_print(session, "DELETE", path_of(*options), nullptr,
                                                         [&](const json::value&) {
                                                             return "profile " + options->name + " removed\n";
                                                         });
                                });
    add_name(del, options);

    session.command(*profile, "list", "List profiles.", "  stemctl profile list", [&session] {
        return ask_and_print(session, "GET", profiles_path, nullptr, show_profiles);
    });
    auto* show =
        session.command(*profile, "show", "Show a profile with its rules.", "  stemctl profile show office",
                        [&session, options] {
                            return ask_and_print(session, "GET", path_of(*options), nullptr, show_profile);
                        });
    add_name(show, options);

    auto* fallback = session.command(*profile, "default", "Say what becomes of calls that no rule matches.",
                                     "  stemctl profile default office --reject 480",
                                     [&session, options] { return run_default(session, *options); });
    add_name(fallback, options);
    add_action(fallback, options);

    add_rule_commands(*profile, session, options);

    auto* test = session.command(
        *profile, "test", "Say what would become of a call, and why. Nothing is changed.",
        "  stemctl profile test --from sip:bob@example.com --to sip:alice@example.org\n"
        "  stemctl profile test --from tel:+49301234 --to sip:alice@example.org --at 2026-12-24T20:00:00Z",
        [&session, options] { return run_test(session, *options); });
    test->add_option("--from", options->from_uri, "Who calls")->required()->type_name("URI");
    test->add_option("--to", options->to_uri, "Who is called")->required()->type_name("URI");
    test->add_option("--at", options->at, "When, as 2026-12-24T20:00:00Z [now]")->type_name("TIME");
    test->add_flag("--outbound", options->outbound, "The call comes from inside");
}

} // namespace stem::stemctl
