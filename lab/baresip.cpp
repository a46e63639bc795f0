// SPDX-License-Identifier: Apache-2.0
#include "lab/baresip.h"

#include "lab/audio.h"
#include "lab/enclosure.h"
#include "lab/netns.h"
#include "lab/sip_agent.h"
#include "lab/sip_text.h"
#include "lab/text_file.h"

#include <fmt/format.h>

#include <atomic>
#include <csignal>

namespace stem::lab {

using namespace std::chrono_literals;

namespace {

// One recording for all phones of a run.
Result<std::filesystem::path> voice_file() {
    auto path = scratch() / "voice.wav";
    if (!std::filesystem::exists(path)) {
        if (auto written = write_wav(path, speech_like(120s)); !written) {
            return std::unexpected(written.error());
        }
    }
    return path;
}

std::string configuration(const BaresipOptions& options, std::uint16_t control_port,
                          const std::filesystem::path& voice, const std::filesystem::path& directory) {
    std::string text = "module_path /usr/lib/baresip/modules\n"; // as Debian's baresip-core has it
    for (const char* module : {"g711", "aufile", "aubridge", "sndfile"}) {
        text += fmt::format("module {}.so\n", module);
    }
    if (!options.encryption.empty()) {
        text += fmt::format("module {}.so\n", options.encryption == "dtls_srtp" ? "dtls_srtp" : "srtp");
    }
    if (options.ice) {
        text += "module ice.so\n";
    }
    text += "module_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n";
    text += fmt::format("sip_listen {}\n", Endpoint{.address = options.local, .port = 5060}.to_string());
    text += fmt::format("net_interface {}\n", options.local.to_string());
    text += fmt::format("audio_source aufile,{}\naudio_player aubridge,ear\naudio_alert aubridge,bell\n",
                        voice.string());
    text +=
        fmt::format("ausrc_srate {0}\nauplay_srate {0}\nausrc_channels 1\nauplay_channels 1\n", audio_rate);
    text += fmt::format("rtp_ports {}-{}\n", options.first_rtp_port, options.first_rtp_port + 100);
    text += "statmode_default off\n";
    text += fmt::format("ctrl_tcp_listen 127.0.0.1:{}\n", control_port);
    text += fmt::format("snd_path {}\n", directory.string());
    return text;
}

std::string account(const BaresipOptions& options) {
    const std::string media = (options.encryption.empty() ? "" : ";mediaenc=" + options.encryption) +
                              (options.ice ? ";medianat=ice" : "");
    return fmt::format("<{0};transport={1}>;auth_user={7};auth_pass={8};regint={2};answermode={3};audio_"
                       "codecs={4};ptime=20{6};"
                       "outbound=\"sip:{5};transport={1}\"\n",
                       sip_uri(options.user, options.proxy.address), options.transport,
                       options.registers ? 600 : 0, options.answers ? "auto" : "manual", options.codec,
                       options.proxy.to_string(), media, options.user, options.password);
}

} // namespace

Result<Baresip> Baresip::start(const Netns& netns, const BaresipOptions& options) {
    static std::atomic<std::uint16_t> control_port = 4400;
    const std::uint16_t port = ++control_port;
    const auto voice = voice_file();
    if (!voice) {
        return std::unexpected(voice.error());
    }
    const auto directory = scratch() / fmt::format("baresip-{}-{}", options.user, unique_token());
    std::error_code ignored; // the next line tells
    std::filesystem::create_directory(directory, ignored);
    auto written = write_text(directory / "config", configuration(options, port, *voice, directory));
    if (written) {
        written = write_text(directory / "accounts", account(options));
    }
    if (written) {
        written = write_text(directory / "contacts", "");
    }
    if (!written) {
        return std::unexpected(written.error());
    }
    auto process = Process::start({.name = "baresip-" + options.user,
                                   .argv = {"baresip", "-f", directory},
                                   .netns = &netns,
                                   .directory = directory});
    if (!process) {
        return std::unexpected(process.error());
    }
    auto control = BaresipControl::connect(netns, port);
    const auto connected = [&] {
        if (!control && process->running()) {
            control = BaresipControl::connect(netns, port);
        }
        return control.has_value() || !process->running();
    };
    if (!eventually(connected, 10s) || !control) {
        return fail("start baresip of " + options.user, process->last_words());
    }
    Baresip phone(std::move(*process), std::move(*control), sip_uri(options.user, options.proxy.address),
                  directory);
    if (options.registers) {
        // The answer may have come before we were connected: then only the log has it.
        const auto registered = [&] { return phone.process_.output().contains("200 OK"); };
        if (!eventually(registered, 10s)) {
            return fail("register " + phone.uri_, phone.process_.last_words());
        }
    }
    return phone;
}

Result<> Baresip::dial(const std::string& uri) {
    auto done = control_.command("dial", uri);
    return done ? Result<>() : std::unexpected(done.error());
}

Result<> Baresip::hang_up() {
    auto done = control_.command("hangup");
    return done ? Result<>() : std::unexpected(done.error());
}

Result<BaresipEvent> Baresip::wait_for(const std::string& type, std::chrono::milliseconds timeout) {
    const auto arrived = [&] {
        const auto& events = control_.events();
        while (waited_ < events.size()) {
            if (events[waited_++].type == type) {
                return true;
            }
        }
        return false;
    };
    if (!eventually(arrived, timeout)) {
        std::string seen;
        for (const auto& event : control_.events()) {
            seen += event.type + " ";
        }
        return fail(fmt::format("wait for {} of {}", type, uri_),
                    fmt::format("seen only: {}; it wrote: {}", seen, process_.last_words()));
    }
    return control_.events()[waited_ - 1];
}

Result<std::vector<std::int16_t>> Baresip::heard() const {
    std::vector<std::int16_t> samples;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
        const std::string name = entry.path().filename();
        if (name.ends_with("-dec.wav")) {
            auto part = read_wav(entry.path());
            if (!part) {
                return part;
            }
            samples.insert(samples.end(), part->begin(), part->end());
        }
    }
    return samples;
}

} // namespace stem::lab
