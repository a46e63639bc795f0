// SPDX-License-Identifier: Apache-2.0
#include "ctl/smlink/snapshot_keeper.h"

#include "sm/pki/file.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace stem::smlink {
namespace {

constexpr std::int64_t most_parts = 8192; // of 32 KiB
constexpr const char* attempt = "take a snapshot";

} // namespace

Result<> SnapshotKeeper::load(const pki::Trust& trust, sm::TimePoint now) {
    if (file_.empty() || !std::filesystem::exists(file_)) {
        return {};
    }
    const auto text = pki::read_secret_file(file_);
    if (!text) {
        return std::unexpected(text.error());
    }
    auto stored = channel::snapshot_from_text(*text);
    if (!stored) {
        return std::unexpected(stored.error());
    }
    const auto manifest = channel::check_snapshot(stored->head, stored->content, trust, now, skew_);
    if (!manifest) {
        return std::unexpected(manifest.error());
    }
    kept_ = Kept{std::move(stored->head), *manifest, std::move(stored->content)};
    return {};
}

void SnapshotKeeper::judge_again(const pki::Trust& trust, sm::TimePoint now) {
    if (!kept_) {
        return;
    }
    if (const auto manifest = channel::check_manifest(kept_->head, trust, now, skew_); !manifest) {
        spdlog::warn("the snapshot of Security Manager {} is in force no more: {}", kept_->manifest.signer,
                     manifest.error().message());
        kept_.reset();
        reading_.reset();
        unreadable_ = false;
    }
}

Result<> SnapshotKeeper::take(const channel::SnapshotHead& head, std::string content, const pki::Trust& trust,
                              sm::TimePoint now) {
    const auto manifest = channel::check_snapshot(head, content, trust, now, skew_);
    if (!manifest) {
        return std::unexpected(manifest.error());
    }
    if (kept_ && manifest->created < kept_->manifest.created) {
        return fail(attempt, "it is older than the one that is here");
    }
    const bool same = kept_ && kept_->manifest.digest == manifest->digest;
    kept_ = Kept{head, *manifest, std::move(content)};
    if (!same) {
        reading_.reset();
        unreadable_ = false;
    }
    return save();
}

Result<> SnapshotKeeper::save() const {
    return file_.empty()
               ? Result<>()
               : pki::write_file(file_, channel::to_text(kept_->head, kept_->content), pki::secret_mode);
}

Result<bool> SnapshotKeeper::begin(const channel::SnapshotHead& head, const pki::Trust& trust,
                                   sm::TimePoint now) {
    coming_.reset();
    if (head.parts > most_parts) {
        return fail(attempt, fmt::format("{} parts; at most {}", head.parts, most_parts));
    }
    if (const auto manifest = channel::check_manifest(head, trust, now, skew_); !manifest) {
        return std::unexpected(manifest.error());
    }
    if (head.parts > 0) {
        coming_.emplace(Coming{.head = head});
        return false;
    }
    if (!kept_) {
        return fail(attempt, "it has no content, and there is none here");
    }
    auto done = take(head, kept_->content, trust, now);
    return done ? Result<bool>(true) : std::unexpected(done.error());
}

Result<bool> SnapshotKeeper::add(const channel::SnapshotPart& part, const pki::Trust& trust,
                                 sm::TimePoint now) {
    if (!coming_ || part.index != coming_->parts) {
        coming_.reset();
        return fail(attempt, fmt::format("part {} is not the next", part.index));
    }
    coming_->content += part.data;
    if (++coming_->parts < coming_->head.parts) {
        return false;
    }
    Coming whole = std::move(*coming_);
    coming_.reset();
    auto done = take(whole.head, std::move(whole.content), trust, now);
    return done ? Result<bool>(true) : std::unexpected(done.error());
}

bool SnapshotKeeper::usable(sm::TimePoint now) const {
    return kept_ && !unreadable_ && now - kept_->manifest.created <= max_age_;
}

std::optional<sm::TimePoint> SnapshotKeeper::created() const {
    return kept_ ? std::optional(kept_->manifest.created) : std::nullopt;
}

SnapshotKeeper::Reading* SnapshotKeeper::reading() {
    if (!reading_ && kept_ && !unreadable_) {
        auto read = sm::snapshot_from(kept_->content);
        if (!read) {
            unreadable_ = true;
            spdlog::error("the snapshot of Security Manager {} is of no use: {}", kept_->manifest.signer,
                          read.error().message());
            return nullptr;
        }
        reading_ = std::make_unique<Reading>(std::move(*read));
    }
    return reading_.get();
}

std::optional<sm::Decision> SnapshotKeeper::decide(const sm::Query& query, sm::TimePoint now) {
    Reading* source = usable(now) ? reading() : nullptr;
    if (source == nullptr) {
        return std::nullopt;
    }
    auto decision = source->decider.decide(query);
    decision.why += fmt::format(" (by the snapshot of {})", kept_->manifest.signer);
    return decision;
}

void SnapshotKeeper::learn(const sm::Link::Binding& binding, sm::TimePoint now) {
    if (Reading* source = usable(now) ? reading() : nullptr) {
        if (const auto learned = source->snapshot.directory->learn(binding, now); !learned) {
            spdlog::debug("{}", learned.error().message());
        }
    }
}

} // namespace stem::smlink
