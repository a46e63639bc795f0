// SPDX-License-Identifier: Apache-2.0
#include "lab/kamailio.h"

#include "lab/enclosure.h"
#include "lab/netns.h"
#include "lab/sip_agent.h"
#include "lab/text_file.h"

#include <fmt/format.h>

#include <filesystem>

namespace stem::lab {

using namespace std::chrono_literals;

namespace {

constexpr std::string_view modules = R"(
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "sanity.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "htable.so"
modparam("tm", "fr_timer", 5000)
modparam("tm", "fr_inv_timer", 60000)
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "use_domain", 1)
modparam("htable", "htable", "contacts=>size=8;")
)";

constexpr std::string_view routes = R"(
request_route {
    if (!mf_process_maxfwd_header("10")) {
        sl_send_reply("483", "Too Many Hops");
        exit;
    }
    if (!sanity_check("1511", "7")) {
        exit;
    }
    if (is_method("OPTIONS") && uri == myself && $rU == $null) {
        sl_send_reply("200", "OK");
        exit;
    }
    if (is_method("CANCEL")) {
        if (t_check_trans()) {
            t_relay();
        }
        exit;
    }
    if (!is_method("ACK") && t_check_trans()) {
        exit;
    }
    if (has_totag()) {
        if (loose_route() || (is_method("ACK") && t_check_trans())) {
            if (!t_relay()) {
                sl_reply_error();
            }
        } else if (!is_method("ACK")) {
            sl_send_reply("404", "Not Here");
        }
        exit;
    }
    if (is_method("REGISTER")) {
        save("location");
        exit;
    }
    if (is_method("INVITE|SUBSCRIBE")) {
        record_route();
    }
    if (uri == myself) {
        if (af == INET) {
            $var(family) = "v4";
        } else {
            $var(family) = "v6";
        }
        if ($sht(contacts=>$rU@$var(family)) != $null) {
            $ru = $sht(contacts=>$rU@$var(family));
        } else if (!lookup("location")) {
            sl_send_reply("404", "Not Found");
            exit;
        }
    }
    if (!t_relay()) {
        sl_reply_error();
    }
}
)";

std::string configuration(const KamailioOptions& options) {
    std::string text = "#!KAMAILIO\ndebug=1\nlog_stderror=yes\nauto_aliases=no\ndns=off\nrev_dns=off\n"
                       "server_header=\"Server: Kamailio\"\n";
    text += options.tcp ? "tcp_children=1\ntcp_connection_lifetime=3600\n" : "disable_tcp=yes\n";
    for (const auto& address : options.addresses) {
        text +=
            fmt::format("listen=udp:{}\n", Endpoint{.address = address, .port = options.port}.to_string());
        if (options.tcp) {
            text += fmt::format("listen=tcp:{}\n",
                                Endpoint{.address = address, .port = options.port}.to_string());
        }
    }
    text += modules;
    text += "event_route[htable:mod-init] {\n";
    for (const auto& [user, contact] : options.contacts) {
        text +=
            fmt::format("    $sht(contacts=>{}@{}) = \"{}\";\n", user, contact.address.is_v4() ? "v4" : "v6",
                        sip_uri(user, contact.address, contact.port));
    }
    // An event route may not be empty.
    text += "    $sht(contacts=>nobody) = \"\";\n}\n";
    return text + std::string(routes);
}

bool answers(const SipAgent& agent, const Endpoint& proxy) {
    const auto options = agent.request("OPTIONS", "probe", "sip:" + proxy.to_string());
    return agent.send(proxy, options.text()) && agent.receive_final("OPTIONS", 100ms).has_value();
}

} // namespace

Result<Kamailio> Kamailio::start(const Netns& netns, const KamailioOptions& options) {
    const auto directory = scratch() / ("kamailio-" + unique_token());
    std::error_code error;
    std::filesystem::create_directory(directory, error);
    const auto file = directory / "kamailio.cfg";
    if (auto written = write_text(file, configuration(options)); !written) {
        return std::unexpected(written.error());
    }
    auto process = Process::start({.name = "kamailio",
                                   .argv = {"kamailio", "-DD", "-E", "-n", std::to_string(options.children),
                                            "-m", "256", "-M", "8", "-Y", directory, "-f", file},
                                   .netns = &netns,
                                   .directory = directory});
    if (!process) {
        return std::unexpected(process.error());
    }
    for (const auto& address : options.addresses) {
        const Endpoint proxy{.address = address, .port = options.port};
        const auto agent = SipAgent::create(netns, {.address = address, .port = 0});
        if (!agent) {
            return std::unexpected(agent.error());
        }
        const auto answered_or_dead = [&] { return !process->running() || answers(*agent, proxy); };
        if (!eventually(answered_or_dead, 10s) || !process->running()) {
            return fail("start kamailio in " + netns.name(),
                        fmt::format("no answer to OPTIONS at {}; it wrote: {}", proxy.to_string(),
                                    process->last_words()));
        }
    }
    return Kamailio(std::move(*process));
}

} // namespace stem::lab
