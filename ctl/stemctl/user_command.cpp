// SPDX-License-Identifier: Apache-2.0
// user, location: who can be called, and where they are.
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/import_command.h"
#include "ctl/stemctl/password_commands.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"

#include <stem/qvalue.h>

#include <fmt/format.h>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

constexpr const char* users_path = "/v1/users";

struct UserOptions {
    std::optional<std::int64_t> max_calls;
    std::string name;
    std::string display_name;
    std::string profile;
    bool no_profile = false;
    std::vector<std::string> uris;
    std::string address;
    std::string contact;
    std::string q;
    std::string lifetime;
};
using Options = std::shared_ptr<UserOptions>;

std::string path_of(const UserOptions& options, std::string_view rest = "") {
    return fmt::format("{}/{}{}", users_path, escaped(options.name), rest);
}

std::string uris_of(const json::value& user) {
    std::string text;
    for (const auto& uri : members(user, "uris")) {
        text += (text.empty() ? "" : " ") + std::string(uri.as_string());
    }
    return text;
}

std::string locations_of(const json::value& holder) {
    Table table({{"ADDRESS"}, {"CONTACT"}, {"Q"}, {"ORIGIN"}, {"EXPIRES"}});
    for (const auto& location : members(holder, "locations")) {
        const std::string expires = member(location, "expires_at");
        table.row({member(location, "address"), member(location, "contact"), member(location, "q"),
                   member(location, "origin"), expires.empty() ? "never" : expires});
    }
    return table.empty() ? "no location is known\n" : table.to_string();
}

std::string show_users(const json::value& answer) {
    Table table({{"USER"}, {"PROFILE"}, {"URIS"}, {"NAME"}});
    for (const auto& user : members(answer, "users")) {
        const std::string profile = member(user, "profile");
        table.row({member(user, "name"), profile.empty() ? "-" : profile, uris_of(user),
                   member(user, "display_name")});
    }
    return table.empty() ? "no users; add one with: stemctl user add NAME --uri sip:NAME@DOMAIN\n"
                         : table.to_string();
}

std::string show_user(const json::value& user) {
    const std::string profile = member(user, "profile");
    const std::string name = member(user, "display_name");
    const std::string max_calls = member(user, "max_calls");
    return fmt::format("user     {}{}\nURIs     {}\nprofile  {}\n{}\n{}", member(user, "name"),
                       name.empty() ? "" : " (" + name + ")", uris_of(user),
                       profile.empty() ? "none: calls are accepted" : profile,
                       max_calls.empty() ? "" : fmt::format("at once  {} calls at most\n", max_calls),
                       locations_of(user));
}

CLI::Option* add_name(CLI::App* command, const Options& options) {
    return command->add_option("name", options->name, "The user")->required()->type_name("USER");
}

void add_max_calls(CLI::App* command, const Options& options) {
    command->add_option("--max-calls", options->max_calls, "Calls to the user at once; 0: any number")
        ->check(CLI::Range(0, 1'000'000))
        ->type_name("N");
}

int run_add(const Session& session, const UserOptions& options) {
    json::array uris;
    for (const auto& uri : options.uris) {
        uris.emplace_back(uri);
    }
    return ask_and_print(
        session, "POST", users_path,
        json::object{{"name", options.name},
                     {"display_name", options.display_name},
                     {"profile", options.profile.empty() ? json::value() : json::value(options.profile)},
                     {"max_calls", options.max_calls.value_or(0)},
                     {"uris", std::move(uris)}},
        show_user);
}

int run_set(const Session& session, const UserOptions& options) {
    json::object change;
    if (!options.display_name.empty()) {
        change["display_name"] = options.display_name;
    }
    if (options.no_profile) {
        change["profile"] = nullptr;
    } else if (!options.profile.empty()) {
        change["profile"] = options.profile;
    }
    if (options.max_calls) {
        change["max_calls"] = *options.max_calls;
    }
    return ask_and_print(session, "PUT", path_of(options), change, show_user);
}

// Adds or takes away each URI; shows the user as it is then.
int run_uris(const Session& session, const UserOptions& options, bool add) {
    for (const auto& uri : options.uris) {
        const auto done =
            add ? ask_stemd(session, "POST", path_of(options, "/uris"), json::object{{"uri", uri}})
                : ask_stemd(session, "DELETE", path_of(options, "/uris") + query_of({{"uri", uri}}));
        if (!done) {
            return session.failed(done.error());
        }
    }
    return ask_and_print(session, "GET", path_of(options), nullptr, show_user);
}

int run_locate(const Session& session, const UserOptions& options) {
    json::object location{{"address", options.address}};
    if (!options.contact.empty()) {
        location["contact"] = options.contact;
    }
    if (!options.q.empty()) {
        location["q"] = options.q;
    }
    if (!options.lifetime.empty()) {
        const auto lifetime = parse_duration(options.lifetime);
        if (!lifetime) {
            return session.failed(lifetime.error());
        }
        location["expires_in"] = std::chrono::duration_cast<std::chrono::seconds>(*lifetime).count();
    }
    return ask_and_print(session, "POST", path_of(options, "/locations"), location, show_user);
}

void add_user_uri_commands(CLI::App& user, Session& session, const Options& options) {
    auto* uri = Session::group(user, "uri", "The URIs by which a user is called.");
    auto* add = session.command(*uri, "add", "Give a user more URIs; each is of one user only.",
                                "  stemctl user uri add alice tel:+49301234",
                                [&session, options] { return run_uris(session, *options, true); });
    auto* del = session.command(*uri, "del", "Take URIs away from a user.",
                                "  stemctl user uri del alice tel:+49301234",
                                [&session, options] { return run_uris(session, *options, false); });
    for (CLI::App* command : {add, del}) {
        add_name(command, options);
        command->add_option("uri", options->uris, "sip:, sips: or tel:")->required()->type_name("URI");
    }
}

} // namespace

void add_user_commands(CLI::App& root, Session& session) {
    auto* user =
        Session::group(root, "user", "Users: who can be called, by which URIs, under which profile.");
    auto options = std::make_shared<UserOptions>();

    auto* add =
        session.command(*user, "add", "Add a user.\nWithout a profile, all calls to the user are let in.",
                        "  stemctl user add alice --uri sip:alice@example.org --profile office",
                        [&session, options] { return run_add(session, *options); });
    add_name(add, options);
    add->add_option("--uri", options->uris, "By which the user is called; may be repeated")->type_name("URI");
    add->add_option("--profile", options->profile, "How calls are treated")->type_name("PROFILE");
    add->add_option("--display-name", options->display_name, "For people")->type_name("TEXT");
    add_max_calls(add, options);

    auto* del = session.command(
        *user, "del", "Remove a user with all locations and the user's spam list.",
        "  stemctl user del alice", [&session, options] {
            return ask_and_print(session, "DELETE", path_of(*options), nullptr,
                                 [&](const json::value&) { return "user " + options->name + " removed\n"; });
        });
    add_name(del, options);

    session.command(*user, "list", "List users.", "  stemctl user list",
                    [&session] { return ask_and_print(session, "GET", users_path, nullptr, show_users); });
    auto* show = session.command(
        *user, "show", "Show a user with URIs, profile and locations.", "  stemctl user show alice",
        [&session, options] { return ask_and_print(session, "GET", path_of(*options), nullptr, show_user); });
    add_name(show, options);

    auto* set =
        session.command(*user, "set", "Change a user's profile or name, from the next call on.",
                        "  stemctl user set alice --profile holidays\n  stemctl user set alice --no-profile",
                        [&session, options] { return run_set(session, *options); });
    add_name(set, options);
    auto* profile =
        set->add_option("--profile", options->profile, "How calls are treated")->type_name("PROFILE");
    set->add_flag("--no-profile", options->no_profile, "All calls are let in")->excludes(profile);
    set->add_option("--display-name", options->display_name, "For people")->type_name("TEXT");
    add_max_calls(set, options);

    add_user_uri_commands(*user, session, options);
    add_user_password_command(*user, session);
    add_user_import_command(*user, session);
}

void add_location_commands(CLI::App& root, Session& session) {
    auto* location = Session::group(root, "location",
                                    "Locations: where users' phones are; media of a call are bound to them.");
    auto options = std::make_shared<UserOptions>();

    auto* list = session.command(*location, "list", "List the locations of a user, learned and set.",
                                 "  stemctl location list alice", [&session, options] {
                                     return ask_and_print(session, "GET", path_of(*options, "/locations"),
                                                          nullptr, locations_of);
                                 });
    add_name(list, options);

    auto* set = session.command(
        *location, "set",
        "Say where a user's phone is, for phones whose REGISTER does not pass here.\n"
        "The same contact again replaces its address.",
        "  stemctl location set alice 192.0.2.50\n  stemctl location set alice 2001:db8::50 --for 8h",
        [&session, options] { return run_locate(session, *options); });
    add_name(set, options);
    set->add_option("address", options->address, "IPv4 or IPv6")->required()->type_name("ADDRESS");
    set->add_option("--contact", options->contact, "Contact URI [sip:ADDRESS]")->type_name("URI");
    set->add_option("--q", options->q, "How much it is preferred to the user's others: 0 to 1 [1]")
        ->type_name("Q")
        ->check([](const std::string& text) {
            return QValue::parse(text)
                       ? std::string()
                       : fmt::format("'{}' is not a number of 0 to 1 with at most three digits "
                                     "after the point, as 0.7",
                                     text);
        });
    set->add_option("--for", options->lifetime, "How long: 90s, 10m, 2h, 7d [for ever]")->type_name("TIME");

    auto* del = session.command(
        *location, "del", "Forget a user's locations: one contact, or all.",
        "  stemctl location del alice --contact sip:192.0.2.50\n  stemctl location del alice",
        [&session, options] {
            return ask_and_print(
                session, "DELETE",
                path_of(*options, "/locations") + query_of({{"contact", options->contact}}), nullptr,
                [](const json::value& answer) { return member(answer, "removed") + " removed\n"; });
        });
    add_name(del, options);
    del->add_option("--contact", options->contact, "Only this contact URI")->type_name("URI");
    add_location_import_command(*location, session);
}

} // namespace stem::stemctl
