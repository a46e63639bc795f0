// SPDX-License-Identifier: Apache-2.0
// The newest snapshot that a Security Manager has signed: kept in a file over restarts, and decided by while
// no Security Manager can be reached.
#pragma once

#include "sm/channel/signed_snapshot.h"
#include "sm/decider.h"
#include "sm/snapshot.h"

#include <filesystem>
#include <optional>
#include <string>

namespace stem::smlink {

class SnapshotKeeper {
  public:
    // `file` "" = it is not kept over restarts.
    SnapshotKeeper(std::filesystem::path file, std::chrono::seconds max_age, std::chrono::milliseconds skew)
        : file_(std::move(file)), max_age_(max_age), skew_(skew) {}

    // Of another list of revocations: what a Security Manager has signed that is believed no more, is
    // dropped.
    void judge_again(const pki::Trust& trust, sm::TimePoint now);
    // What an earlier process has kept, judged as if it had just come. Nothing there is no error.
    Result<> load(const pki::Trust& trust, sm::TimePoint now);

    // A snapshot begins to come; what was coming before is given up. True: it is whole already.
    Result<bool> begin(const channel::SnapshotHead& head, const pki::Trust& trust, sm::TimePoint now);
    // True: it is whole, believed, and in force.
    Result<bool> add(const channel::SnapshotPart& part, const pki::Trust& trust, sm::TimePoint now);
    void give_up() { coming_.reset(); }

    // What a decision would come to; nullopt: there is no snapshot, or it is too old.
    std::optional<sm::Decision> decide(const sm::Query& query, sm::TimePoint now);
    // A binding that the snapshot's maker has not heard of.
    void learn(const sm::Link::Binding& binding, sm::TimePoint now);

    [[nodiscard]] bool usable(sm::TimePoint now) const;
    [[nodiscard]] std::optional<sm::TimePoint> created() const;
    [[nodiscard]] std::string signer() const { return kept_ ? kept_->manifest.signer : ""; }

  private:
    struct Coming {
        channel::SnapshotHead head;
        std::string content;
        std::int64_t parts = 0; // that came
    };
    struct Kept {
        channel::SnapshotHead head;
        channel::Manifest manifest;
        std::string content;
    };
    struct Reading {
        sm::Snapshot snapshot;
        sm::Decider decider;
        explicit Reading(sm::Snapshot read)
            : snapshot(std::move(read)), decider(*snapshot.directory, snapshot.settings) {}
    };
    Result<> take(const channel::SnapshotHead& head, std::string content, const pki::Trust& trust,
                  sm::TimePoint now);
    Result<> save() const;
    Reading* reading();

    std::filesystem::path file_;
    std::chrono::seconds max_age_;
    std::chrono::milliseconds skew_;
    std::optional<Coming> coming_;
    std::optional<Kept> kept_;
    std::unique_ptr<Reading> reading_; // made when it is needed first: it may be large
    bool unreadable_ = false;
};

} // namespace stem::smlink
