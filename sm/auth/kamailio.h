// SPDX-License-Identifier: Apache-2.0
// Credentials of a row of Kamailio's table `subscriber` (its module auth_db): users keep their passwords.
#pragma once

#include "sm/model.h"

#include <string_view>
#include <vector>

namespace stem::auth {

// `ha1`: hash of username:domain:password; `ha1b`: of username@domain:domain:password, for phones that name
// themselves so. By their length MD5 or SHA-256 (Kamailio's parameter hash_algorithm); "" = not there. The
// realm is the domain, as Kamailio has it. Fails on hashes of another form, and where there is none: such
// rows have a plain `password`, which Directory::set_credentials() wants hashed (auth::make_ha1()).
Result<std::vector<sm::Credentials>> credentials_of_subscriber(std::string_view username,
                                                               std::string_view domain, std::string_view ha1,
                                                               std::string_view ha1b);

} // namespace stem::auth
