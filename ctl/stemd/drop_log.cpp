// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/drop_log.h"

#include <spdlog/spdlog.h>
#include <stem/reason.h>

#include <utility>

namespace stem::stemd {
namespace {

// What happens in every call that is held or refused: nobody needs to look at it.
spdlog::level::level_enum level_of(stem_reason reason) {
    return reason == STEM_SIP_ANSWERED || reason == STEM_SIP_ABSORBED ? spdlog::level::debug
                                                                      : spdlog::level::info;
}

} // namespace

bool DropLog::allow() noexcept {
    if (written_ >= limit_) {
        ++suppressed_;
        return false;
    }
    ++written_;
    return true;
}

void DropLog::write(stem_reason reason, stem_direction direction, const Endpoint& source,
                    const Endpoint& destination, std::string_view what) {
    const auto level = level_of(reason);
    if (spdlog::should_log(level) && allow()) {
        spdlog::log(level, "{} {} {} -> {}: {}", label_of(direction), label_of(reason), source.to_string(),
                    destination.to_string(), printable(what));
    }
}

void DropLog::write(stem_reason reason, stem_direction direction, std::string_view what) {
    const auto level = level_of(reason);
    if (spdlog::should_log(level) && allow()) {
        spdlog::log(level, "{} {}: {}", label_of(direction), label_of(reason), printable(what));
    }
}

void DropLog::write_monitored(stem_reason reason, stem_direction direction, std::string_view ends,
                              std::string_view what) {
    if (spdlog::should_log(spdlog::level::info) && allow()) {
        spdlog::info("would drop {} {} {}: {}", label_of(direction), label_of(reason), ends, printable(what));
    }
}

void DropLog::tick() {
    written_ = 0;
    if (const auto suppressed = std::exchange(suppressed_, 0); suppressed > 0) {
        spdlog::info("{} more lines about dropped messages left out", suppressed);
    }
}

std::string printable(std::string_view text, std::size_t longest) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char c : text.substr(0, longest)) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet >= 0x20 && octet < 0x7f) {
            out += c;
        } else {
            out += "\\x";
            out += digits[octet >> 4U];
            out += digits[octet & 0x0fU];
        }
    }
    return text.size() > longest ? out + "..." : out;
}

} // namespace stem::stemd
