// SPDX-License-Identifier: Apache-2.0
// The audit trail: JSON lines appended to a file, which is turned over when it is full, a number of full ones
// kept.
//
// A record is in the kernel's hands when write() returns: a crash of the process loses none. A thread of its
// own brings the file to the disk (fdatasync) every Settings::sync, so that a power cut loses no more than
// that, and a slow disk holds up no call. What cannot be written is counted and told, and stops nothing: when
// writing works again, a record "gap" says how many are missing.
//
// Memory: one record. For one thread, but for its own.
#pragma once

#include "sm/audit/record.h"

#include <stem/error.h>
#include <stem/unique_fd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace stem::sm::audit {

struct Settings {
    std::filesystem::path file;
    std::uint64_t octets = 16U << 20U;    // of one file; a fuller one is turned over: FILE.1, FILE.2, ...
    std::uint32_t files = 10;             // beside FILE
    std::chrono::milliseconds sync{1000}; // 0 = the kernel decides when
};

class Trail {
  public:
    // Makes the file with mode 0600, or goes on behind what is there.
    static Result<std::unique_ptr<Trail>> open(Settings settings);
    ~Trail();
    Trail(const Trail&) = delete;
    Trail& operator=(const Trail&) = delete;

    void write(const Record& record);
    // For whoever turns the file over himself (logrotate), and for changed settings. Where it fails the
    // former file stays.
    Result<> reopen(Settings settings);

    struct Counts {
        std::uint64_t written = 0;
        std::uint64_t lost = 0;    // could not be written
        std::uint64_t rotated = 0; // files
    };
    [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
    [[nodiscard]] const std::string& failure() const noexcept { return failure_; } // "" = writing works
    [[nodiscard]] const Settings& settings() const noexcept { return settings_; }
    // Told once when writing begins to fail (a failure), and once when it works again ("").
    void on_trouble(std::function<void(const std::string&)> listener) { listener_ = std::move(listener); }

    // Newest first: FILE, FILE.1, ... as far as they are there.
    [[nodiscard]] std::vector<std::filesystem::path> files() const;

  private:
    struct File {
        UniqueFd fd;
        std::uint64_t size = 0;
    };
    explicit Trail(Settings settings) : settings_(std::move(settings)) {}
    static Result<File> open_file(const std::filesystem::path& path);
    bool append(const Record& record);
    void rotate();
    void fail_with(const std::string& why);
    void sync_from_time_to_time(const std::stop_token& stop);
    void take(File file);

    Settings settings_;
    std::uint64_t size_ = 0;
    std::uint64_t next_ = 1;    // number of the next record
    std::uint64_t missing_ = 0; // lost since the last that was written
    Counts counts_;
    std::string failure_;
    std::function<void(const std::string&)> listener_;

    std::mutex mutex_; // of what follows
    std::shared_ptr<UniqueFd> fd_;
    std::chrono::milliseconds sync_{0};
    std::condition_variable_any wake_;
    std::atomic<bool> unsynced_ = false;
    std::jthread syncer_; // goes first
};

} // namespace stem::sm::audit
