// SPDX-License-Identifier: Apache-2.0
// backup, restore: all that a Security Manager knows, in a file.
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/stemd_client.h"
#include "sm/pki/file.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace stem::stemctl {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

// A request's body has a mebibyte; escaped, a part can be twice as long and more.
constexpr std::size_t part_length = 256U * 1024U;
// With very many users the database takes its time.
constexpr auto patience = 150s;

struct BackupOptions {
    std::string file;
    bool replace = false;
};
using Options = std::shared_ptr<BackupOptions>;

int run_backup(const Session& session, const BackupOptions& options) {
    const auto answer = ask_stemd(session, "GET", "/v1/backup", nullptr, patience);
    if (!answer) {
        return session.failed(answer.error());
    }
    const std::string document = member(*answer, "backup");
    if (auto written = pki::write_file(options.file, document, pki::secret_mode); !written) {
        return session.failed(written.error());
    }
    const auto lines = std::ranges::count(document, '\n');
    const auto rows = lines - 2; // without the first and the last
    if (session.json) {
        Session::print(json::value(
            json::object{{"backup", {{"file", options.file}, {"rows", rows}, {"octets", document.size()}}}}));
    } else {
        Session::print(fmt::format("{}: {} rows, {} octets\n", options.file, rows, document.size()));
    }
    return exit_done;
}

// The next part, whole lines where that is possible: what is cut within a character is no JSON string.
std::string_view next_part(std::string_view rest) {
    if (rest.size() <= part_length) {
        return rest;
    }
    const auto end = rest.rfind('\n', part_length);
    return rest.substr(0, end == std::string_view::npos ? rest.find('\n') : end + 1);
}

Result<json::value> upload(const Session& session, std::string_view document, bool replace) {
    const auto begun = ask_stemd(session, "POST", "/v1/restore");
    if (!begun) {
        return begun;
    }
    const std::string place = "/v1/restore/" + member(*begun, "restore");
    while (!document.empty()) {
        const auto part = next_part(document);
        if (auto taken = ask_stemd(session, "POST", place, json::object{{"text", part}}); !taken) {
            return taken;
        }
        document.remove_prefix(std::min(part.size(), document.size()));
    }
    return ask_stemd(session, "PUT", place, json::object{{"replace", replace}}, patience);
}

std::string show_restored(const json::value& answer) {
    std::string text = "restored:\n";
    for (const auto& [table, rows] : answer.at("restored").as_object()) {
        text += fmt::format("  {} {}\n", std::string_view(table), json::serialize(rows));
    }
    return text;
}

int run_restore(const Session& session, const BackupOptions& options) {
    const auto document = pki::read_file(options.file);
    if (!document) {
        return session.failed(document.error());
    }
    const auto answer = upload(session, *document, options.replace);
    if (!answer) {
        return session.failed(answer.error());
    }
    if (session.json) {
        Session::print(*answer);
    } else {
        Session::print(show_restored(*answer));
    }
    return exit_done;
}

} // namespace

void add_backup_commands(CLI::App& root, Session& session) {
    auto options = std::make_shared<BackupOptions>();
    auto* backup = session.command(
        root, "backup",
        "Write all that the Security Manager knows to a file, while it runs.\n"
        "With the hashes of passwords: the file gets mode 0600. Certificates and audit trail are not in it.",
        "  stemctl backup /var/backups/stem-2026-11-28.jsonl\n  stemctl --sm "
        "https://sm1:7443 backup sm1.jsonl",
        [&session, options] { return run_backup(session, *options); });
    backup->add_option("file", options->file, "Where to")->required()->type_name("FILE");

    auto* restore =
        session.command(root, "restore",
                        "Take in a backup, all of it or nothing.\n"
                        "Whatever the database of the Security Manager that made it: SQLite or PostgreSQL.",
                        "  stemctl restore sm1.jsonl\n  stemctl restore sm1.jsonl --replace",
                        [&session, options] { return run_restore(session, *options); });
    restore->add_option("file", options->file, "What stemctl backup has written")
        ->required()
        ->type_name("FILE");
    restore->add_flag("--replace", options->replace,
                      "In place of what is there; without it only where nothing is");
}

} // namespace stem::stemctl
