// SPDX-License-Identifier: Apache-2.0
#include "ctl/sdp/formats.h"

#include "ctl/sdp/codecs.h"
#include "ctl/sdp/numbers.h"

#include <algorithm>

namespace stem::sdp {
namespace {

// The format that "<payload type> <rest>" speaks of; `value` becomes the rest.
Format* format_of(Media& media, std::string_view& value) {
    const auto type = number_in(next_word(value));
    if (!type || *type > 127) {
        return nullptr;
    }
    const auto found =
        std::ranges::find(media.formats, static_cast<std::uint8_t>(*type), &Format::payload_type);
    return found == media.formats.end() ? nullptr : &*found;
}

} // namespace

// a=rtpmap:<payload type> <encoding>/<clock rate>[/<channels>]; the first word on a type counts.
void read_rtpmap(std::string_view value, Media& media) {
    Format* format = format_of(media, value);
    if (format == nullptr || !format->encoding.empty()) {
        return;
    }
    const std::string_view word = next_word(value);
    const std::size_t slash = std::min(word.find('/'), word.size());
    format->encoding = changed(word.substr(0, slash), upper_letter);
    std::string_view rest = word.substr(std::min(slash + 1, word.size()));
    const std::size_t second = std::min(rest.find('/'), rest.size());
    format->clock_rate = clamped(number_in(rest.substr(0, second)).value_or(0));
    rest.remove_prefix(std::min(second + 1, rest.size()));
    format->channels = static_cast<std::uint8_t>(std::min<std::uint64_t>(number_in(rest).value_or(0), 255));
}

void read_fmtp(std::string_view value, Media& media) {
    Format* format = format_of(media, value);
    if (format != nullptr && format->parameters.empty()) {
        value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
        format->parameters = value;
    }
}

void name_static_formats(Media& media) {
    for (Format& format : media.formats) {
        if (!format.encoding.empty()) {
            continue;
        }
        if (const Codec* codec = static_codec(format.payload_type)) {
            format.encoding = codec->encoding;
            format.clock_rate = codec->clock_rate;
        } else if (format.payload_type == 10) { // L16 at 44,100 Hz, the one static type of two channels
            format.encoding = "L16";
            format.clock_rate = 44100;
            format.channels = 2;
        }
    }
}

} // namespace stem::sdp
