// SPDX-License-Identifier: Apache-2.0
// Where a SIP message ends in a stream (RFC 3261 18.3): at the end of its headers, and as many octets further
// as Content-Length says. What stands between messages is keep-alives (RFC 5626 3.5.1).
//
// Two readers of one stream who see its messages end at different places see different messages. So what
// could be read in two ways ends the stream: no Content-Length, two, one that is no number; a start line that
// is not SIP's; a line feed that stands alone ahead of a message. The rest is the parser's, message by
// message.
#pragma once

#include <stem/abi/reason.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stem::tcp {

struct FramingLimits {
    std::size_t start_line = 512; // octets
    std::size_t message = 8192;   // octets, headers and body
};

struct Step {
    enum class Kind : std::uint8_t {
        message,    // the next `length` octets
        keep_alive, // the next `length` octets: CRLF, one or more times
        more,       // what follows has to come first
        broken,     // no one can tell what comes
    };
    Kind kind = Kind::more;
    std::size_t length = 0;
    stem_reason reason = STEM_CONTINUE; // of broken
    std::string_view what;              // of broken, for a log
};

class Framer {
  public:
    explicit Framer(FramingLimits limits) : limits_(limits) {}

    // `ready`: all octets from the end of the last step on; what was in it at an earlier call still is.
    // Linear in the octets of a message, however many calls they come in.
    Step look(std::string_view ready);

    // Of a message that has begun and is not whole: are its headers, and how long will it be?
    [[nodiscard]] bool knows_length() const noexcept { return total_ != 0; }
    [[nodiscard]] std::size_t length() const noexcept { return total_; }

  private:
    Step broken(stem_reason reason, std::string_view what) const;
    Step look_at_message(std::string_view ready);

    FramingLimits limits_;
    std::size_t scanned_ = 0; // octets in which the headers do not end
    bool is_sip_ = false;     // the start line was looked at
    std::size_t total_ = 0;   // of the message, once its headers are there
};

} // namespace stem::tcp
