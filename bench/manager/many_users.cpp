// SPDX-License-Identifier: Apache-2.0
#include "manager/many_users.h"

#include "lab/enclosure.h"

#include <fmt/format.h>

#include <algorithm>

namespace stem::bench {
namespace {

constexpr const char* profile = "office";

sm::Pattern pattern(const std::string& text) {
    return sm::Pattern::parse(text).value_or(sm::Pattern());
}

Result<> add_profile(sm::Directory& directory) {
    sm::Profile office{.name = profile, .fallback = {}, .rules = {}};
    for (int i = 0; i < 9; ++i) {
        office.rules.push_back(
            {.caller = pattern(fmt::format("*@partner{}.example", i)), .when = {}, .then = {}});
    }
    office.rules.push_back({.caller = pattern("regex:sip:[0-9]{3,5}@.*"),
                            .when = {},
                            .then = {.action = sm::Treatment::Action::drop, .target = {}}});
    return directory.add_profile(office);
}

} // namespace

std::string ManyUsers::user_name(unsigned number) {
    return fmt::format("user{}", number);
}

Result<std::unique_ptr<ManyUsers>> ManyUsers::make(const std::string& name, unsigned users, bool audited,
                                                   const lab::Postgres* postgres) {
    std::unique_ptr<ManyUsers> many(new ManyUsers);
    many->folder_ = lab::scratch() / name;
    many->users_ = users;
    std::filesystem::remove_all(many->folder_);
    std::filesystem::create_directories(many->folder_);
    many->database_ = many->folder_ / "sm.db";
    auto directory =
        sm::Directory::open(std::filesystem::path(many->database_), std::chrono::system_clock::now());
    if (!directory) {
        return std::unexpected(directory.error());
    }
    many->directory_ = std::move(*directory);
    if (auto filled = many->fill(users); !filled) {
        return std::unexpected(filled.error());
    }
    if (postgres != nullptr) {
        if (auto moved = many->move_to(*postgres, name); !moved) {
            return std::unexpected(moved.error());
        }
    }
    if (audited) {
        auto trail = sm::audit::Trail::open({.file = many->folder_ / "audit.jsonl"});
        if (!trail) {
            return std::unexpected(trail.error());
        }
        many->trail_ = std::move(*trail);
    }
    many->admission_ = std::make_unique<sm::Admission>(*many->directory_, sm::Settings{}, many->trail_.get());
    return many;
}

// As a site does that grows out of one machine: a backup of the file is restored into the database.
Result<> ManyUsers::move_to(const lab::Postgres& postgres, const std::string& name) {
    const auto now = std::chrono::system_clock::now();
    const auto backup = directory_->backup(now);
    if (!backup) {
        return std::unexpected(backup.error());
    }
    std::string database = name;
    std::ranges::replace(database, '-', '_');
    if (auto added = postgres.add_database(database); !added) {
        return added;
    }
    database_ = postgres.uri(database);
    const auto address = sm::StoreAddress::parse(database_);
    auto shared = address ? sm::Directory::open(*address, now) : std::unexpected(address.error());
    if (!shared) {
        return std::unexpected(shared.error());
    }
    if (auto restored = (*shared)->restore(*backup, true); !restored) {
        return std::unexpected(restored.error());
    }
    directory_ = std::move(*shared);
    return {};
}

Result<> ManyUsers::fill(unsigned users) {
    if (auto added = add_profile(*directory_); !added) {
        return added;
    }
    for (unsigned i = 0; i < users; ++i) {
        const std::string name = user_name(i);
        sm::User user{
            .name = name, .display_name = {}, .profile = profile, .uris = {"sip:" + name + "@example.org"}};
        user.max_calls = 1000;
        if (auto added = directory_->add_user(std::move(user)); !added) {
            return added;
        }
    }
    std::vector<sm::SpamEntry> spam;
    for (unsigned i = 0; i < spam_callers; ++i) {
        spam.push_back({.caller = pattern(fmt::format("+881{:07}", i)), .user = {}, .note = {}});
    }
    if (auto added = directory_->add_spam("", std::move(spam)); !added) {
        return std::unexpected(added.error().error);
    }
    return {};
}

sm::Query ManyUsers::query(std::uint64_t n) const {
    return {.caller = fmt::format("sip:+4930{:07}@elsewhere.example", n % 9'999'999),
            .callee = fmt::format("sip:{}@example.org", user_name(static_cast<unsigned>(n % users_))),
            .call_id = fmt::format("{:x}@elsewhere.example", n),
            .direction = STEM_INBOUND,
            .at = std::chrono::system_clock::now(),
            .call = fmt::format("{:x}", n)};
}

} // namespace stem::bench
