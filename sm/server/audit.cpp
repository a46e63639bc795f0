// SPDX-License-Identifier: Apache-2.0
#include "sm/server/audit.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace stem::smd {
namespace {

using sm::audit::Kind;

spdlog::logger& audit_log() {
    static const auto logger = [] {
        auto found = spdlog::get("audit");
        return found ? found : spdlog::default_logger(); // in tests
    }();
    return *logger;
}

} // namespace

void open_log() {
    // The journal has a time of its own (systemd.exec(5), JOURNAL_STREAM).
    const bool journal = std::getenv("JOURNAL_STREAM") != nullptr; // NOLINT(concurrency-mt-unsafe)
    const std::string time = journal ? "" : "%Y-%m-%dT%H:%M:%S.%e%z ";
    auto own = spdlog::stderr_logger_mt("stem-smd");
    auto audit = spdlog::stderr_logger_mt("audit");
    own->set_pattern(time + "%l: %v");
    audit->set_pattern(time + "audit: %v");
    own->flush_on(spdlog::level::trace);
    audit->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(own));
}

std::string printable(std::string_view text) {
    constexpr std::size_t longest = 300;
    std::string out;
    for (const char c : text.substr(0, longest)) {
        if (c >= ' ' && c < '\x7f') {
            out += c;
        } else {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return text.size() > longest ? out + "..." : out;
}

void Audit::refused(std::string_view who, std::string_view what) {
    refuse(who, what,
           sm::audit::Record(Kind::refusal, std::chrono::system_clock::now(), who)
               .text("action", "refused")
               .text("why", what));
}

void Audit::refused(std::string_view who, const channel::Refused& message) {
    refuse(who,
           fmt::format("message {} type {} id {}: {}: {}", message.sequence, message.type, message.id,
                       label_of(message.reason), message.detail),
           sm::audit::Record(Kind::refusal, std::chrono::system_clock::now(), who)
               .text("action", label_of(message.reason))
               .text("type", message.type)
               .text("id", message.id)
               .number("sequence", static_cast<std::int64_t>(message.sequence))
               .text("why", message.detail));
}

void Audit::refuse(std::string_view who, std::string_view what, const sm::audit::Record& record) {
    if (written_ >= limit_) {
        ++left_out_;
        return;
    }
    ++written_;
    audit_log().info("refused {}: {}", who, printable(what));
    trail_.write(record);
}

void Audit::done(std::string_view who, std::string_view what) {
    changed(who, what);
    trail_.write(sm::audit::Record(Kind::refusal, std::chrono::system_clock::now(), who)
                     .text("action", "done")
                     .text("why", what));
}

void Audit::changed(std::string_view who, std::string_view what) {
    audit_log().info("{}: {}", who, printable(what));
}

void Audit::tick() {
    if (left_out_ > 0) {
        audit_log().info("refused: {} more in this second", left_out_);
        trail_.write(sm::audit::Record(Kind::refusal, std::chrono::system_clock::now(), "audit")
                         .text("action", "left out")
                         .number("lost", static_cast<std::int64_t>(left_out_)));
    }
    written_ = 0;
    left_out_ = 0;
}

} // namespace stem::smd
