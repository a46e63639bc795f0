// SPDX-License-Identifier: Apache-2.0
#include "sm/directory.h"

#include "sm/failure.h"

#include <fmt/format.h>

#include <algorithm>

namespace stem::sm {
namespace {

constexpr std::size_t max_set_locations = 64;
// RFC 3261 20.19: expiry is a number of 32 bits.
constexpr std::chrono::seconds longest_lifetime{0xffffffff};

bool same_place(const Location& a, const Location& b) {
    return a.origin == b.origin && a.uri == b.uri && a.contact == b.contact;
}

void put(std::vector<Location>& locations, Location location) {
    const auto at =
        std::ranges::find_if(locations, [&](const Location& old) { return same_place(old, location); });
    if (at == locations.end()) {
        locations.push_back(std::move(location));
    } else {
        *at = std::move(location);
    }
}

// Multicast and the like would open a pinhole to more than one terminal, or to none.
bool can_be_a_terminal(const Address& address) {
    return !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast();
}

// RFC 3261 gives a contact any URI scheme; we only keep it, so that a line of printable text will do.
Result<> check_contact(std::string_view attempt, std::string_view contact) {
    const auto printable = [](char c) { return c > 0x20 && c < 0x7f; };
    if (contact.empty() || contact.size() > max_uri_length || !std::ranges::all_of(contact, printable)) {
        return invalid(std::string(attempt), fmt::format("contact '{}' is not a URI", contact.substr(0, 80)),
                       "write sip:bob@192.0.2.7:5060");
    }
    return {};
}

} // namespace

Result<> Directory::forget(Entry& entry, const std::vector<Location>& gone) {
    if (gone.empty()) {
        return {};
    }
    if (!memory_only_) {
        if (auto written = store_.remove_locations(entry.user.name, gone); !written) {
            return written;
        }
    }
    std::erase_if(entry.locations, [&](const Location& location) {
        return std::ranges::any_of(gone, [&](const Location& old) { return same_place(old, location); });
    });
    return {};
}

Result<> Directory::set_location(std::string_view user, std::string_view contact, const Address& address,
                                 std::optional<TimePoint> expires, QValue q) {
    const std::string attempt = fmt::format("set a location of user {}", user);
    const auto found = entry(attempt, user);
    if (!found) {
        return std::unexpected(found.error());
    }
    if (!can_be_a_terminal(address)) {
        return invalid(attempt, fmt::format("{} is not the address of one machine", address.to_string()),
                       "name the terminal's own address");
    }
    Location location{.uri = {},
                      .contact = std::string(contact),
                      .address = address,
                      .origin = Location::Origin::set,
                      .expires = expires,
                      .q = q};
    if (contact.empty()) {
        const std::string host = address.to_string();
        location.contact = address.is_v4() ? "sip:" + host : "sip:[" + host + "]";
    }
    if (auto good = check_contact(attempt, location.contact); !good) {
        return good;
    }
    auto& locations = (*found)->locations;
    const auto is_set = [](const Location& old) { return old.origin == Location::Origin::set; };
    const bool known =
        std::ranges::any_of(locations, [&](const Location& old) { return same_place(old, location); });
    if (!known && static_cast<std::size_t>(std::ranges::count_if(locations, is_set)) >= max_set_locations) {
        return invalid(attempt, fmt::format("{} are set already, which is the most", max_set_locations),
                       "remove one first");
    }
    if (auto written = store_.put_location(user, location); !written) {
        return written;
    }
    put(locations, std::move(location));
    return {};
}

Result<std::size_t> Directory::remove_locations(std::string_view user, std::string_view contact) {
    const std::string attempt = fmt::format("remove locations of user {}", user);
    const auto found = entry(attempt, user);
    if (!found) {
        return std::unexpected(found.error());
    }
    std::vector<Location> gone;
    for (const Location& location : (*found)->locations) {
        if (contact.empty() || location.contact == contact) {
            gone.push_back(location);
        }
    }
    if (gone.empty() && !contact.empty()) {
        return not_found(attempt, fmt::format("none with contact '{}'", contact.substr(0, 80)),
                         "list the locations to see the contacts");
    }
    if (auto forgotten = forget(**found, gone); !forgotten) {
        return std::unexpected(forgotten.error());
    }
    return gone.size();
}

Result<std::vector<Location>> Directory::locations(std::string_view user) const {
    const Entry* found = find_user(user);
    if (found == nullptr) {
        return not_found(fmt::format("list locations of user {}", user), fmt::format("no user '{}'", user),
                         "list the users to see their names");
    }
    return found->locations;
}

Result<Directory::Learned> Directory::learn_once(const Link::Binding& binding, TimePoint now) {
    const auto record = AddressOfRecord::parse(binding.address_of_record);
    if (!record) {
        return std::unexpected(record.error());
    }
    // Only a URI that the user has: a number at a foreign host says nothing of where the user is.
    const std::string uri = record->to_string();
    const auto owner = user_of_uri_.find(uri);
    if (owner == user_of_uri_.end()) {
        return Learned::unknown_user;
    }
    Entry& entry = users_.find(owner->second)->second;
    const std::string attempt = "learn a location of user " + entry.user.name;

    // What this binding ends, and what has ended by itself.
    const bool removes = binding.all || binding.lifetime.count() <= 0;
    std::vector<Location> gone;
    std::vector<Location> kept;
    for (const Location& location : entry.locations) {
        const bool learned = location.origin == Location::Origin::learned;
        const bool named =
            learned && location.uri == uri && (binding.all || location.contact == binding.contact);
        if (!location.alive(now) || (removes && named)) {
            gone.push_back(location);
        } else if (learned && !named) {
            kept.push_back(location);
        }
    }
    Location location{.uri = uri,
                      .contact = binding.contact,
                      .address = binding.address,
                      .origin = Location::Origin::learned,
                      .expires = std::nullopt,
                      .q = binding.q};
    if (!removes) {
        if (auto good = check_contact(attempt, binding.contact); !good) {
            return std::unexpected(good.error());
        }
        if (!can_be_a_terminal(binding.address)) {
            return invalid(attempt, binding.address.to_string() + " is not the address of one machine");
        }
        const auto lifetime = std::min(binding.lifetime, longest_lifetime);
        location.expires = std::chrono::floor<std::chrono::seconds>(now) + lifetime;
        if (kept.size() >= max_learned_locations) {
            gone.push_back(*std::ranges::min_element(kept, {}, &Location::expires));
        }
    }
    if (auto forgotten = forget(entry, gone); !forgotten) {
        return std::unexpected(forgotten.error());
    }
    if (removes) {
        return Learned::removed;
    }
    if (!memory_only_) {
        if (auto written = store_.put_location(entry.user.name, location); !written) {
            return std::unexpected(written.error());
        }
    }
    put(entry.locations, std::move(location));
    return Learned::stored;
}

Result<std::size_t> Directory::expire(TimePoint now) {
    // The file keeps whole seconds: what it drops is what has expired by the last full one.
    const TimePoint second = std::chrono::floor<std::chrono::seconds>(now);
    // A shared database that is away: another clears it, or this one in a minute.
    if (auto written = store_.remove_expired(second); !written && written.error().code != EAGAIN) {
        return std::unexpected(written.error());
    }
    upload_.give_up_if_stale(now);
    std::size_t count = 0;
    for (auto& [name, entry] : users_) {
        count +=
            std::erase_if(entry.locations, [&](const Location& location) { return !location.alive(second); });
    }
    return count;
}

} // namespace stem::sm
