// SPDX-License-Identifier: Apache-2.0
#include "sm/pki/key.h"

#include "sm/pki/file.h"

namespace stem::pki {
namespace {

// A program without a terminal must not stop to ask for a passphrase.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) {
    return -1;
}

} // namespace

Result<Key> Key::generate() {
    // What EVP_EC_gen() is, without its cast of a constant.
    std::string curve = "P-256";
    KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve.data()));
    if (!key) {
        return fail_openssl("make a key");
    }
    return Key(std::move(key));
}

Result<Key> Key::from_pem(std::string_view pem, const std::string& what) {
    KeyPtr key(PEM_read_bio_PrivateKey(bio_of(pem).get(), nullptr, no_passphrase, nullptr));
    if (!key) {
        return fail_openssl("read private key " + what, "it must be PEM, and not encrypted");
    }
    return Key(std::move(key));
}

Result<Key> Key::read(const std::filesystem::path& file) {
    const auto pem = read_secret_file(file);
    return pem ? from_pem(*pem, file.string()) : std::unexpected(pem.error());
}

Result<std::string> Key::to_pem() const {
    const BioPtr memory(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_PKCS8PrivateKey(memory.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return fail_openssl("write a key");
    }
    return text_of(memory.get());
}

} // namespace stem::pki
