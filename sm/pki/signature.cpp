// SPDX-License-Identifier: Apache-2.0
#include "sm/pki/signature.h"

#include <fmt/format.h>

#include <array>
#include <vector>

namespace stem::pki {
namespace {

const unsigned char* octets_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string to_base64(const std::vector<unsigned char>& octets) {
    std::string text(4 * ((octets.size() + 2) / 3) + 1, '\0');
    const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), octets.data(),
                                       static_cast<int>(octets.size()));
    text.resize(static_cast<std::size_t>(length));
    return text;
}

// Empty: it is none.
std::vector<unsigned char> from_base64(std::string_view text) {
    std::vector<unsigned char> octets(text.size() / 4 * 3 + 3);
    const int length = EVP_DecodeBlock(octets.data(), octets_of(text), static_cast<int>(text.size()));
    std::size_t padding = 0;
    while (padding < text.size() && padding < 2 && text[text.size() - 1 - padding] == '=') {
        ++padding;
    }
    if (length < static_cast<int>(padding)) {
        return {};
    }
    octets.resize(static_cast<std::size_t>(length) - padding);
    return octets;
}

} // namespace

Result<std::string> sign(std::string_view octets, const Key& key) {
    const DigestContextPtr context(EVP_MD_CTX_new());
    std::size_t length = 0;
    if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &length, octets_of(octets), octets.size()) != 1) {
        return fail_openssl("sign");
    }
    std::vector<unsigned char> signature(length);
    if (EVP_DigestSign(context.get(), signature.data(), &length, octets_of(octets), octets.size()) != 1) {
        return fail_openssl("sign");
    }
    signature.resize(length);
    return to_base64(signature);
}

Result<> check_signature(std::string_view octets, std::string_view signature, const Certificate& signer) {
    const auto raw = from_base64(signature);
    const DigestContextPtr context(EVP_MD_CTX_new());
    EVP_PKEY* key = X509_get0_pubkey(signer.get());
    if (raw.empty() || !context || key == nullptr ||
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
        EVP_DigestVerify(context.get(), raw.data(), raw.size(), octets_of(octets), octets.size()) != 1) {
        static_cast<void>(take_openssl_error());
        return fail("check a signature", "it is not of these octets by certificate " + signer.serial());
    }
    return {};
}

std::string sha256(std::string_view octets) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    EVP_Digest(octets.data(), octets.size(), digest.data(), &length, EVP_sha256(), nullptr);
    std::string text;
    for (unsigned i = 0; i < length; ++i) {
        text += fmt::format("{:02x}", digest[i]);
    }
    return text;
}

} // namespace stem::pki
