// SPDX-License-Identifier: Apache-2.0
// spam: callers whose calls are dropped without an answer.
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/deny_option.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"
#include "sm/pki/file.h"

#include <fmt/format.h>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

constexpr const char* spam_path = "/v1/spam";

struct SpamOptions {
    std::string caller;
    std::string user;
    std::string note;
    std::string deny; // how long; empty: not
    std::string file;
};

std::string show_spam(const json::value& answer) {
    Table table({{"CALLER"}, {"USER"}, {"DENY"}, {"NOTE"}});
    for (const auto& entry : members(answer, "spam")) {
        const std::string user = member(entry, "user");
        const std::string deny = member(entry, "deny_seconds");
        table.row({member(entry, "caller"), user.empty() ? "all" : user,
                   deny.empty() || deny == "0" ? "-" : deny + " s", member(entry, "note")});
    }
    return table.empty() ? "no spam callers\n" : table.to_string();
}

int run_import(const Session& session, const SpamOptions& options) {
    auto text = pki::read_file(options.file);
    if (!text) {
        return session.failed(text.error());
    }
    json::object body{{"file", options.file}, {"text", std::move(*text)}};
    if (!options.user.empty()) {
        body["user"] = options.user;
    }
    if (!options.deny.empty()) {
        const auto seconds = deny_seconds(options.deny);
        if (!seconds) {
            (void)session.failed(seconds.error());
            return exit_usage;
        }
        body["deny_seconds"] = *seconds;
    }
    return ask_and_print(session, "POST", std::string(spam_path) + "/import", body,
                         [&](const json::value& answer) {
                             return fmt::format("{} callers are on the spam list; {} were there before\n",
                                                member(answer, "added"), member(answer, "present"));
                         });
}

} // namespace

void add_spam_commands(CLI::App& root, Session& session) {
    auto* spam =
        Session::group(root, "spam", "Spam lists: callers whose calls are dropped without an answer.");
    auto options = std::make_shared<SpamOptions>();
    const auto add_caller = [&](CLI::App* command) {
        command
            ->add_option("caller", options->caller,
                         "anonymous, sip:bob@example.org, *@example.org, +49301234, +49*, regex:EXPRESSION")
            ->required()
            ->type_name("PATTERN");
        command->add_option("--user", options->user, "Only for calls to this user [all]")->type_name("USER");
    };

    auto* add =
        session.command(*spam, "add", "Drop the calls of a caller, to one user or to all.",
                        "  stemctl spam add '*@spam.example' --note \"sells watches\"\n"
                        "  stemctl spam add anonymous --user alice\n"
                        "  stemctl spam add '*@fraud.example' --deny 1h",
                        [&session, options] {
                            json::object entry{{"caller", options->caller}, {"note", options->note}};
                            if (!options->user.empty()) {
                                entry["user"] = options->user;
                            }
                            if (!options->deny.empty()) {
                                const auto seconds = deny_seconds(options->deny);
                                if (!seconds) {
                                    session.failed(seconds.error());
                                    return int{exit_usage};
                                }
                                entry["deny_seconds"] = *seconds;
                            }
                            return ask_and_print(session, "POST", spam_path, entry, [&](const json::value&) {
                                return options->caller + " is on the spam list\n";
                            });
                        });
    add_caller(add);
    add->add_option("--note", options->note, "Why, for those who read the list")->type_name("TEXT");
    add->add_option("--deny", options->deny, deny_help)->type_name("TIME");

    auto* import =
        session.command(*spam, "import",
                        "Put the callers of a file on a spam list: all, or with an error none.\n"
                        "A pattern on each line, and a note behind a comma; # begins a comment. CSV will do.",
                        "  stemctl spam import /var/lib/lists/robocalls.csv --deny 1h",
                        [&session, options] { return run_import(session, *options); });
    import->add_option("file", options->file, "The list, up to 16 MiB")->required()->type_name("FILE");
    import->add_option("--user", options->user, "Only for calls to this user [all]")->type_name("USER");
    import->add_option("--deny", options->deny, deny_help)->type_name("TIME");

    auto* del = session.command(
        *spam, "del", "Take a caller off a spam list.", "  stemctl spam del '*@spam.example'",
        [&session, options] {
            return ask_and_print(
                session, "DELETE",
                spam_path + query_of({{"caller", options->caller}, {"user", options->user}}), nullptr,
                [&](const json::value&) { return options->caller + " is off the spam list\n"; });
        });
    add_caller(del);

    auto* list = session.command(
        *spam, "list", "List spam callers.", "  stemctl spam list --user alice", [&session, options] {
            return ask_and_print(session, "GET", spam_path + query_of({{"user", options->user}}), nullptr,
                                 show_spam);
        });
    list->add_option("--user", options->user, "Only this user's list")->type_name("USER");
}

} // namespace stem::stemctl
