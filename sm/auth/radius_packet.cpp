// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/radius_packet.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

namespace stem::auth::radius {
namespace {

constexpr std::uint8_t access_request = 1;
constexpr std::size_t header_octets = 20;
constexpr std::size_t longest_packet = 4096; // RFC 2865 3
constexpr std::size_t md5_octets = 16;

constexpr std::uint8_t user_name = 1;
constexpr std::uint8_t user_password = 2;
constexpr std::uint8_t nas_identifier = 32;
constexpr std::uint8_t message_authenticator = 80;
constexpr std::uint8_t sterman_response = 206;
constexpr std::uint8_t sterman_attributes = 207;

// A part of a digest, by its number in both forms.
struct Part {
    std::uint8_t rfc5090;
    std::uint8_t sterman;
    std::string_view value;
};

std::string md5(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned length = 0;
    EVP_Digest(text.data(), text.size(), octets.data(), &length, EVP_md5(), nullptr);
    return {reinterpret_cast<const char*>(octets.data()), length};
}

std::string hmac_md5(std::string_view key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned length = 0;
    HMAC(EVP_md5(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), octets.data(), &length);
    return {reinterpret_cast<const char*>(octets.data()), length};
}

std::string_view octets_of(const Authenticator& authenticator) {
    return {reinterpret_cast<const char*>(authenticator.data()), authenticator.size()};
}

void append(std::string& packet, std::uint8_t type, std::string_view value) {
    packet += static_cast<char>(type);
    packet += static_cast<char>(value.size() + 2);
    packet += value;
}

std::size_t octet(std::string_view packet, std::size_t at) {
    return static_cast<unsigned char>(packet[at]);
}

std::unexpected<Error> broken(std::string cause) {
    return fail("read a RADIUS answer", std::move(cause));
}

// Where the value of the Message-Authenticator begins; 0 = there is none. Fails on attributes that do not
// fill the packet.
Result<std::size_t> find_signature(std::string_view packet) {
    std::size_t found = 0;
    for (std::size_t at = header_octets; at < packet.size();) {
        if (packet.size() - at < 2 || octet(packet, at + 1) < 2 ||
            octet(packet, at + 1) > packet.size() - at) {
            return broken("an attribute does not fit into it");
        }
        if (octet(packet, at) == message_authenticator) {
            if (octet(packet, at + 1) != md5_octets + 2 || found != 0) {
                return broken("its Message-Authenticator is not of 16 octets, or stands twice");
            }
            found = at + 2;
        }
        at += octet(packet, at + 1);
    }
    return found;
}

} // namespace

Result<std::vector<Attribute>> digest_attributes(const Authorization& given, std::string_view method,
                                                 DigestForm form) {
    const std::string algorithm(name_of(given.algorithm));
    const std::array<Part, 9> parts = {{{104, 1, given.realm},
                                        {105, 2, given.nonce},
                                        {108, 3, method},
                                        {109, 4, given.uri},
                                        {110, 5, given.qop},
                                        {111, 6, algorithm},
                                        {113, 8, given.cnonce},
                                        {114, 9, given.nc},
                                        {115, 10, given.username}}};
    const bool nested = form == DigestForm::sterman;
    const std::size_t longest = nested ? longest_value - 2 : longest_value;
    std::vector<Attribute> attributes;
    attributes.push_back({user_name, given.username});
    attributes.push_back({nested ? sterman_response : std::uint8_t{103}, given.response});
    for (const Part& part : parts) {
        if (part.value.size() > longest) {
            return fail("ask a RADIUS server",
                        fmt::format("a part of the digest has {} octets, and an attribute "
                                    "holds {}",
                                    part.value.size(), longest));
        }
        std::string value;
        if (nested) {
            append(value, part.sterman, part.value);
        } else {
            value = part.value;
        }
        attributes.push_back({nested ? sterman_attributes : part.rfc5090, std::move(value)});
    }
    return attributes;
}

Result<std::vector<Attribute>> password_attributes(std::string_view username, std::string_view password,
                                                   std::string_view secret,
                                                   const Authenticator& authenticator) {
    constexpr std::size_t longest_password = 128;
    if (username.size() > longest_value || password.size() > longest_password || password.empty()) {
        return fail("ask a RADIUS server",
                    "user name or password are longer than its attributes hold, or empty");
    }
    std::string hidden(password);
    hidden.resize((hidden.size() + md5_octets - 1) / md5_octets * md5_octets, '\0');
    std::string before(octets_of(authenticator));
    for (std::size_t at = 0; at < hidden.size(); at += md5_octets) { // RFC 2865 5.2
        const std::string mask = md5(std::string(secret) + before);
        for (std::size_t i = 0; i < md5_octets; ++i) {
            hidden[at + i] = static_cast<char>(hidden[at + i] ^ mask[i]);
        }
        before = hidden.substr(at, md5_octets);
    }
    return std::vector<Attribute>{{user_name, std::string(username)}, {user_password, std::move(hidden)}};
}

std::string make_access_request(std::uint8_t id, const Authenticator& authenticator,
                                const std::vector<Attribute>& attributes, std::string_view secret) {
    std::string packet;
    packet += static_cast<char>(access_request);
    packet += static_cast<char>(id);
    packet += std::string(2, '\0'); // length, below
    packet += octets_of(authenticator);
    append(packet, message_authenticator, std::string(md5_octets, '\0'));
    append(packet, nas_identifier, "stem");
    for (const Attribute& attribute : attributes) {
        append(packet, attribute.type, attribute.value);
    }
    constexpr unsigned bits = 8;
    packet[2] = static_cast<char>(packet.size() >> bits);
    packet[3] = static_cast<char>(packet.size() & 0xffU);
    packet.replace(header_octets + 2, md5_octets, hmac_md5(secret, packet));
    return packet;
}

Result<Code> read_answer(std::string_view packet, std::uint8_t id, const Authenticator& authenticator,
                         std::string_view secret, bool must_be_signed) {
    if (packet.size() < header_octets || packet.size() > longest_packet) {
        return broken(fmt::format("{} octets", packet.size()));
    }
    constexpr std::size_t high = 256;
    const std::size_t length = octet(packet, 2) * high + octet(packet, 3);
    if (length < header_octets || length > packet.size()) {
        return broken("its length is not that of the datagram");
    }
    packet = packet.substr(0, length); // what is behind is padding (RFC 2865 3)
    if (octet(packet, 1) != id) {
        return broken("it is for another request");
    }
    constexpr std::size_t at = 4;
    std::string signed_by_request(packet);
    signed_by_request.replace(at, md5_octets, octets_of(authenticator));
    if (!same_secret(packet.substr(at, md5_octets), md5(signed_by_request + std::string(secret)))) {
        return broken("its authenticator is wrong: is the secret the server's?");
    }
    const auto signature = find_signature(packet);
    if (!signature) {
        return std::unexpected(signature.error());
    }
    if (*signature == 0 && must_be_signed) {
        return broken("it has no Message-Authenticator");
    }
    if (*signature != 0) {
        signed_by_request.replace(*signature, md5_octets, std::string(md5_octets, '\0'));
        if (!same_secret(packet.substr(*signature, md5_octets), hmac_md5(secret, signed_by_request))) {
            return broken("its Message-Authenticator is wrong");
        }
    }
    const auto code = static_cast<Code>(octet(packet, 0));
    if (code != Code::accept && code != Code::reject && code != Code::challenge) {
        return broken(fmt::format("code {} answers no Access-Request", octet(packet, 0)));
    }
    return code;
}

} // namespace stem::auth::radius
