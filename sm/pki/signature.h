// SPDX-License-Identifier: Apache-2.0
// Signatures over octets (ECDSA with SHA-256), and digests.
#pragma once

#include "sm/pki/certificate.h"

#include <string>
#include <string_view>

namespace stem::pki {

// DER, in base64.
Result<std::string> sign(std::string_view octets, const Key& key);
// By the key that the certificate names; whether that certificate is believed is another question.
Result<> check_signature(std::string_view octets, std::string_view signature, const Certificate& signer);

std::string sha256(std::string_view octets); // hexadecimal, lower case

} // namespace stem::pki
