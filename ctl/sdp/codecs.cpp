// SPDX-License-Identifier: Apache-2.0
#include "ctl/sdp/codecs.h"

#include "ctl/sdp/numbers.h"

#include <algorithm>
#include <array>

namespace stem::sdp {
namespace {

constexpr std::uint32_t ms = 1000;

// Octets are those of the largest rate that the codec has; `adjusted` lowers them where a=fmtp says less.
constexpr auto codecs = std::to_array<Codec>({
    // Samples (RFC 3551 4.5). G722's clock is 8000 by an old error, its samples come at 16000.
    {"PCMU", 0, 8000, 8, 1 * ms},
    {"PCMA", 8, 8000, 8, 1 * ms},
    {"G722", 9, 8000, 8, 1 * ms},
    {"L16", 11, 44100, 89, 1 * ms}, // one channel; two are counted when a=rtpmap says so
    {"L16", no_static_type, 8000, 16, 1 * ms},
    {"L16", no_static_type, 16000, 32, 1 * ms},
    {"L16", no_static_type, 48000, 96, 1 * ms},
    {"DVI4", 5, 8000, 4, 1 * ms, 4},
    {"DVI4", 6, 16000, 8, 1 * ms, 4},
    {"DVI4", 16, 11025, 6, 1 * ms, 4},
    {"DVI4", 17, 22050, 12, 1 * ms, 4},
    {"G726-16", no_static_type, 8000, 2, 1 * ms},
    {"G726-24", no_static_type, 8000, 3, 1 * ms},
    {"G726-32", 2, 8000, 4, 1 * ms},
    {"G726-40", no_static_type, 8000, 5, 1 * ms},
    {"AAL2-G726-16", no_static_type, 8000, 2, 1 * ms},
    {"AAL2-G726-24", no_static_type, 8000, 3, 1 * ms},
    {"AAL2-G726-32", no_static_type, 8000, 4, 1 * ms},
    {"AAL2-G726-40", no_static_type, 8000, 5, 1 * ms},
    // Frames
    {"GSM", 3, 8000, 33, 20 * ms},
    {"GSM-EFR", no_static_type, 8000, 31, 20 * ms},
    {"GSM-HR-08", no_static_type, 8000, 15, 20 * ms},
    {"G723", 4, 8000, 24, 30 * ms},
    {"LPC", 7, 8000, 7, 20 * ms},
    {"QCELP", 12, 8000, 35, 20 * ms},
    {"G728", 15, 8000, 5, 2500},
    {"G729", 18, 8000, 10, 10 * ms},
    {"G729D", no_static_type, 8000, 8, 10 * ms},
    {"G729E", no_static_type, 8000, 15, 10 * ms},
    {"G7221", no_static_type, 16000, 80, 20 * ms},
    {"G7221", no_static_type, 32000, 120, 20 * ms},
    {"ILBC", no_static_type, 8000, 38, 20 * ms},
    {"AMR", no_static_type, 8000, 32, 20 * ms, 1},
    {"AMR-WB", no_static_type, 16000, 61, 20 * ms, 1},
    {"EVS", no_static_type, 16000, 321, 20 * ms, 1},
    {"SPEEX", no_static_type, 8000, 62, 20 * ms},
    {"SPEEX", no_static_type, 16000, 106, 20 * ms},
    {"SPEEX", no_static_type, 32000, 110, 20 * ms},
    {"SILK", no_static_type, 0, 100, 20 * ms},
    {"MPEG4-GENERIC", no_static_type, 0, 320, 20 * ms, 4},
    {"MP4A-LATM", no_static_type, 0, 320, 20 * ms, 4},
    {"OPUS", no_static_type, 48000, 160, 10 * ms},
    {"CN", 13, 8000, 12, 10 * ms},
    {"CN", no_static_type, 0, 12, 10 * ms},
    {"TELEPHONE-EVENT", no_static_type, 0, 4, 10 * ms},
    {"T140", no_static_type, 1000, 400,
     100 * ms}, // RFC 4103: 30 characters a second on the mean, and pasted text
    {"TONE", no_static_type, 0, 16, 10 * ms},
});

// RFC 4867 table 1 (bits of a frame), and for AMR-WB 3GPP TS 26.201, by mode.
constexpr auto amr_bits = std::to_array<std::uint32_t>({95, 103, 118, 134, 148, 159, 204, 244});
constexpr auto amr_wb_bits = std::to_array<std::uint32_t>({132, 177, 253, 285, 317, 365, 397, 461, 477});

// The largest mode of "mode-set=0,2,4,7"; all modes where there is none.
template<std::size_t Modes>
std::uint32_t amr_octets(std::string_view parameters, const std::array<std::uint32_t, Modes>& bits) noexcept {
    std::size_t largest = 0;
    bool stated = false;
    std::string_view set = format_parameter(parameters, "mode-set");
    while (!set.empty()) {
        const std::size_t comma = std::min(set.find(','), set.size());
        if (const auto mode = number_in(set.substr(0, comma)); mode && *mode < Modes) {
            largest = std::max(largest, static_cast<std::size_t>(*mode));
            stated = true;
        }
        set.remove_prefix(std::min(comma + 1, set.size()));
    }
    const std::uint32_t frame_bits = stated ? bits.at(largest) : bits.back();
    // Its entry in the table of contents: an octet when aligned, else six bits.
    const bool aligned = format_parameter(parameters, "octet-align") == "1";
    return aligned ? (frame_bits + 7) / 8 + 1 : (frame_bits + 6 + 7) / 8;
}

// RFC 7587 6.1: with no maxaveragebitrate, section 3.1.1's largest for the playback rate.
std::uint32_t opus_octets(std::string_view parameters, std::uint32_t frame_us) noexcept {
    std::uint64_t bps = format_parameter(parameters, "stereo") == "1" ? 128'000 : 64'000;
    if (const auto playback = number_in(format_parameter(parameters, "maxplaybackrate"))) {
        if (*playback <= 8000) {
            bps = 12'000;
        } else if (*playback <= 16000) {
            bps = 20'000;
        }
    }
    if (const auto average = number_in(format_parameter(parameters, "maxaveragebitrate"));
        average && *average >= 6'000 && *average <= 510'000) {
        bps = *average;
    }
    return static_cast<std::uint32_t>(bps * frame_us / 8 / 1'000'000);
}

// "bitrate=32000" and the like, bounded by what the codec can do at all; nothing where it is not said.
std::optional<std::uint32_t> stated_octets(std::string_view parameters, std::string_view name,
                                           std::uint64_t least, std::uint64_t most,
                                           std::uint32_t frame_us) noexcept {
    const auto bps = number_in(format_parameter(parameters, name));
    if (!bps || *bps < least || *bps > most) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>((*bps * frame_us / 8 + 999'999) / 1'000'000);
}

// 3GPP TS 26.445 annex A: "br=9.6-24.4" or "br=24.4", in kbit/s; the larger end.
std::optional<std::uint32_t> evs_octets(std::string_view parameters, std::uint32_t frame_us) noexcept {
    std::string_view range = format_parameter(parameters, "br");
    if (const std::size_t dash = range.find('-'); dash != std::string_view::npos) {
        range.remove_prefix(dash + 1);
    }
    const std::size_t point = std::min(range.find('.'), range.size());
    const auto kbps = number_in(range.substr(0, point));
    if (!kbps || *kbps < 5 || *kbps > 128) {
        return std::nullopt;
    }
    constexpr std::uint32_t table_of_contents = 1;
    return static_cast<std::uint32_t>((*kbps + 1) * frame_us / 8'000) + table_of_contents;
}

// What a=fmtp says of codecs that name their rate in bits per second.
std::optional<std::uint32_t> rated_octets(const Codec& codec, std::string_view parameters) noexcept {
    if (codec.encoding == "G7221") {
        return stated_octets(parameters, "bitrate", 16'000, 48'000, codec.frame_us);
    }
    if (codec.encoding == "SILK") {
        return stated_octets(parameters, "maxaveragebitrate", 5'000, 40'000, codec.frame_us);
    }
    if (codec.encoding == "MPEG4-GENERIC" || codec.encoding == "MP4A-LATM") {
        return stated_octets(parameters, "bitrate", 8'000, 320'000, codec.frame_us);
    }
    return codec.encoding == "EVS" ? evs_octets(parameters, codec.frame_us) : std::nullopt;
}

std::uint32_t channels_of(const Format& format) noexcept {
    return format.channels == 0 ? 1 : std::min<std::uint32_t>(format.channels, 8);
}

} // namespace

const Codec* static_codec(std::uint8_t payload_type) noexcept {
    const auto* const found = std::ranges::find(codecs, static_cast<int>(payload_type), &Codec::payload_type);
    return found == codecs.end() ? nullptr : found;
}

const Codec* find_codec(std::string_view encoding, std::uint32_t clock_rate) noexcept {
    const Codec* by_name = nullptr;
    for (const Codec& codec : codecs) {
        if (codec.encoding != encoding) {
            continue;
        }
        if (codec.clock_rate == clock_rate || codec.clock_rate == 0) {
            return &codec;
        }
        // The largest of the name: a clock that we do not know must not lower the rate.
        if (by_name == nullptr || codec.octets * by_name->frame_us > by_name->octets * codec.frame_us) {
            by_name = &codec;
        }
    }
    return by_name;
}

std::optional<Load> load_of(const Format& format) noexcept {
    const Codec* codec = find_codec(format.encoding, format.clock_rate);
    if (codec == nullptr) {
        return std::nullopt;
    }
    Load load{.frame_us = codec->frame_us, .octets_per_frame = codec->octets, .header = codec->header};
    const std::string_view parameters = format.parameters;
    if (const auto octets = rated_octets(*codec, parameters)) {
        load.octets_per_frame = *octets;
    } else if (codec->encoding == "OPUS") {
        load.octets_per_frame = opus_octets(parameters, codec->frame_us);
    } else if (codec->encoding == "AMR") {
        load.octets_per_frame = amr_octets(parameters, amr_bits);
    } else if (codec->encoding == "AMR-WB") {
        load.octets_per_frame = amr_octets(parameters, amr_wb_bits);
    } else if (codec->encoding == "ILBC" && format_parameter(parameters, "mode") == "30") {
        load.octets_per_frame = 50;
        load.frame_us = 30 * ms;
    } else if (codec->frame_us == 1 * ms) {
        load.octets_per_frame *= channels_of(format);
    }
    return load;
}

std::string_view format_parameter(std::string_view parameters, std::string_view name) noexcept {
    const auto trim = [](std::string_view text) {
        const std::size_t first = text.find_first_not_of(" \t");
        if (first == std::string_view::npos) {
            return std::string_view();
        }
        return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
    };
    while (!parameters.empty()) {
        const std::size_t end = std::min(parameters.find(';'), parameters.size());
        const std::string_view pair = parameters.substr(0, end);
        const std::size_t equals = pair.find('=');
        if (equals != std::string_view::npos && same_letters(trim(pair.substr(0, equals)), name)) {
            return trim(pair.substr(equals + 1));
        }
        parameters.remove_prefix(std::min(end + 1, parameters.size()));
    }
    return {};
}

} // namespace stem::sdp
