// SPDX-License-Identifier: Apache-2.0
#include "sm/pki/ledger.h"

#include "sm/pki/file.h"
#include "sm/timestamp.h"

#include <boost/json.hpp>

#include <fmt/format.h>

namespace stem::pki {
namespace {

namespace json = boost::json;

std::string text_in(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<LedgerEntry> entry_from(const json::value& value) {
    const auto* object = value.if_object();
    if (object == nullptr) {
        return std::nullopt;
    }
    const auto role = role_from(text_in(*object, "role"));
    const auto from = sm::parse_timestamp(text_in(*object, "not_before"));
    const auto to = sm::parse_timestamp(text_in(*object, "not_after"));
    LedgerEntry entry{.serial = text_in(*object, "serial")};
    if (!role || !from || !to || entry.serial.empty()) {
        return std::nullopt;
    }
    entry.identity = {*role, text_in(*object, "name")};
    entry.not_before = *from;
    entry.not_after = *to;
    if (const std::string revoked = text_in(*object, "revoked_at"); !revoked.empty()) {
        const auto at = sm::parse_timestamp(revoked);
        if (!at) {
            return std::nullopt;
        }
        entry.revoked_at = *at;
    }
    const auto* hosts = object->if_contains("hosts");
    if (hosts != nullptr && hosts->is_array()) {
        for (const auto& host : hosts->get_array()) {
            if (host.is_string()) {
                entry.hosts.emplace_back(host.get_string());
            }
        }
    }
    return entry;
}

json::object to_json(const LedgerEntry& entry) {
    json::array hosts;
    for (const auto& host : entry.hosts) {
        hosts.emplace_back(host);
    }
    return {
        {"serial", entry.serial},
        {"role", label_of(entry.identity.role)},
        {"name", entry.identity.name},
        {"hosts", std::move(hosts)},
        {"not_before", sm::to_timestamp(entry.not_before)},
        {"not_after", sm::to_timestamp(entry.not_after)},
        {"revoked_at", entry.revoked_at ? json::value(sm::to_timestamp(*entry.revoked_at)) : json::value()}};
}

} // namespace

Result<Ledger> Ledger::read(const std::filesystem::path& file) {
    const auto text = read_file(file);
    if (!text) {
        return std::unexpected(text.error());
    }
    const std::string attempt = "read ledger " + file.string();
    json::error_code error;
    const json::value value = json::parse(*text, error);
    const auto* object = error ? nullptr : value.if_object();
    const auto* number = object == nullptr ? nullptr : object->if_contains("crl_number");
    const auto* list = object == nullptr ? nullptr : object->if_contains("certificates");
    if (number == nullptr || !number->is_int64() || list == nullptr || !list->is_array()) {
        return fail(attempt, error ? "not JSON: " + error.message() : "not a ledger",
                    "restore it from a backup: what it does not list cannot be revoked");
    }
    Ledger ledger{.crl_number = static_cast<std::uint64_t>(number->get_int64())};
    for (const auto& item : list->get_array()) {
        auto entry = entry_from(item);
        if (!entry) {
            return fail(attempt, fmt::format("certificate {} of it is broken", ledger.entries.size() + 1),
                        "restore it from a backup: what it does not list cannot be revoked");
        }
        ledger.entries.push_back(std::move(*entry));
    }
    return ledger;
}

Result<> Ledger::write(const std::filesystem::path& file) const {
    json::array list;
    for (const LedgerEntry& entry : entries) {
        list.push_back(to_json(entry));
    }
    const json::object whole{{"crl_number", crl_number}, {"certificates", std::move(list)}};
    return write_file(file, json::serialize(whole) + "\n", secret_mode);
}

} // namespace stem::pki
