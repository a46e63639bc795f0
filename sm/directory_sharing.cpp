// SPDX-License-Identifier: Apache-2.0
// The Directory over a database that other Security Managers change, too.
#include "sm/directory.h"

#include <algorithm>

namespace stem::sm {
namespace {

constexpr std::size_t most_waiting = 65536;

} // namespace

void Directory::drop_spam(std::string_view user) {
    std::erase_if(spam_, [&](const SpamEntry& spam) { return spam.user == user; });
    if (user.empty()) {
        spam_of_all_ = {};
    }
}

// From memory alone.
void Directory::drop_user(const std::string& name) {
    const auto at = users_.find(name);
    if (at == users_.end()) {
        return;
    }
    for (const std::string& uri : at->second.user.uris) {
        unindex_uri(uri, name);
    }
    for (const Credentials& credentials : at->second.credentials) {
        user_of_credentials_.erase(credentials_key(credentials.username, credentials.realm));
    }
    drop_spam(name);
    users_.erase(at);
}

void Directory::take_over(Store::News news) {
    // All that is replaced goes first: a URI may have gone from one of these users to another.
    std::ranges::for_each(news.users, [&](const auto& name) { drop_user(name); });
    for (const std::string& name : news.located) {
        if (const auto at = users_.find(name); at != users_.end()) {
            at->second.locations.clear();
        }
    }
    std::ranges::for_each(news.profiles, [&](const auto& name) { profiles_.erase(name); });
    if (news.spam) {
        drop_spam({});
    }
    if (news.administrators) {
        administrators_.clear();
    }
    if (news.thresholds) {
        thresholds_.fill(std::move(news.contents.thresholds), news.contents.threshold_version);
        thresholds_.fill_groups(news.contents.groups);
    }
    if (news.limits) {
        limits_.clear();
        blocks_.clear();
    }
    fill(std::move(news.contents));
    hold_waiting_blocks();
    std::erase_if(limits_, [&](const auto& item) { // of a user who is gone
        return !item.second.user.empty() && !users_.contains(item.second.user);
    });
    if (news.thresholds) {
        thresholds_.changed_elsewhere();
    }
}

void Directory::refill(Store::Contents contents) {
    users_.clear();
    user_of_uri_.clear();
    users_of_number_.clear();
    user_of_credentials_.clear();
    administrators_.clear();
    profiles_.clear();
    spam_of_all_ = {};
    spam_.clear();
    limits_.clear();
    blocks_.clear();
    thresholds_.fill(std::move(contents.thresholds), contents.threshold_version);
    thresholds_.fill_groups(contents.groups);
    fill(std::move(contents));
    hold_waiting_blocks();
    thresholds_.changed_elsewhere();
}

Result<bool> Directory::catch_up() {
    auto news = store_.catch_up();
    if (!news) {
        return std::unexpected(news.error());
    }
    const bool any = !news->empty();
    if (any) {
        take_over(std::move(*news));
    }
    return any;
}

void Directory::adopt(Fresh fresh) {
    store_ = std::move(fresh.store);
    refill(std::move(fresh.contents));
}

Result<BackupCounts> Directory::restore(std::string_view document, bool replace) {
    const auto rows = backup_rows_from(document, schema_version);
    if (!rows) {
        return std::unexpected(rows.error());
    }
    auto contents = store_.restore(*rows, replace);
    if (!contents) {
        return std::unexpected(contents.error());
    }
    refill(std::move(*contents));
    return counts_of(*rows);
}

Result<Directory::Learned> Directory::learn(const Link::Binding& binding, TimePoint now) {
    auto learned = settled(*this, [&] { return learn_once(binding, now); });
    if (learned || learned.error().code != EAGAIN || !store_.shared()) {
        return learned;
    }
    memory_only_ = true;
    learned = learn_once(binding, now);
    memory_only_ = false;
    // Nobody here has that address by now; that may be otherwise when the database is back.
    if (learned) {
        wait_with(binding, now);
    }
    return learned;
}

void Directory::wait_with(const Link::Binding& binding, TimePoint now) {
    if (binding.all) { // what was learned before is void
        const std::pair first(binding.address_of_record, std::string());
        auto end = waiting_.lower_bound(first);
        while (end != waiting_.end() && end->first.first == binding.address_of_record) {
            end = waiting_.erase(end);
        }
    }
    std::pair key(binding.address_of_record, binding.all ? std::string() : binding.contact);
    // More than so many phones register while the database is away: they will again.
    if (waiting_.size() < most_waiting || waiting_.contains(key)) {
        waiting_.insert_or_assign(std::move(key), Waiting{binding, now});
    }
}

// What was read does not have them yet. One that somebody else has written, and that holds longer, stays.
void Directory::hold_waiting_blocks() {
    std::erase_if(waiting_blocks_, [&](const auto& item) {
        const auto& [user, block] = item;
        if (user != any_caller && !users_.contains(user)) {
            return true; // he is gone
        }
        const auto there = blocks_.find(user);
        if (there != blocks_.end() && there->second.until > block.until) {
            return true;
        }
        blocks_.insert_or_assign(user, block);
        return false;
    });
}

void Directory::write_waiting_blocks(TimePoint now) {
    const auto held = std::exchange(waiting_blocks_, {});
    for (const auto& [user, block] : held) {
        const bool gone = user != any_caller && !users_.contains(user);
        if (!gone && block.until > now) {
            // As with bindings.
            static_cast<void>(settled(*this, [&] { return this->block(block); }));
        }
    }
}

void Directory::write_waiting(TimePoint now) {
    write_waiting_blocks(now);
    const auto held = std::exchange(waiting_, {});
    for (const auto& [key, waiting] : held) {
        Link::Binding binding = waiting.binding;
        const auto gone = std::chrono::floor<std::chrono::seconds>(now - waiting.since);
        const bool removes = binding.all || binding.lifetime.count() <= 0;
        if (!removes && gone >= binding.lifetime) {
            continue;
        }
        binding.lifetime -= removes ? std::chrono::seconds(0) : gone;
        // Where it is lost again it waits again; what cannot be written for another reason has been told
        // already.
        static_cast<void>(learn(binding, now));
    }
}

} // namespace stem::sm
