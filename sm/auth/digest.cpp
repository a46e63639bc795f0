// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/digest.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

namespace stem::auth {
namespace {

constexpr std::size_t max_parameters = 24;
constexpr const char* attempt = "read the credentials of a digest";

char lower(char octet) {
    return octet >= 'A' && octet <= 'Z' ? static_cast<char>(octet - 'A' + 'a') : octet;
}

bool same_ignoring_case(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, {}, lower, lower);
}

bool is_blank(char octet) {
    return octet == ' ' || octet == '\t';
}

bool is_token(char octet) {
    constexpr std::string_view marks = "-.!%*_+`'~"; // RFC 3261 25.1
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
           (octet >= '0' && octet <= '9') || marks.find(octet) != std::string_view::npos;
}

std::unexpected<Error> broken(std::string cause) {
    return std::unexpected(
        Error{attempt, std::move(cause), "RFC 7616 3.4 has the form of Proxy-Authorization", EINVAL});
}

// Goes through name=value, name="value", ...
class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}

    [[nodiscard]] bool at_end() {
        skip();
        return text_.empty();
    }
    bool take(char octet) {
        skip();
        if (text_.empty() || text_.front() != octet) {
            return false;
        }
        text_.remove_prefix(1);
        return true;
    }
    std::string_view token() {
        skip();
        std::size_t length = 0;
        while (length < text_.size() && is_token(text_[length])) {
            ++length;
        }
        const auto taken = text_.substr(0, length);
        text_.remove_prefix(length);
        return taken;
    }
    // quoted-string or token; nothing: neither.
    std::optional<std::string> value() {
        if (!take('"')) {
            const auto plain = token();
            return plain.empty() ? std::nullopt : std::optional(std::string(plain));
        }
        std::string unquoted;
        while (!text_.empty()) {
            char octet = text_.front();
            text_.remove_prefix(1);
            if (octet == '"') {
                return unquoted;
            }
            if (octet == '\\') {
                if (text_.empty()) {
                    return std::nullopt;
                }
                octet = text_.front();
                text_.remove_prefix(1);
            }
            unquoted += octet;
        }
        return std::nullopt;
    }

  private:
    void skip() {
        while (!text_.empty() && is_blank(text_.front())) {
            text_.remove_prefix(1);
        }
    }
    std::string_view text_;
};

using Parameters = std::vector<std::pair<std::string, std::string>>;

// What follows "Digest"; nothing: another scheme.
std::optional<std::string_view> after_scheme(std::string_view value) {
    constexpr std::string_view scheme = "digest";
    while (!value.empty() && is_blank(value.front())) {
        value.remove_prefix(1);
    }
    if (value.size() <= scheme.size() || !same_ignoring_case(value.substr(0, scheme.size()), scheme) ||
        !is_blank(value[scheme.size()])) {
        return std::nullopt;
    }
    return value.substr(scheme.size() + 1);
}

// False: it is broken from there on; what was read is kept.
bool read_parameters(std::string_view text, Parameters& parameters) {
    Reader reader(text);
    do {
        std::string name(reader.token());
        std::ranges::transform(name, name.begin(), lower);
        if (name.empty() || !reader.take('=') || parameters.size() == max_parameters) {
            return false;
        }
        auto value = reader.value();
        if (!value) {
            return false;
        }
        parameters.emplace_back(std::move(name), std::move(*value));
    } while (reader.take(','));
    return reader.at_end();
}

const std::string* find(const Parameters& parameters, std::string_view name) {
    const auto at = std::ranges::find(parameters, name, &Parameters::value_type::first);
    return at == parameters.end() ? nullptr : &at->second;
}

bool is_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char octet) {
        return (octet >= '0' && octet <= '9') || (octet >= 'a' && octet <= 'f') ||
               (octet >= 'A' && octet <= 'F');
    });
}

std::size_t digits_of(Algorithm algorithm) {
    constexpr std::size_t md5_digits = 32;
    constexpr std::size_t sha256_digits = 64;
    return algorithm == Algorithm::md5 ? md5_digits : sha256_digits;
}

Result<> check(Authorization& read) {
    if (read.qop != "auth") {
        return broken("its quality of protection is not auth");
    }
    constexpr int hexadecimal = 16;
    const char* end = read.nc.data() + read.nc.size();
    if (read.nc.size() != 8 || !is_hex(read.nc) ||
        std::from_chars(read.nc.data(), end, read.count, hexadecimal).ptr != end || read.count == 0) {
        return broken("its nonce count is not eight hexadecimal digits from 00000001 on");
    }
    if (read.cnonce.empty()) {
        return broken("its cnonce is empty");
    }
    if (!is_ha1(read.algorithm, read.response)) {
        return broken("its response is not as long as its algorithm makes it");
    }
    return {};
}

} // namespace

std::string_view name_of(Algorithm algorithm) {
    return algorithm == Algorithm::md5 ? "MD5" : "SHA-256";
}

std::optional<Algorithm> algorithm_from(std::string_view name) {
    for (const auto algorithm : {Algorithm::sha256, Algorithm::md5}) {
        if (same_ignoring_case(name, name_of(algorithm))) {
            return algorithm;
        }
    }
    return std::nullopt;
}

std::string hex_digest(Algorithm algorithm, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned length = 0;
    EVP_Digest(text.data(), text.size(), octets.data(), &length,
               algorithm == Algorithm::md5 ? EVP_md5() : EVP_sha256(), nullptr);
    std::string hex;
    for (unsigned i = 0; i < length; ++i) {
        hex += fmt::format("{:02x}", octets[i]);
    }
    return hex;
}

std::string make_ha1(Algorithm algorithm, std::string_view username, std::string_view realm,
                     std::string_view password) {
    return hex_digest(algorithm, fmt::format("{}:{}:{}", username, realm, password));
}

bool is_ha1(Algorithm algorithm, std::string_view text) {
    return text.size() == digits_of(algorithm) && is_hex(text);
}

bool same_secret(std::string_view left, std::string_view right) {
    return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

Result<Authorization> read_authorization(std::string_view value) {
    const auto text = after_scheme(value);
    if (!text) {
        return broken("its scheme is not Digest");
    }
    Parameters parameters;
    if (!read_parameters(*text, parameters)) {
        return broken("it is no list of parameters");
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (find(parameters, parameters[i].first) != &parameters[i].second) {
            return broken("a parameter stands twice");
        }
    }
    Authorization read;
    const std::array<std::pair<const char*, std::string*>, 8> wanted = {{{"username", &read.username},
                                                                         {"realm", &read.realm},
                                                                         {"nonce", &read.nonce},
                                                                         {"uri", &read.uri},
                                                                         {"response", &read.response},
                                                                         {"cnonce", &read.cnonce},
                                                                         {"qop", &read.qop},
                                                                         {"nc", &read.nc}}};
    for (const auto& [name, member] : wanted) {
        const std::string* found = find(parameters, name);
        if (found == nullptr) {
            return broken(fmt::format("it has no {}", name));
        }
        *member = *found;
    }
    if (const std::string* name = find(parameters, "algorithm")) {
        const auto algorithm = algorithm_from(*name);
        if (!algorithm) {
            return broken("its algorithm is neither MD5 nor SHA-256");
        }
        read.algorithm = *algorithm;
    }
    if (auto good = check(read); !good) {
        return std::unexpected(good.error());
    }
    return read;
}

std::string realm_of(std::string_view value) {
    const auto text = after_scheme(value);
    Parameters parameters;
    if (text) {
        static_cast<void>(read_parameters(*text, parameters));
    }
    const std::string* realm = find(parameters, "realm");
    return realm == nullptr ? std::string() : *realm;
}

std::string response_for(const Authorization& given, std::string_view ha1, std::string_view method) {
    const std::string ha2 = hex_digest(given.algorithm, fmt::format("{}:{}", method, given.uri));
    return hex_digest(given.algorithm, fmt::format("{}:{}:{}:{}:{}:{}", ha1, given.nonce, given.nc,
                                                   given.cnonce, given.qop, ha2));
}

bool is_right(const Authorization& given, std::string_view ha1, std::string_view method) {
    std::string response = given.response;
    std::ranges::transform(response, response.begin(), lower);
    return same_secret(response, response_for(given, ha1, method));
}

std::string make_challenge(Algorithm algorithm, std::string_view realm, std::string_view nonce, bool stale) {
    return fmt::format(R"(Digest realm="{}", nonce="{}", algorithm={}, qop="auth"{})", realm, nonce,
                       name_of(algorithm), stale ? ", stale=true" : "");
}

bool is_realm(std::string_view text) {
    constexpr std::size_t longest = 64;
    return !text.empty() && text.size() <= longest && std::ranges::all_of(text, [](char octet) {
        return octet >= ' ' && octet <= '~' && octet != '"' && octet != '\\';
    });
}

} // namespace stem::auth
