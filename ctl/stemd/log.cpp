// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace stem::stemd {

void open_log() {
    auto logger = spdlog::stderr_logger_mt("stemd");
    // The journal has a time of its own (systemd.exec(5), JOURNAL_STREAM).
    const bool journal = std::getenv("JOURNAL_STREAM") != nullptr; // NOLINT(concurrency-mt-unsafe)
    logger->set_pattern(journal ? "%l: %v" : "%Y-%m-%dT%H:%M:%S.%e%z %l: %v");
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
}

void set_log_level(config::LogLevel level) {
    switch (level) {
    case config::LogLevel::debug:
        return spdlog::set_level(spdlog::level::debug);
    case config::LogLevel::info:
        return spdlog::set_level(spdlog::level::info);
    case config::LogLevel::warn:
        return spdlog::set_level(spdlog::level::warn);
    case config::LogLevel::error:
        return spdlog::set_level(spdlog::level::err);
    }
}

} // namespace stem::stemd
