// SPDX-License-Identifier: Apache-2.0
#include "lab/twinkle.h"

#include "lab/audio.h"
#include "lab/enclosure.h"
#include "lab/fifo.h"
#include "lab/netns.h"
#include "lab/sip_agent.h"
#include "lab/sip_text.h"
#include "lab/text_file.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>

namespace stem::lab {

using namespace std::chrono_literals;

namespace {

constexpr const char* program = "/usr/bin/twinkle-console"; // as Debian's twinkle-console has it

// Without "truncate", each stream that is opened (at a call's start, and after a hold) has a file of its own.
std::string sound(const std::filesystem::path& directory) {
    return fmt::format("pcm.microphone {{\n    type file\n    slave.pcm null\n    file /dev/null\n"
                       "    infile {0}/voice\n    format raw\n}}\n"
                       "pcm.ear {{\n    type file\n    slave.pcm null\n    file {0}/heard.wav\n"
                       "    format wav\n    truncate false\n}}\n",
                       directory.string());
}

// Its keys are those that it writes itself when a user changes the settings.
std::string system_settings() {
    return "dev_ringtone=alsa:ear\ndev_speaker=alsa:ear\ndev_mic=alsa:microphone\nvalidate_audio_dev=no\n"
           "play_ringtone=no\nplay_ringback=no\nsip_port=5060\nrtp_port=8000\nlog_show_sip=yes\n";
}

// Without voice activity detection: it takes the pauses of our speech for silence, and sends nothing then.
std::string profile(const TwinkleOptions& options) {
    return fmt::format(
        "user_name={0}\nuser_domain={1}\nauth_name={0}\nregistrar={2}\nregister_at_startup=yes\n"
        "sip_transport={3}\nhold_variant={4}\ncodecs=g711a\nptime=20\n"
        "speex_dsp_vad=no\nspeex_dsp_agc=no\nspeex_dsp_aec=no\nspeex_dsp_nrd=no\n",
        options.user, options.proxy.address.to_string(), options.proxy.to_string(), options.transport,
        options.hold_variant);
}

} // namespace

bool Twinkle::installed() {
    return access(program, X_OK) == 0;
}

Result<Twinkle> Twinkle::start(const Netns& netns, const TwinkleOptions& options) {
    const auto directory = scratch() / fmt::format("twinkle-{}-{}", options.user, unique_token());
    const auto settings = directory / ".twinkle"; // where it looks in its HOME
    std::error_code ignored;                      // the next lines tell
    std::filesystem::create_directories(settings, ignored);
    auto written = write_text(directory / ".asoundrc", sound(directory));
    if (written) {
        written = write_text(settings / "twinkle.sys", system_settings());
    }
    if (written) {
        written = write_text(settings / "phone.cfg", profile(options));
    }
    if (!written) {
        return std::unexpected(written.error());
    }
    auto microphone = Microphone::at(directory / "voice");
    if (!microphone) {
        return std::unexpected(microphone.error());
    }
    auto commands = make_fifo(directory / "commands");
    if (!commands) {
        return std::unexpected(commands.error());
    }
    auto process = Process::start({.name = "twinkle-" + options.user,
                                   .argv = {"sh", "-c", R"(exec "$0" phone.cfg <commands)", program},
                                   .netns = &netns,
                                   .directory = directory,
                                   .environment = {{"HOME", directory}, {"LC_ALL", "C"}, {"TERM", "dumb"}}});
    if (!process) {
        return std::unexpected(process.error());
    }
    Twinkle phone(std::move(*microphone), std::move(*commands), std::move(*process),
                  sip_uri(options.user, options.proxy.address), directory);
    if (auto registered = phone.wait_for("registration succeeded", 10s); !registered) {
        return std::unexpected(registered.error());
    }
    return phone;
}

Result<> Twinkle::command(std::string_view line) const {
    const auto text = fmt::format("{}\n", line);
    if (write(commands_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return fail_errno(fmt::format("give twinkle the command {}", line));
    }
    return {};
}

Result<> Twinkle::wait_for(std::string_view text, std::chrono::milliseconds timeout) {
    const auto said = [&] {
        const auto at = process_.output().find(text, waited_);
        waited_ = at == std::string::npos ? waited_ : at + text.size();
        return at != std::string::npos;
    };
    if (!eventually(said, timeout)) {
        return fail(fmt::format("wait for \"{}\" of {}", text, uri_), process_.last_words());
    }
    return {};
}

Result<std::vector<std::int16_t>> Twinkle::heard() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
        if (entry.path().filename().string().starts_with("heard.wav")) {
            files.push_back(entry.path());
        }
    }
    std::ranges::sort(files); // they are numbered
    std::vector<std::int16_t> samples;
    for (const auto& file : files) {
        auto part = read_wav(file);
        if (!part) {
            return part;
        }
        samples.insert(samples.end(), part->begin(), part->end());
    }
    return samples;
}

} // namespace stem::lab
