// SPDX-License-Identifier: Apache-2.0
// What phones and RADIUS servers say of who is calling. The first octet chooses: a value of
// Proxy-Authorization, which read and written anew is the same; a RADIUS answer from who has not the secret,
// which is never believed; and one from who has, whose attributes may be anything.
#include "sm/auth/digest.h"
#include "sm/auth/radius_packet.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string>
#include <string_view>

namespace {

using namespace stem::auth;

constexpr std::string_view secret = "secret of both";
constexpr std::size_t header = 20; // RFC 2865 3
constexpr std::size_t authenticator = 4;
constexpr std::size_t longest = 4096;
constexpr std::uint8_t id = 7;

void require(bool holds, std::source_location place = std::source_location::current()) {
    if (!holds) {
        std::fprintf(stderr, "line %u: does not hold\n", static_cast<unsigned>(place.line()));
        std::abort();
    }
}

std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char octet : text) {
        if (octet == '"' || octet == '\\') {
            result += '\\';
        }
        result += octet;
    }
    return result + "\"";
}

void read_digest(std::string_view text) {
    auto read = read_authorization(text);
    if (!read) {
        static_cast<void>(realm_of(text));
        return;
    }
    require(realm_of(text) == read->realm);
    require(read->count != 0 && is_ha1(read->algorithm, read->response));
    const auto again = read_authorization(fmt::format(
        "Digest username={}, realm={}, nonce={}, uri={}, response={}, cnonce={}, qop={}, nc={}, algorithm={}",
        quoted(read->username), quoted(read->realm), quoted(read->nonce), quoted(read->uri),
        quoted(read->response), quoted(read->cnonce), read->qop, read->nc, name_of(read->algorithm)));
    require(again.has_value());
    require(again->username == read->username && again->realm == read->realm && again->nonce == read->nonce &&
            again->uri == read->uri && again->response == read->response && again->cnonce == read->cnonce &&
            again->count == read->count && again->algorithm == read->algorithm);

    const auto ha1 = make_ha1(read->algorithm, read->username, read->realm, "right");
    read->response = response_for(*read, ha1, "INVITE");
    require(is_right(*read, ha1, "INVITE"));
    require(!is_right(*read, make_ha1(read->algorithm, read->username, read->realm, "wrong"), "INVITE"));
    require(!is_right(*read, ha1, "BYE"));
    // Only a part can be too long for an attribute (RFC 2865 5).
    const std::size_t longest_part =
        std::ranges::max({read->username.size(), read->realm.size(), read->nonce.size(), read->uri.size(),
                          read->cnonce.size()});
    for (const auto form : {radius::DigestForm::rfc5090, radius::DigestForm::sterman}) {
        const auto attributes = radius::digest_attributes(*read, "INVITE", form);
        require(attributes.has_value() || longest_part > radius::longest_value - 2);
        for (const auto& attribute : attributes.value_or(std::vector<radius::Attribute>())) {
            require(attribute.value.size() <= radius::longest_value);
        }
    }
}

void put(std::string& packet, std::size_t at, const unsigned char* octets) {
    std::copy_n(octets, 16, packet.begin() + static_cast<std::ptrdiff_t>(at));
}

// RFC 3579 3.2, then RFC 2865 3. `signature`: where the value of Message-Authenticator is; 0: it has none.
void sign(std::string& packet, std::size_t signature, const radius::Authenticator& asked) {
    put(packet, authenticator, asked.data());
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (signature != 0) {
        std::fill_n(packet.begin() + static_cast<std::ptrdiff_t>(signature), 16, '\0');
        HMAC(EVP_md5(), secret.data(), static_cast<int>(secret.size()),
             reinterpret_cast<const unsigned char*>(packet.data()), packet.size(), digest, nullptr);
        put(packet, signature, digest);
    }
    const std::string whole = packet + std::string(secret);
    EVP_Digest(whole.data(), whole.size(), digest, nullptr, EVP_md5(), nullptr);
    put(packet, authenticator, digest);
}

// Where the value of the only well-formed Message-Authenticator is; 0: there is none, or attributes are
// broken.
std::size_t signature_in(std::string_view packet) {
    std::size_t found = 0;
    for (std::size_t at = header; at < packet.size();) {
        const std::size_t length = at + 1 < packet.size() ? static_cast<std::uint8_t>(packet[at + 1]) : 0;
        if (length < 2 || length > packet.size() - at) {
            return 0;
        }
        if (static_cast<std::uint8_t>(packet[at]) == 80) {
            if (length != 18 || found != 0) {
                return 0;
            }
            found = at + 2;
        }
        at += length;
    }
    return found;
}

void read_signed_answer(std::string_view attributes, const radius::Authenticator& asked) {
    const std::uint8_t code = attributes.empty() ? 2 : static_cast<std::uint8_t>(attributes.front());
    attributes = attributes.substr(0, longest - header);
    std::string packet(header, '\0');
    packet += attributes;
    packet[0] = static_cast<char>(code);
    packet[1] = static_cast<char>(id);
    packet[2] = static_cast<char>(packet.size() / 256);
    packet[3] = static_cast<char>(packet.size() % 256);
    const auto signature = signature_in(packet);
    sign(packet, signature, asked);
    const auto read = radius::read_answer(packet, id, asked, secret, true);
    const bool answers = code == 2 || code == 3 || code == 11;
    require(read.has_value() == (signature != 0 && answers));
    if (read) {
        require(static_cast<std::uint8_t>(*read) == code);
        require(!radius::read_answer(packet, id + 1, asked, secret, true));
        require(!radius::read_answer(packet, id, asked, "another secret", true));
        packet.back() = static_cast<char>(packet.back() ^ 1);
        require(!radius::read_answer(packet, id, asked, secret, true));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const radius::Authenticator asked{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    switch (data[0] % 3) {
    case 0:
        read_digest(text);
        break;
    case 1:
        require(!radius::read_answer(text, id, asked, secret, false));
        break;
    default:
        read_signed_answer(text, asked);
    }
    return 0;
}
