// SPDX-License-Identifier: Apache-2.0
// user password, admin: what users and administrators prove themselves by; and announce.
#include "ctl/stemctl/password_commands.h"
#include "ctl/stemctl/password_input.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"

#include <fmt/format.h>

#include <memory>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

struct PasswordOptions {
    std::string name;
    std::string username;
    std::string realm;
    std::vector<std::string> algorithms;
    bool from_stdin = false;
    bool elsewhere = false;
    bool remove = false;
    bool list = false;
};
using Options = std::shared_ptr<PasswordOptions>;

std::string show_credentials(const json::value& answer) {
    Table table({{"NAME"}, {"REALM"}, {"ALGORITHMS"}});
    for (const auto& each : members(answer, "credentials")) {
        std::string algorithms;
        for (const auto& algorithm : members(each, "algorithms")) {
            algorithms += (algorithms.empty() ? "" : ", ") + std::string(algorithm.as_string());
        }
        table.row({member(each, "username"), member(each, "realm"), algorithms});
    }
    return table.empty() ? "no password is set\n" : table.to_string();
}

int run_user_password(const Session& session, const PasswordOptions& options) {
    const std::string path = fmt::format("/v1/users/{}/credentials", escaped(options.name));
    if (options.list) {
        return ask_and_print(session, "GET", path, nullptr, show_credentials);
    }
    if (options.remove) {
        return ask_and_print(
            session, "DELETE", path + query_of({{"username", options.username}, {"realm", options.realm}}),
            nullptr, [&](const json::value&) { return "password of user " + options.name + " removed\n"; });
    }
    auto password = read_password("user " + options.name, options.from_stdin);
    if (!password) {
        return session.failed(password.error());
    }
    json::object body{{"password", std::move(*password)}};
    if (!options.username.empty()) {
        body["username"] = options.username;
    }
    if (!options.realm.empty()) {
        body["realm"] = options.realm;
    }
    if (!options.algorithms.empty()) {
        body["algorithms"] = json::array(options.algorithms.begin(), options.algorithms.end());
    }
    return ask_and_print(session, "PUT", path, body, show_credentials);
}

int run_admin_password(const Session& session, const PasswordOptions& options) {
    if (options.elsewhere) {
        return ask_and_print(session, "PUT", "/v1/administrators/" + escaped(options.name),
                             json::object{{"elsewhere", true}}, [&](const json::value&) {
                                 return "administrator " + options.name +
                                        ": the password is kept elsewhere\n";
                             });
    }
    auto password = read_password("administrator " + options.name, options.from_stdin);
    if (!password) {
        return session.failed(password.error());
    }
    return ask_and_print(session, "PUT", "/v1/administrators/" + escaped(options.name),
                         json::object{{"password", std::move(*password)}}, [&](const json::value&) {
                             return "password of administrator " + options.name + " set\n";
                         });
}

std::string show_administrators(const json::value& answer) {
    std::string text;
    for (const auto& name : members(answer, "administrators")) {
        text += std::string(name.as_string()) + "\n";
    }
    return text.empty() ? "no administrator has a password\n" : text;
}

struct AnnouncementOptions {
    std::string user;
    std::string to;
    std::string source;
    std::string lifetime;
};

int run_announce(const Session& session, const AnnouncementOptions& options) {
    json::object body{{"to", options.to}};
    if (!options.user.empty()) {
        body["user"] = options.user;
    }
    if (!options.source.empty()) {
        body["source"] = options.source;
    }
    if (!options.lifetime.empty()) {
        const auto lifetime = parse_duration(options.lifetime);
        if (!lifetime) {
            return session.failed(lifetime.error());
        }
        body["lifetime"] = std::chrono::duration_cast<std::chrono::seconds>(*lifetime).count();
    }
    return ask_and_print(session, "POST", "/v1/announcements", body, [](const json::value& made) {
        return fmt::format("user {} may call {} once from {} until {}\n", member(made, "user"),
                           member(made, "to"), member(made, "source"), member(made, "expires_at"));
    });
}

} // namespace

void add_user_password_command(CLI::App& user, Session& session) {
    auto options = std::make_shared<PasswordOptions>();
    auto* password = session.command(
        user, "password",
        "Set the password by which a user's phone proves who calls.\n"
        "It is read from the terminal, or with --stdin from the standard input; only hashes of it are kept.",
        "  stemctl user password alice\n"
        "  stemctl user password alice --stdin < password.txt\n"
        "  stemctl user password alice --list",
        [&session, options] { return run_user_password(session, *options); });
    password->add_option("name", options->name, "The user")->required()->type_name("USER");
    password->add_option("--username", options->username, "As the phone names itself [the user's name]")
        ->type_name("NAME");
    password->add_option("--realm", options->realm, "Where it holds [the Security Manager's]")
        ->type_name("REALM");
    password
        ->add_option("--algorithm", options->algorithms,
                     "Hashes that are kept, and so what the phone is challenged with; may be repeated. "
                     "MD5 alone is for phones that fail at a challenge for SHA-256 [both]")
        ->type_name("SHA-256|MD5")
        ->check(CLI::IsMember({"SHA-256", "MD5"}));
    auto* from_stdin =
        password->add_flag("--stdin", options->from_stdin, "Read it from the standard input: one line");
    auto* remove = password->add_flag("--remove", options->remove, "Remove it")->excludes(from_stdin);
    password->add_flag("--list", options->list, "List for which names and realms there is one")
        ->excludes(from_stdin)
        ->excludes(remove);
}

void add_admin_commands(CLI::App& root, Session& session) {
    auto* admin = Session::group(root, "admin",
                                 "Administrators who come with a password where they have no certificate.");
    auto options = std::make_shared<PasswordOptions>();
    auto* password = session.command(*admin, "password",
                                     "Set an administrator's password. It is kept as argon2id.\n"
                                     "stem-smd lets them in if [server] passwords says so.",
                                     "  stemctl admin password ann",
                                     [&session, options] { return run_admin_password(session, *options); });
    auto* from_stdin =
        password->add_flag("--stdin", options->from_stdin, "Read it from the standard input: one line");
    password
        ->add_flag("--elsewhere", options->elsewhere,
                   "An LDAP or RADIUS server knows it ([auth] backends): none is set here")
        ->excludes(from_stdin);
    auto* del = session.command(
        *admin, "del", "Remove an administrator's password.", "  stemctl admin del ann", [&session, options] {
            return ask_and_print(session, "DELETE", "/v1/administrators/" + escaped(options->name), nullptr,
                                 [&](const json::value&) {
                                     return "password of administrator " + options->name + " removed\n";
                                 });
        });
    for (CLI::App* command : {password, del}) {
        command->add_option("name", options->name, "The administrator")->required()->type_name("NAME");
    }
    session.command(
        *admin, "list", "List administrators with a password.", "  stemctl admin list", [&session] {
            return ask_and_print(session, "GET", "/v1/administrators", nullptr, show_administrators);
        });
}

void add_announce_command(CLI::App& root, Session& session) {
    auto options = std::make_shared<AnnouncementOptions>();
    auto* announce = session.command(
        root, "announce",
        "Announce a call from inside: it may go out once, without a challenge.\n"
        "With a terminal's certificate (--sm-cert) the user is the one whose name it bears.",
        "  stemctl announce sip:bob@example.com --user alice --source 192.0.2.50\n"
        "  stemctl announce sip:bob@example.com --sm https://sm1.example.org:7443 --sm-cert alice.crt …",
        [&session, options] { return run_announce(session, *options); });
    announce->add_option("to", options->to, "Who will be called")->required()->type_name("URI");
    announce->add_option("--user", options->user, "Who calls [a terminal's own]")->type_name("USER");
    announce->add_option("--source", options->source, "The phone's address [a terminal's own]")
        ->type_name("ADDRESS");
    announce->add_option("--for", options->lifetime, "How long it holds [30s]")->type_name("TIME");
}

} // namespace stem::stemctl
