// SPDX-License-Identifier: Apache-2.0
#include "sm/directory.h"

#include "sm/failure.h"

#include <fmt/format.h>

#include <algorithm>

namespace stem::sm {
namespace {

constexpr std::size_t max_uris_per_user = 64;

// The number under which a sip: URI is found too: global ones only, since short numbers mean different people
// at different hosts.
std::optional<std::string> global_number(const AddressOfRecord& record) {
    auto number = record.tel ? std::nullopt : record.number();
    return number && number->starts_with('+') ? std::move(number) : std::nullopt;
}

} // namespace

Result<Directory::Fresh> Directory::read(const StoreAddress& address, TimePoint now) {
    auto store = Store::open(address);
    if (!store) {
        return std::unexpected(store.error());
    }
    if (auto cleaned = store->remove_expired(now); !cleaned) {
        return std::unexpected(cleaned.error());
    }
    auto contents = store->load();
    if (!contents) {
        return std::unexpected(contents.error());
    }
    return Fresh{std::move(*store), std::move(*contents)};
}

Result<std::unique_ptr<Directory>> Directory::open(const StoreAddress& address, TimePoint now) {
    auto fresh = read(address, now);
    if (!fresh) {
        return std::unexpected(fresh.error());
    }
    std::unique_ptr<Directory> directory(new Directory(std::move(fresh->store)));
    directory->thresholds_.fill(std::move(fresh->contents.thresholds), fresh->contents.threshold_version);
    directory->thresholds_.fill_groups(fresh->contents.groups);
    directory->fill(std::move(fresh->contents));
    return directory;
}

std::unique_ptr<Directory> Directory::copy_of(Store::Contents contents) {
    std::unique_ptr<Directory> directory(new Directory(Store::none()));
    directory->fill(std::move(contents));
    return directory;
}

void Directory::fill(Store::Contents contents) {
    for (Profile& profile : contents.profiles) {
        std::string name = profile.name;
        profiles_.emplace(std::move(name), std::move(profile));
    }
    for (User& user : contents.users) {
        for (const std::string& uri : user.uris) {
            index_uri(uri, user.name);
        }
        std::string name = user.name;
        users_.emplace(std::move(name), Entry{.user = std::move(user), .locations = {}, .spam = {}});
    }
    for (auto& [name, location] : contents.locations) {
        if (const auto at = users_.find(name); at != users_.end()) {
            at->second.locations.push_back(std::move(location));
        }
    }
    for (auto& [name, credentials] : contents.credentials) {
        if (const auto at = users_.find(name); at != users_.end()) {
            user_of_credentials_.insert_or_assign(credentials_key(credentials.username, credentials.realm),
                                                  name);
            at->second.credentials.push_back(std::move(credentials));
        }
    }
    for (Administrator& administrator : contents.administrators) {
        std::string name = administrator.name;
        administrators_.insert_or_assign(std::move(name), std::move(administrator));
    }
    for (SpamEntry& entry : contents.spam) {
        if (entry.user.empty()) {
            spam_of_all_.insert(entry.caller, entry.deny_seconds);
        } else if (const auto at = users_.find(entry.user); at != users_.end()) {
            at->second.spam.insert(entry.caller, entry.deny_seconds);
        }
        spam_.push_back(std::move(entry));
    }
    for (Limit& limit : contents.limits) {
        std::string name = limit.name;
        limits_.emplace(std::move(name), std::move(limit));
    }
    for (Block& block : contents.blocks) {
        std::string user = block.user;
        blocks_.emplace(std::move(user), std::move(block));
    }
}

const Directory::Entry* Directory::find_callee(const AddressOfRecord& callee) const {
    if (const auto at = user_of_uri_.find(callee.to_string()); at != user_of_uri_.end()) {
        return find_user(at->second);
    }
    const auto number = callee.number();
    if (!number || !number->starts_with('+')) {
        return nullptr;
    }
    if (const auto at = user_of_uri_.find("tel:" + *number); at != user_of_uri_.end()) {
        return find_user(at->second);
    }
    const auto at = users_of_number_.find(*number);
    if (at == users_of_number_.end()) {
        return nullptr;
    }
    const auto& names = at->second;
    const bool shared = std::ranges::any_of(names, [&](const auto& name) { return name != names.front(); });
    return shared ? nullptr : find_user(names.front());
}

const Directory::Entry* Directory::find_user(std::string_view name) const {
    const auto at = users_.find(name);
    return at == users_.end() ? nullptr : &at->second;
}

Result<Directory::Entry*> Directory::entry(std::string_view attempt, std::string_view name) {
    const auto at = users_.find(name);
    if (at == users_.end()) {
        return not_found(std::string(attempt), fmt::format("no user '{}'", name),
                         "list the users to see their names");
    }
    return &at->second;
}

void Directory::index_uri(const std::string& uri, const std::string& user) {
    user_of_uri_.insert_or_assign(uri, user);
    if (const auto record = AddressOfRecord::parse(uri)) {
        if (const auto number = global_number(*record)) {
            users_of_number_[*number].push_back(user);
        }
    }
}

void Directory::unindex_uri(const std::string& uri, const std::string& user) {
    user_of_uri_.erase(uri);
    const auto record = AddressOfRecord::parse(uri);
    const auto number = record ? global_number(*record) : std::nullopt;
    if (!number) {
        return;
    }
    const auto at = users_of_number_.find(*number);
    auto& names = at->second;
    names.erase(std::ranges::find(names, user));
    if (names.empty()) {
        users_of_number_.erase(at);
    }
}

// The URI in its one spelling, if nobody has it.
Result<std::string> Directory::free_uri(std::string_view uri) const {
    const auto record = AddressOfRecord::parse(uri);
    if (!record) {
        return std::unexpected(record.error());
    }
    if (record->user.empty()) {
        return invalid(fmt::format("read URI '{}'", uri), "no user part", "write sip:bob@example.org");
    }
    std::string spelled = record->to_string();
    if (const auto at = user_of_uri_.find(spelled); at != user_of_uri_.end()) {
        return conflict(fmt::format("add URI '{}'", spelled), fmt::format("user '{}' has it", at->second),
                        "remove it there first");
    }
    return spelled;
}

Result<> Directory::check_profile_of_user(std::string_view attempt, std::string_view profile) const {
    if (!profile.empty() && !profiles_.contains(profile)) {
        return not_found(std::string(attempt), fmt::format("no profile '{}'", profile),
                         "add the profile first");
    }
    return {};
}

Result<> Directory::add_user(User user) {
    if (auto good = check_name("user", user.name); !good) {
        return good;
    }
    const std::string attempt = "add user " + user.name;
    if (auto good = check_max_calls(user.max_calls); !good) {
        return good;
    }
    if (auto good = check_text("display_name", user.display_name, 128); !good) {
        return good;
    }
    if (users_.contains(user.name)) {
        return conflict(attempt, "there is one of that name", "take another name, or change that user");
    }
    if (auto good = check_profile_of_user(attempt, user.profile); !good) {
        return good;
    }
    if (user.uris.size() > max_uris_per_user) {
        return invalid(attempt, fmt::format("{} URIs, at most {}", user.uris.size(), max_uris_per_user));
    }
    StringSet seen;
    for (std::string& uri : user.uris) {
        auto spelled = free_uri(uri);
        if (!spelled) {
            return std::unexpected(spelled.error());
        }
        if (!seen.insert(*spelled).second) {
            return invalid(attempt, fmt::format("URI '{}' stands twice", *spelled), "name it once");
        }
        uri = std::move(*spelled);
    }
    if (auto written = store_.add_user(user); !written) {
        return written;
    }
    for (const std::string& uri : user.uris) {
        index_uri(uri, user.name);
    }
    std::string name = user.name;
    users_.emplace(std::move(name), Entry{.user = std::move(user), .locations = {}, .spam = {}});
    return {};
}

Result<> Directory::remove_user(std::string_view name) {
    const auto found = entry(fmt::format("remove user {}", name), name);
    if (!found) {
        return std::unexpected(found.error());
    }
    if (auto written = store_.remove_user(name); !written) {
        return written;
    }
    const std::string key((*found)->user.name);
    for (const std::string& uri : (*found)->user.uris) {
        unindex_uri(uri, key);
    }
    for (const Credentials& credentials : (*found)->credentials) {
        user_of_credentials_.erase(credentials_key(credentials.username, credentials.realm));
    }
    std::erase_if(spam_, [&](const SpamEntry& spam) { return spam.user == key; });
    std::erase_if(limits_, [&](const auto& item) { return item.second.user == key; });
    blocks_.erase(key);
    waiting_blocks_.erase(key);
    users_.erase(key);
    return {};
}

Result<> Directory::change_user(std::string_view name, const UserChange& change) {
    const std::string attempt = fmt::format("change user {}", name);
    const auto found = entry(attempt, name);
    if (!found) {
        return std::unexpected(found.error());
    }
    User changed = (*found)->user;
    changed.display_name = change.display_name.value_or(changed.display_name);
    changed.profile = change.profile.value_or(changed.profile);
    changed.max_calls = change.max_calls.value_or(changed.max_calls);
    if (auto good = check_max_calls(changed.max_calls); !good) {
        return good;
    }
    if (auto good = check_text("display_name", changed.display_name, 128); !good) {
        return good;
    }
    if (auto good = check_profile_of_user(attempt, changed.profile); !good) {
        return good;
    }
    if (auto written = store_.change_user(changed); !written) {
        return written;
    }
    (*found)->user = std::move(changed);
    return {};
}

Result<User> Directory::user(std::string_view name) const {
    const Entry* found = find_user(name);
    if (found == nullptr) {
        return not_found(fmt::format("show user {}", name), fmt::format("no user '{}'", name),
                         "list the users to see their names");
    }
    return found->user;
}

std::vector<User> Directory::users() const {
    std::vector<User> all;
    all.reserve(users_.size());
    for (const auto& [name, entry] : users_) {
        all.push_back(entry.user);
    }
    std::ranges::sort(all, {}, &User::name);
    return all;
}

Result<> Directory::add_uri(std::string_view user, std::string_view uri) {
    const auto found = entry(fmt::format("add URI '{}'", uri), user);
    if (!found) {
        return std::unexpected(found.error());
    }
    auto spelled = free_uri(uri);
    if (!spelled) {
        return std::unexpected(spelled.error());
    }
    if ((*found)->user.uris.size() >= max_uris_per_user) {
        return invalid(
            fmt::format("add URI '{}'", uri),
            fmt::format("user '{}' has {} URIs already, which is the most", user, max_uris_per_user));
    }
    if (auto written = store_.add_uri(user, *spelled); !written) {
        return written;
    }
    index_uri(*spelled, (*found)->user.name);
    (*found)->user.uris.push_back(std::move(*spelled));
    return {};
}

Result<> Directory::remove_uri(std::string_view user, std::string_view uri) {
    const std::string attempt = fmt::format("remove URI '{}'", uri);
    const auto found = entry(attempt, user);
    if (!found) {
        return std::unexpected(found.error());
    }
    const auto record = AddressOfRecord::parse(uri);
    if (!record) {
        return std::unexpected(record.error());
    }
    Entry& owner = **found;
    const std::string spelled = record->to_string();
    const auto at = std::ranges::find(owner.user.uris, spelled);
    if (at == owner.user.uris.end()) {
        return not_found(attempt, fmt::format("user '{}' does not have it", user),
                         "show the user to see the URIs");
    }
    if (auto written = store_.remove_uri(owner.user.name, spelled); !written) {
        return written;
    }
    owner.user.uris.erase(at);
    unindex_uri(spelled, owner.user.name);
    // Where that address registered from says nothing of the user any more.
    std::erase_if(owner.locations, [&](const Location& location) {
        return location.origin == Location::Origin::learned && location.uri == spelled;
    });
    return {};
}

} // namespace stem::sm
