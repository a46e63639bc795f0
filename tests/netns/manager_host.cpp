// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/manager_host.h"

#include "lab/enclosure.h"
#include "lab/text_file.h"

#include <fmt/format.h>

namespace stem::lab {

using namespace std::chrono_literals;

Result<ManagerHost> ManagerHost::create(Programs programs, const Netns& netns) {
    ManagerHost host(std::move(programs), netns, scratch() / "managers");
    std::filesystem::remove_all(host.folder_);
    std::filesystem::create_directories(host.folder_);
    for (const auto& arguments :
         std::vector<std::vector<std::string>>{{"init"},
                                               {"issue", "server", "sm1", "--host", "localhost"},
                                               {"issue", "server", "sm2"},
                                               {"issue", "firewall", "fw1"},
                                               {"issue", "admin", "ann"},
                                               {"issue", "terminal", "tom"},
                                               {"issue", "gateway", "gwen"}}) {
        if (auto done = host.pki(arguments); !done) {
            return std::unexpected(done.error());
        }
    }
    return host;
}

Result<> ManagerHost::start(unsigned number, const std::string& more, const std::string& listening) {
    stop(number);
    const auto config = folder_ / fmt::format("smd{}.toml", number);
    const auto server = fmt::format("server-sm{}", number);
    std::string more_places;
    for (const auto& address : addresses_) {
        const std::string host = address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
        more_places += fmt::format(", \"{}:{}\"", host, port(number));
    }
    const auto database =
        shared_database_.empty() ? (folder_ / fmt::format("smd{}.db", number)).string() : shared_database_;
    // Beside a database that is a file the trail has a place of its own.
    const auto trail = shared_database_.empty()
                           ? std::string()
                           : fmt::format("[audit]\nfile = \"{}\"\n",
                                         (folder_ / fmt::format("smd{}.audit.jsonl", number)).string());
    const auto text =
        fmt::format("[server]\nlisten = [\"127.0.0.1:{0}\", \"[::1]:{0}\"{7}]\n{8}"
                    "[tls]\ncertificate = \"{1}\"\nkey = \"{2}\"\nca = \"{3}\"\ncrl = \"{4}\"\n{9}"
                    "[sm]\ndatabase = \"{5}\"\n{6}",
                    port(number), issued(server + ".crt").string(), issued(server + ".key").string(),
                    ca().string(), crl().string(), database, more, more_places, listening, trail);
    if (auto written = write_text(config, text); !written) {
        return written;
    }
    auto process = Process::start({.name = fmt::format("stem-smd-{}", number),
                                   .argv = {programs_.stem_smd, "--config", config, "--log-level", "debug"},
                                   .netns = netns_});
    if (!process) {
        return std::unexpected(process.error());
    }
    auto& running = processes_.insert_or_assign(number, std::move(*process)).first->second;
    const bool ready = eventually(
        [&] { return !running.running() || running.errors().find(" ready: ") != std::string::npos; }, 20s);
    return ready && running.running() ? Result<>() : fail("start stem-smd", running.last_words());
}

Result<std::string> ManagerHost::pki(std::vector<std::string> arguments) const {
    std::vector<std::string> argv = {programs_.stemctl, "pki", "--dir", folder_ / "pki"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run_command({.name = "stemctl-pki", .argv = std::move(argv), .netns = netns_});
}

std::vector<std::pair<std::string, std::string>> ManagerHost::environment(unsigned number) const {
    return {{"STEM_SM", fmt::format("https://127.0.0.1:{}", port(number))},
            {"STEM_SM_CERT", issued("admin-ann.crt")},
            {"STEM_SM_KEY", issued("admin-ann.key")},
            {"STEM_SM_CA", ca()}};
}

Result<std::string> ManagerHost::stemctl(unsigned number, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), programs_.stemctl);
    return run_command({.name = "stemctl",
                        .argv = std::move(arguments),
                        .netns = netns_,
                        .environment = environment(number)});
}

std::string ManagerHost::stemd_config(const std::vector<unsigned>& numbers, bool v6) const {
    std::string servers;
    for (const unsigned number : numbers) {
        servers +=
            fmt::format("{}\"{}:{}\"", servers.empty() ? "" : ", ", v6 ? "[::1]" : "127.0.0.1", port(number));
    }
    return fmt::format(
        "[sm]\nmode = \"remote\"\nservers = [{}]\ncertificate = \"{}\"\nkey = \"{}\"\nca = \"{}\"\n"
        "crl = \"{}\"\ncache = \"{}\"\n",
        servers, issued("firewall-fw1.crt").string(), issued("firewall-fw1.key").string(), ca().string(),
        crl().string(), (folder_ / "fw1.snapshot").string());
}

std::string ManagerHost::metrics(unsigned number) const {
    return run_command(
               {.name = "curl",
                .argv = {"curl", "-s", "-k", "--max-time", "5", "--cert", issued("admin-ann.crt"), "--key",
                         issued("admin-ann.key"), fmt::format("https://127.0.0.1:{}/metrics", port(number))},
                .netns = netns_})
        .value_or("");
}

} // namespace stem::lab
