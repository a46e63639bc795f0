// SPDX-License-Identifier: Apache-2.0
// The tables in which Kamailio keeps its users (auth_db: subscriber) and where they are (usrloc: location),
// as its own scripts make them (kamailio 5.6: subscriber version 7, location version 9). Only read; of
// passwords in plain text nothing is read at all.
#pragma once

#include "sm/model.h"
#include "sm/store_address.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stem::sm {

struct KamailioSubscriber {
    std::int64_t id = 0;
    std::string username;
    std::string domain; // "" where Kamailio runs without use_domain
    std::string ha1;  // MD5(username:realm:password) in hexadecimal; "": the password is in plain text there
    std::string ha1b; // the same of username@domain
};

struct KamailioLocation {
    std::int64_t id = 0;
    std::string username;
    std::string domain;
    std::string contact;
    std::string received; // the URI that the REGISTER came from, behind NAT; else ""
    std::string path;     // proxies on the way (RFC 3327); else ""
    double q = 1.0;
    std::optional<TimePoint> expires; // nullopt: never
};

// Fails on a database that cannot be opened, or has no such table.
Result<std::vector<KamailioSubscriber>> read_kamailio_subscribers(const StoreAddress& database);
Result<std::vector<KamailioLocation>> read_kamailio_locations(const StoreAddress& database);

// Where the phone is: of `received`, else of the contact. Fails on a name instead of an address, and on a
// phone behind another proxy.
Result<Address> address_of(const KamailioLocation& location);

} // namespace stem::sm
