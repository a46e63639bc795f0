// SPDX-License-Identifier: Apache-2.0
// Bodies of several parts: whatever comes, no fault, and a description that is inside of the body. The first
// line is the Content-Type, the second the Content-Encoding, the rest the body.
#include "ctl/sip/mime.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view datagram(reinterpret_cast<const char*>(data), size);
    std::string_view rest = datagram;
    const std::string_view type = take_line(rest);
    const std::string_view encoding = take_line(rest);
    const stem::sip::Span body{.offset = size - rest.size(), .length = rest.size()};
    const auto found =
        stem::sip::find_session(datagram, body, {.content_type = type, .content_encoding = encoding}, {});
    if (!found) {
        require(!found.error().empty());
        return 0;
    }
    require(found->length == 0 || (found->offset >= body.offset && found->offset + found->length <= size));
    return 0;
}
